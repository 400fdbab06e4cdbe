// query/cursor.h: where a page ended, in an opaque token that only this server can make.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"
#include "query/shown_set.h"

namespace tidal::query {

inline constexpr std::uint8_t kCursorVersion = 2;
inline constexpr std::size_t kCursorMacBytes = 16;

/// Where a page ended in an order whose positions stay: after this entity.
struct PagePosition {
    double score = 0;
    EntityId id;
    std::string text;  ///< In orders of texts.
    bool operator==(const PagePosition&) const = default;
};

/// Where a page ended, and what every page of the sequence has in common.
struct Cursor {
    Hash128 query;          ///< What was asked: query_fingerprint().
    UnixMillis now_ms = 0;  ///< The moment all pages are computed for.
    std::uint64_t seed = 0;
    std::uint64_t shown = 0;            ///< Items on the pages so far; the next rank is one higher.
    std::optional<PagePosition> after;  ///< nullopt in an order whose positions move:
    std::vector<ShortHash> shown_hashes;  ///< there, all that was shown; at most kShownMax,
    ShownGroups shown_groups = {};        ///< and of which groups, where there are groups.
    bool operator==(const Cursor&) const = default;
};

/// A secret that signs cursors, prepared once. Immutable; shared by threads.
class CursorKey {
public:
    /// @param secret  16 or more bytes, the same on every node that answers.
    explicit CursorKey(std::string_view secret);
    ~CursorKey();
    CursorKey(const CursorKey&) = delete;
    CursorKey& operator=(const CursorKey&) = delete;

    std::array<char, kCursorMacBytes> sign(std::string_view bytes) const;

private:
    struct State;
    const std::unique_ptr<const State> state_;
};

/// Tokens are base64url of version, fields and the first 16 bytes of HMAC-SHA256 over both (RFC
/// 2104), so that a client can neither forge a position nor carry it to another query.
/// Threads: any.
class CursorCodec {
public:
    /// @param store     Keeps what is too long for a token; nullptr = tokens may be long.
    /// @param clock_ms  Of the store.
    explicit CursorCodec(std::shared_ptr<const CursorKey> key, ShownStore* store = nullptr,
                         std::uint64_t clock_ms = 0);
    /// With a key of its own. @param secret  As of CursorKey.
    explicit CursorCodec(std::string_view secret, ShownStore* store = nullptr,
                         std::uint64_t clock_ms = 0);

    std::string encode(const Cursor& cursor) const;
    /// @return kInvalidArgument  damaged, forged, or signed with another key;
    ///         kUnsupported      made by another version of the server;
    ///         kGone             the server no longer keeps what it stands for.
    Result<Cursor> decode(std::string_view token) const;

private:
    Result<void> look_up(std::uint64_t handle, Cursor* cursor) const;

    std::shared_ptr<const CursorKey> key_;
    ShownStore* store_;
    std::uint64_t clock_ms_;
};

}  // namespace tidal::query
