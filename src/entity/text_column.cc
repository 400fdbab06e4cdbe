#include "entity/text_column.h"

#include <cstdint>

#include "base/case_fold.h"

namespace tidal::entity {
namespace {

constexpr double kNoText = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double text_prefix(std::string_view folded) {
    constexpr std::size_t kBytes = 6;  // 48 bits: a double holds 53.
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < kBytes; ++i)
        out = out << 8 | (i < folded.size() ? static_cast<unsigned char>(folded[i]) : 0U);
    return static_cast<double>(out);
}

void TextColumn::put(std::uint32_t slot, std::string_view text) {
    if (slot >= texts_.size()) resize(slot + 1);
    texts_[slot] = fold_case(text, kTextOrderBytes);
    texts_[slot].shrink_to_fit();
    prefixes_[slot] = text_prefix(texts_[slot]);
}

void TextColumn::remove(std::uint32_t slot) {
    if (slot >= texts_.size()) return;
    texts_[slot] = std::string();
    prefixes_[slot] = kNoText;
}

void TextColumn::resize(std::uint32_t slots) {
    prefixes_.resize(slots, kNoText);
    texts_.resize(slots);
}

}  // namespace tidal::entity
