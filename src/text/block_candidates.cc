#include "text/internal/block_candidates.h"

#include <algorithm>
#include <bit>

namespace tidal::text {

void BlockCandidates::fill(const PostingBlock& block, const PostingBits& passing,
                           std::uint32_t first, std::uint32_t last, std::size_t terms) {
    size_ = 0;
    for (std::uint32_t half = 0; half < passing.size(); ++half)
        for (std::uint64_t bits = passing[half]; bits != 0; bits &= bits - 1) {
            const std::uint32_t at = half * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            const std::uint32_t slot = block.slot(at);
            slots_[size_] = slot;
            places_[size_] = static_cast<std::uint8_t>(at);
            columns_[size_] = static_cast<std::uint8_t>(size_);
            size_ += slot >= first && slot <= last ? 1 : 0;
        }
    width_ = size_;
    std::fill_n(sums_.begin(), size_, 0.0);
    std::fill_n(met_.begin(), size_, false);
    scores_.assign(width_ * terms, 0.0);
}

void BlockCandidates::score(const TermReader& term, const PostingBlock& block) {
    for (std::size_t i = 0; i < size_; ++i) {
        const std::uint32_t at = places_[i];
        add(i, term.number(), term.scoring().score(block.frequency(at), term.length(block, at)));
    }
}

void BlockCandidates::look_up(TermReader& term) {
    term.look_up({slots_.data(), size_}, found_.data(), is_there_.data());
    for (std::size_t i = 0; i < size_; ++i) {
        if (!is_there_[i]) continue;
        met_[i] = true;
        add(i, term.number(), found_[i]);
    }
}

void BlockCandidates::keep_where(bool met) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        move(i, kept);
        kept += met_[i] == met ? 1 : 0;
    }
    size_ = kept;
    std::fill_n(met_.begin(), size_, false);
}

void BlockCandidates::keep_at_least(double least, double more) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        move(i, kept);
        kept += (sums_[i] + more) * kBoundSlack >= least ? 1 : 0;
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
