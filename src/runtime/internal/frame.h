// runtime/internal/frame.h: the frames of a connection between nodes. Format:
// docs/formats/network-frame.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::runtime::internal {

inline constexpr std::uint32_t kFrameMagic = 0x4e4c4454;  // "TDLN"
inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 16;

enum class FrameKind : std::uint8_t {
    kHello = 1,  ///< First on a connection, and only there: the sender's advertised address.
    kMessage = 2,
};

struct Frame {
    FrameKind kind = FrameKind::kMessage;
    std::string payload;
};

/// `payload` is at most kMessageBytesMax.
std::string encode_frame(FrameKind kind, std::string_view payload);

/// Cuts a byte stream into frames. After an error the stream is of no use any more.
class FrameReader {
public:
    void feed(std::string_view bytes) { buffer_.append(bytes); }
    /// The next whole frame, nothing when more bytes are needed, or kCorruption (kIncompatible for
    /// another version). Never holds more than one frame of the largest size plus what was fed.
    Result<std::optional<Frame>> next();

private:
    std::string buffer_;
    std::size_t begin_ = 0;  ///< Of the first frame not yet taken.
};

}  // namespace tidal::runtime::internal
