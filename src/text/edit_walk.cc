#include "text/internal/edit_walk.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <numeric>

namespace tidal::text {

void EditWalk::split(std::string_view text, std::vector<Character>* out) {
    out->clear();
    const auto size = static_cast<std::int32_t>(text.size());
    for (std::int32_t at = 0; at < size;) {
        UChar32 c = 0;
        U8_NEXT(text.data(), at, size, c);
        out->push_back({static_cast<char32_t>(c), static_cast<std::size_t>(at)});
    }
}

EditWalk::EditWalk(std::string_view word, std::uint32_t most) : most_(most) {
    split(word, &word_);
    first_ = word.substr(0, word_.empty() ? 0 : word_[0].end);
    rows_.emplace_back(word_.size() + 1);
    std::iota(rows_[0].begin(), rows_[0].end(), 0U);
    least_.push_back(0);
}

/// Row `at` (of the first `at` characters of other_) from those before it.
std::uint32_t EditWalk::fill_row(std::size_t at) {
    if (rows_.size() <= at) rows_.emplace_back(word_.size() + 1);
    Row& row = rows_[at];
    const Row& above = rows_[at - 1];
    const char32_t c = other_[at - 1].code;
    row[0] = static_cast<std::uint32_t>(at);
    std::uint32_t least = row[0];
    for (std::size_t i = 1; i <= word_.size(); ++i) {
        const bool same = word_[i - 1].code == c;
        row[i] = std::min({above[i] + 1, row[i - 1] + 1, above[i - 1] + (same ? 0U : 1U)});
        if (at > 1 && i > 1 && word_[i - 2].code == c && word_[i - 1].code == other_[at - 2].code)
            row[i] = std::min(row[i], rows_[at - 2][i - 2] + 1);
        least = std::min(least, row[i]);
    }
    return least;
}

std::optional<std::uint32_t> EditWalk::distance(std::string_view other) {
    std::swap(before_, other_);
    split(other, &other_);
    std::size_t same = 0;
    const std::size_t filled = least_.size() - 1;
    while (same < filled && same < other_.size() && before_[same].code == other_[same].code) ++same;
    least_.resize(same + 1);
    hopeless_ = 0;
    for (std::size_t at = same + 1; at <= other_.size(); ++at) {
        least_.push_back(fill_row(at));
        // A swap may still take one back from the row before.
        if (least_[at] > most_ && least_[at - 1] > most_) {
            hopeless_ = at;
            return std::nullopt;
        }
    }
    const std::uint32_t found = rows_[other_.size()][word_.size()];
    if (found > most_) return std::nullopt;
    return found;
}

bool EditWalk::skip_from(std::string_view other, std::string* next) const {
    if (hopeless_ == 0 || hopeless_ >= other_.size() + 1) return false;
    // No UTF-8 text has this byte, so it is behind every continuation.
    *next = other.substr(0, other_[hopeless_ - 1].end);
    next->push_back('\xFF');
    return true;
}

}  // namespace tidal::text
