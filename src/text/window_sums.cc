#include "text/internal/window_sums.h"

#include <algorithm>
#include <bit>

namespace tidal::text {

std::uint64_t WindowSums::add(const TermReader& term, std::uint32_t first, std::uint32_t last) {
    sums_.resize(kSlots, kNone);
    std::uint64_t out = 0;
    for (const PostingBlock& block : term.blocks().subspan(term.window_at())) {
        if (block.first() > last) break;
        const std::uint32_t begin = block.find(first);
        const std::uint32_t end = block.last() <= last ? block.count() : block.find(last + 1);
        if (block.scores(term.scoring(), begin, end, scores_.data()))
            for (std::uint32_t at = begin; at < end; ++at)
                scores_[at - begin] =
                    term.scoring().score(block.frequency(at), term.length(block, at));
        for (std::uint32_t at = begin; at < end; ++at)
            sums_[block.slot(at) - first] += scores_[at - begin];
        out += end - begin;
    }
    return out;
}

void WindowSums::take(std::uint32_t first, std::uint32_t last, double least, Visit visit) {
    const std::size_t words = (last - first) / 64 + std::size_t{1};
    sums_.resize(kSlots, kNone);
    kernels::at_least({sums_.data(), words * 64}, least > 0 ? least : 0.0, bits_.data());
    for (std::size_t word = 0; word < words; ++word)
        for (std::uint64_t bits = bits_[word]; bits != 0; bits &= bits - 1) {
            const auto at = static_cast<std::uint32_t>(word * 64) +
                            static_cast<std::uint32_t>(std::countr_zero(bits));
            visit(sums_[at], first + at);
        }
    std::fill_n(sums_.begin(), words * 64, kNone);
}

}  // namespace tidal::text
