#include "storage/internal/simple_log.h"

#include <charconv>
#include <cstdio>

#include "base/crc32c.h"

namespace tidal::storage::internal {
namespace {

constexpr std::string_view kHeadMagic = "tidalcur";
constexpr std::string_view kLogMagic = "tidalrow";
constexpr std::uint32_t kLogVersion = 1;
constexpr std::string_view kNamePrefix = "rows-";
constexpr std::string_view kNameSuffix = ".log";
constexpr std::size_t kLogNameDigits = 10;

Result<void> decode_frame(std::string_view payload, SimpleVisitor visitor) {
    Decoder in(payload);
    while (in.remaining() > 0) {
        const bool erased = in.u8() == 0;
        const std::string_view key = in.bytes();
        const std::string_view value = erased ? std::string_view() : in.bytes();
        if (in.failed()) break;
        visitor(key, erased ? std::nullopt : std::optional(value));
    }
    return in.finish("rows frame");
}

Error damaged(std::size_t offset) {
    return Error(ErrorCode::kCorruption, "rows frame is short or does not match its checksum")
        .with("offset", offset);
}

}  // namespace

std::string encode_simple_head(const SimpleLogHead& head) {
    Encoder out;
    out.raw(kHeadMagic);
    out.u32(kLogVersion);
    out.u32(head.number);
    out.u64(head.bytes);
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<SimpleLogHead> decode_simple_head(std::string_view bytes) {
    Decoder in(bytes);
    const bool magic_right = in.raw(kHeadMagic.size()) == kHeadMagic;
    const std::uint32_t version = in.u32();
    SimpleLogHead head;
    head.number = in.u32();
    head.bytes = in.u64();
    const std::size_t checked = in.offset();
    const std::uint32_t crc = in.u32();
    TIDAL_TRY(in.finish("CURRENT"));
    if (!magic_right || crc != crc32c(bytes.substr(0, checked)) || head.number == 0)
        return Error(ErrorCode::kCorruption, "CURRENT does not match its checksum");
    if (version != kLogVersion)
        return Error(ErrorCode::kIncompatible, "CURRENT of an unknown version")
            .with("version", version);
    return head;
}

std::string simple_log_name(std::uint32_t number) {
    char name[32];
    std::snprintf(name, sizeof name, "rows-%010u.log", number);
    return name;
}

std::uint32_t parse_simple_log_name(std::string_view name) {
    if (name.size() != kNamePrefix.size() + kLogNameDigits + kNameSuffix.size() ||
        !name.starts_with(kNamePrefix) || !name.ends_with(kNameSuffix))
        return 0;
    std::uint32_t number = 0;
    const char* const begin = name.data() + kNamePrefix.size();
    const auto [stop, problem] = std::from_chars(begin, begin + kLogNameDigits, number);
    return problem == std::errc() && stop == begin + kLogNameDigits ? number : 0;
}

std::string simple_log_magic() {
    Encoder out;
    out.raw(kLogMagic);
    out.u32(kLogVersion);
    return out.take();
}

void SimpleFrame::add(std::string_view key, std::optional<std::string_view> value) {
    payload_.u8(value ? 1 : 0);
    payload_.bytes(key);
    if (value) payload_.bytes(*value);
}

std::string SimpleFrame::finish() {
    Encoder out;
    out.u64(payload_.size());
    out.u32(crc32c(payload_.view()));
    out.raw(payload_.view());
    payload_.clear();
    return out.take();
}

Result<void> decode_simple_log(std::string_view bytes, SimpleVisitor visitor) {
    Decoder in(bytes);
    if (in.raw(kLogMagic.size()) != kLogMagic)
        return Error(ErrorCode::kCorruption, "not a rows log").with("offset", std::uint64_t{0});
    if (const auto version = in.u32(); version != kLogVersion)
        return Error(ErrorCode::kIncompatible, "rows log of an unknown version")
            .with("version", version);
    while (in.remaining() > 0) {
        const std::size_t offset = in.offset();
        const std::uint64_t size = in.u64();
        const std::uint32_t crc = in.u32();
        const std::string_view payload = in.raw(size);
        if (in.failed() || crc32c(payload) != crc) return damaged(offset);
        if (auto decoded = decode_frame(payload, visitor); !decoded)
            return decoded.take_error().with("offset", offset);
    }
    return {};
}

Result<void> read_simple_log(runtime::File& file, std::string_view path, const SimpleLogHead& head,
                             SimpleVisitor visitor) {
    TIDAL_ASSIGN(const std::uint64_t size, file.size());
    if (size < head.bytes)
        return Error(ErrorCode::kCorruption, "rows log is cut short")
            .with("file", path)
            .with("bytes", size)
            .with("expected", head.bytes);
    std::string bytes(head.bytes, '\0');
    TIDAL_ASSIGN(const std::size_t got, file.read_at(0, bytes));
    bytes.resize(got);
    if (auto decoded = decode_simple_log(bytes, visitor); !decoded)
        return decoded.take_error().with("file", path);
    return {};
}

}  // namespace tidal::storage::internal
