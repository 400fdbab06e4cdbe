#include "text/internal/block_candidates.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace tidal::text {

void BlockCandidates::fill(const PostingBlock& block, const PostingBits& passing,
                           std::uint32_t first, std::uint32_t last, std::size_t terms) {
    size_ = 0;
    for (std::uint32_t half = 0; half < passing.size(); ++half)
        for (std::uint64_t bits = passing[half]; bits != 0; bits &= bits - 1) {
            const std::uint32_t at = half * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            places_[size_] = static_cast<std::uint8_t>(at);
            columns_[size_] = static_cast<std::uint8_t>(size_);
            ++size_;
        }
    block.slots({places_.data(), size_}, slots_.data());
    if (block.first() < first || block.last() > last) keep_within(first, last);
    width_ = size_;
    std::fill_n(sums_.begin(), size_, 0.0);
    met_ = {};
    scores_.assign(width_ * terms, 0.0);
}

/// Before anything is known of them.
void BlockCandidates::keep_within(std::uint32_t first, std::uint32_t last) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        slots_[kept] = slots_[i];
        places_[kept] = places_[i];
        kept += slots_[i] >= first && slots_[i] <= last ? 1 : 0;
    }
    size_ = kept;
}

void BlockCandidates::score(const TermReader& term, const PostingBlock& block) {
    for (std::size_t i = 0; i < size_; ++i) {
        const std::uint32_t at = places_[i];
        add(i, term.number(), term.scoring().score(block.frequency(at), term.length(block, at)));
    }
}

void BlockCandidates::look_up(TermReader& term) {
    const std::size_t found = term.look_up({slots_.data(), size_}, which_.data(), found_.data());
    for (std::size_t i = 0; i < found; ++i) {
        const std::size_t at = which_[i];
        met_[at / 64] |= std::uint64_t{1} << (at % 64);
        add(at, term.number(), found_[i]);
    }
}

/// Of candidates that are not there, no bit says anything.
void BlockCandidates::keep(const PostingBits& kept) {
    std::size_t to = 0;
    for (std::size_t half = 0; half < kept.size(); ++half)
        for (std::uint64_t bits = kept[half]; bits != 0; bits &= bits - 1) {
            const std::size_t at = half * 64 + static_cast<std::size_t>(std::countr_zero(bits));
            if (at >= size_) break;
            move(at, to++);
        }
    size_ = to;
    met_ = {};
}

void BlockCandidates::keep_at_least(double least, double more) {
    const PostingBits met = std::exchange(met_, {});
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        const std::uint64_t passes = (sums_[i] + more) * kBoundSlack >= least ? 1 : 0;
        move(i, kept);
        met_[kept / 64] |= (met[i / 64] >> (i % 64) & passes) << (kept % 64);
        kept += passes;
    }
    size_ = kept;
}

double BlockCandidates::total(std::size_t at, std::span<const TermReader> terms) const {
    double out = 0;
    for (std::size_t term = 0; term < terms.size();) {
        const std::uint32_t group = terms[term].group();
        double sum = 0;
        for (; term < terms.size() && terms[term].group() == group; ++term)
            sum += scores_[term * width_ + columns_[at]];
        out += sum;
    }
    return out;
}

}  // namespace tidal::text
