// http/content_coding.h: gzip and zstd, for bodies in both directions (RFC 9110, 8.4 and 12.5.3).
//
// A decoder gives its output in pieces of a size that the caller chooses, so that a body of a few
// bytes that stands for gigabytes costs no more memory than any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tidal::http {

enum class Coding : std::uint8_t { kIdentity, kGzip, kZstd };
/// "identity", "gzip", "zstd": as headers write it.
std::string_view coding_name(Coding coding);

/// What a request's body is packed by. kUnsupportedMedia (415, field Content-Encoding) naming the
/// known ones for any other, and for several at once.
Result<Coding> content_coding(const Headers& headers);
/// The best of what Accept-Encoding allows; between equals zstd, then gzip. kIdentity without it.
Coding accepted_coding(const Headers& headers);

/// Unpacks one body. Threads: one at a time.
class Decoder {
public:
    /// Precondition: not kIdentity.
    static std::unique_ptr<Decoder> create(Coding coding);
    virtual ~Decoder() = default;

    /// Takes packed bytes. Precondition: next() has said that it needs more.
    virtual void feed(std::string bytes) = 0;
    /// At most `bytes_max` of what was fed, unpacked; empty = more input is needed.
    /// @return kInvalidArgument (reason malformed_content) where it is not what it says.
    virtual Result<std::string> next(std::size_t bytes_max) = 0;
    /// Whether the input ended where a packed body may end.
    virtual bool at_end() const = 0;
};

/// A whole body, unpacked. kTooLarge beyond `bytes_max`; kInvalidArgument as Decoder::next, and
/// where the body breaks off.
Result<std::string> unpack(Coding coding, std::string body, std::size_t bytes_max);
Error broken_off(Coding coding);

/// Packs one body. Threads: one at a time.
class Encoder {
public:
    static std::unique_ptr<Encoder> create(Coding coding);
    virtual ~Encoder() = default;

    enum class Flush : std::uint8_t { kPiece, kEnd };
    /// All of `bytes`, so that the receiver can unpack them at once; kEnd once, with the last.
    virtual std::string encode(std::string_view bytes, Flush flush) = 0;
};

/// Packs the body of a reply where `coding` is not kIdentity and it is worth it: above 1 KiB, and
/// smaller when packed. Its ETag then names the coding as well (RFC 9110, 8.8.3.3).
void pack(Coding coding, Response* response);
/// The same for the head of a reply that streams: its packer, or null.
std::unique_ptr<Encoder> begin_packing(Coding coding, Response* head);
/// `"42-gzip"` -> `"42"`: the ETag as it was before packing; others as they are.
std::string_view unpacked_etag(std::string_view etag, std::string* buffer);

}  // namespace tidal::http
