#include "runtime/internal/frame.h"

#include <cassert>

#include "base/codec.h"
#include "base/crc32c.h"
#include "runtime/network.h"

namespace tidal::runtime::internal {

namespace {

// magic u32, version u8, kind u8, zero u16, payload length u32, crc u32 (of all before it and the
// payload).
constexpr std::size_t kChecksumOffset = 12;

Error damaged(std::string_view what) {
    return Error(ErrorCode::kCorruption, "frame of a peer: " + std::string(what));
}

}  // namespace

std::string encode_frame(FrameKind kind, std::string_view payload) {
    assert(payload.size() <= kMessageBytesMax);
    Encoder encoder;
    encoder.u32(kFrameMagic);
    encoder.u8(kFrameVersion);
    encoder.u8(static_cast<std::uint8_t>(kind));
    encoder.u16(0);
    encoder.u32(static_cast<std::uint32_t>(payload.size()));
    encoder.u32(crc32c_extend(crc32c(encoder.view()), payload));
    encoder.raw(payload);
    return encoder.take();
}

Result<std::optional<Frame>> FrameReader::next() {
    const auto rest = std::string_view(buffer_).substr(begin_);
    if (rest.size() < kFrameHeaderBytes) return std::optional<Frame>();
    Decoder header(rest.substr(0, kFrameHeaderBytes));
    if (header.u32() != kFrameMagic) return damaged("wrong magic");
    if (const auto version = header.u8(); version != kFrameVersion)
        return Error(ErrorCode::kIncompatible, "frame of a peer: version not known here")
            .with("version", version);
    const auto kind = header.u8();
    if (kind != static_cast<std::uint8_t>(FrameKind::kHello) &&
        kind != static_cast<std::uint8_t>(FrameKind::kMessage))
        return damaged("unknown kind").with("kind", kind);
    if (header.u16() != 0) return damaged("reserved bytes are not zero");
    const std::uint32_t size = header.u32();
    if (size > kMessageBytesMax) return damaged("longer than allowed").with("bytes", size);
    const std::uint32_t checksum = header.u32();
    if (rest.size() - kFrameHeaderBytes < size) return std::optional<Frame>();
    const auto payload = rest.substr(kFrameHeaderBytes, size);
    if (crc32c_extend(crc32c(rest.substr(0, kChecksumOffset)), payload) != checksum)
        return damaged("checksum does not match");
    Frame frame{static_cast<FrameKind>(kind), std::string(payload)};
    begin_ += kFrameHeaderBytes + size;
    // Moving the rest down once per half buffer keeps the cost linear in the bytes received.
    if (begin_ * 2 >= buffer_.size()) {
        buffer_.erase(0, begin_);
        begin_ = 0;
    }
    return std::optional<Frame>(std::move(frame));
}

}  // namespace tidal::runtime::internal
