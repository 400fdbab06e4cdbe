#include "ranking/source_text.h"

#include <cassert>

#include "base/edit_distance.h"

namespace tidal::ranking {

Position locate(std::string_view text, std::uint32_t offset) {
    assert(offset <= text.size());
    Position out;
    out.offset = offset;
    for (const char c : text.substr(0, offset)) {
        if (c == '\n') {
            ++out.line;
            out.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
            ++out.column;
        }
    }
    return out;
}

Error error_at(ErrorCode code, std::string_view text, std::uint32_t offset, std::string message) {
    const Position at = locate(text, offset);
    return Error(code, std::move(message))
        .with("line", at.line)
        .with("column", at.column)
        .with("offset", at.offset);
}

std::string suggestion(std::string_view name, std::string_view what,
                       std::span<const std::string_view> known) {
    if (const auto near = nearest_name(name, known))
        return "did you mean `" + std::string(*near) + "`?";
    std::string out(what);
    out += ':';
    for (std::size_t i = 0; i < known.size(); ++i) {
        out += i == 0 ? " " : ", ";
        out += known[i];
    }
    if (known.empty()) out += " none";
    return out;
}

}  // namespace tidal::ranking
