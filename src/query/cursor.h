// query/cursor.h: where a page ended, in an opaque token that only this server can make.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::query {

inline constexpr std::uint8_t kCursorVersion = 1;
inline constexpr std::size_t kCursorMacBytes = 16;

/// The key of the last item of a page, and what every page of the sequence has in common.
struct Cursor {
    Hash128 query;          ///< What was asked: query_fingerprint().
    UnixMillis now_ms = 0;  ///< The moment all pages are computed for.
    std::uint64_t seed = 0;
    std::uint64_t shown = 0;  ///< Items on the pages so far; the next rank is one higher.
    double score = 0;         ///< Of the last item.
    EntityId id;              ///< Of the last item.
    bool operator==(const Cursor&) const = default;
};

/// Tokens are base64url of version, fields and the first 16 bytes of HMAC-SHA256 over both (RFC
/// 2104), so that a client can neither forge a position nor carry it to another query.
/// Threads: any.
class CursorCodec {
public:
    /// @param key  16 or more secret bytes, the same on every node that answers.
    explicit CursorCodec(std::string key);

    std::string encode(const Cursor& cursor) const;
    /// @return kInvalidArgument  damaged, forged, or signed with another key;
    ///         kUnsupported      made by another version of the server.
    Result<Cursor> decode(std::string_view token) const;

private:
    std::array<char, kCursorMacBytes> mac(std::string_view bytes) const;
    std::string key_;
};

}  // namespace tidal::query
