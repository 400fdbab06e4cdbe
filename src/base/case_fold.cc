#include "base/case_fold.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "base/internal/case_fold_table.h"

namespace tidal {
namespace {

using internal::CaseFoldRun;
using internal::kCaseFoldRuns;

std::uint32_t folded(std::uint32_t code_point) {
    const auto* run = std::ranges::upper_bound(kCaseFoldRuns, code_point, {}, &CaseFoldRun::first);
    if (run == std::begin(kCaseFoldRuns)) return code_point;
    --run;
    if (code_point > run->last || (code_point - run->first) % run->stride != 0) return code_point;
    return static_cast<std::uint32_t>(static_cast<std::int64_t>(code_point) + run->delta);
}

std::size_t length_of(unsigned char lead) {
    if (lead >= 0xF0) return 4;
    if (lead >= 0xE0) return 3;
    return lead >= 0xC0 ? 2 : 1;
}

/// Of well-formed bytes, 2 to 4 of them.
std::uint32_t decode(std::string_view bytes) {
    std::uint32_t out = static_cast<unsigned char>(bytes[0]) & (0xFFU >> (bytes.size() + 1));
    for (std::size_t i = 1; i < bytes.size(); ++i)
        out = out << 6 | (static_cast<unsigned char>(bytes[i]) & 0x3FU);
    return out;
}

void append(std::uint32_t code_point, std::string* out) {
    const auto byte = [&](std::uint32_t value) { out->push_back(static_cast<char>(value)); };
    const auto tail = [&](unsigned shift) { byte(0x80 | (code_point >> shift & 0x3F)); };
    if (code_point < 0x80) {
        byte(code_point);
    } else if (code_point < 0x800) {
        byte(0xC0 | code_point >> 6);
        tail(0);
    } else if (code_point < 0x10000) {
        byte(0xE0 | code_point >> 12);
        tail(6);
        tail(0);
    } else {
        byte(0xF0 | code_point >> 18);
        tail(12);
        tail(6);
        tail(0);
    }
}

}  // namespace

std::string fold_case(std::string_view text, std::size_t bytes_max) {
    std::string out;
    out.reserve(std::min(text.size(), bytes_max));
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t length = std::min(length_of(lead), text.size() - at);
        const std::size_t before = out.size();
        if (lead < 0x80) {
            out.push_back(lead >= 'A' && lead <= 'Z' ? static_cast<char>(lead + ('a' - 'A'))
                                                     : static_cast<char>(lead));
        } else if (length == 1) {
            out.push_back(text[at]);
        } else {
            const std::uint32_t code_point = decode(text.substr(at, length));
            const std::uint32_t to = folded(code_point);
            if (to == code_point) {
                out.append(text.substr(at, length));
            } else {
                append(to, &out);
            }
        }
        if (out.size() > bytes_max) {
            out.resize(before);
            break;
        }
        at += length;
    }
    return out;
}

}  // namespace tidal
