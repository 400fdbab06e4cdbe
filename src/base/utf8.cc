#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace tidal {
namespace {

struct Lead {
    unsigned size = 0;  // bytes of the sequence; 0 = no sequence begins so
    std::uint8_t second_min = 0x80;
    std::uint8_t second_max = 0xbf;
};

Lead classify(std::uint8_t byte) {
    if (byte < 0x80) return {1};
    if (byte < 0xc2) return {};  // continuation, or overlong
    if (byte < 0xe0) return {2};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};  // else overlong
    if (byte == 0xed) return {3, 0x80, 0x9f};  // else surrogate
    if (byte < 0xf0) return {3};
    if (byte == 0xf0) return {4, 0x90, 0xbf};  // else overlong
    if (byte < 0xf4) return {4};
    if (byte == 0xf4) return {4, 0x80, 0x8f};  // else above U+10FFFF
    return {};
}

// Almost all text is ASCII: eight bytes at a time.
std::size_t skip_ascii(std::string_view text, std::size_t at) {
    while (at + 8 <= text.size()) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, sizeof(word));
        if ((word & 0x8080808080808080U) != 0) break;
        at += 8;
    }
    return at;
}

}  // namespace

std::optional<std::size_t> find_utf8_error(std::string_view text) {
    const auto byte_at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    std::size_t at = 0;
    while ((at = skip_ascii(text, at)) < text.size()) {
        const Lead lead = classify(byte_at(at));
        if (lead.size == 0 || text.size() - at < lead.size) return at;
        if (lead.size > 1) {
            if (byte_at(at + 1) < lead.second_min || byte_at(at + 1) > lead.second_max)
                return at + 1;
            for (std::size_t i = at + 2; i < at + lead.size; ++i) {
                if ((byte_at(i) & 0xc0) != 0x80) return i;
            }
        }
        at += lead.size;
    }
    return std::nullopt;
}

Result<void> check_utf8(std::string_view text, std::string_view field) {
    if (const auto offset = find_utf8_error(text)) {
        return Error(ErrorCode::kInvalidArgument, "text is not valid UTF-8")
            .with_field(field)
            .with("byte_offset", *offset)
            .with_hint("send UTF-8");
    }
    return {};
}

}  // namespace tidal
