// text/internal/block_candidates.h: postings of one block that may be among the best, looked up in
// the other terms of a query all together.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "text/internal/posting_block.h"
#include "text/internal/term_reader.h"

namespace tidal::text {

class BlockCandidates {
public:
    /// Those that pass, of slots from `first` to `last`. @param terms  How many the query has.
    void fill(const PostingBlock& block, const PostingBits& passing, std::uint32_t first,
              std::uint32_t last, std::size_t terms);
    std::size_t size() const { return size_; }
    std::uint32_t slot(std::size_t at) const { return slots_[at]; }

    /// Adds what they score as postings of the block. @param term  Whose block it is.
    void score(const TermReader& term, const PostingBlock& block);
    /// Adds what they score in a term, where it is there; these have met it.
    void look_up(TermReader& term);
    /// Only those that have met a term since the last of these two, or only those that have not.
    void keep_met() { keep(met_); }
    void drop_met() { keep({~met_[0], ~met_[1]}); }
    void forget_met() { met_ = {}; }
    /// Drops those of which what was added so far, and `more`, is less.
    void keep_at_least(double least, double more);

    /// The score, added up in the order of the query: terms of a group, and then groups.
    /// @param terms  All, by number.
    double total(std::size_t at, std::span<const TermReader> terms) const;

private:
    void keep_within(std::uint32_t first, std::uint32_t last);
    void keep(const PostingBits& kept);
    void move(std::size_t from, std::size_t to) {
        slots_[to] = slots_[from];
        places_[to] = places_[from];
        columns_[to] = columns_[from];
        sums_[to] = sums_[from];
    }
    void add(std::size_t at, std::uint32_t number, double score) {
        scores_[number * width_ + columns_[at]] = score;
        sums_[at] += score;
    }

    template <typename Number>
    using OfEach = std::array<Number, kBlockPostings>;
    std::size_t size_ = 0;
    OfEach<std::uint32_t> slots_;
    OfEach<std::uint8_t> places_;   ///< In the block.
    OfEach<std::uint8_t> columns_;  ///< Of scores_.
    OfEach<double> sums_;           ///< In whatever order: for bounds.
    PostingBits met_{};             ///< By candidate.
    std::size_t width_ = 0;         ///< How many there were at first.
    std::vector<double> scores_;    ///< By term, by column.
    OfEach<std::uint8_t> which_;
    OfEach<double> found_;
};

}  // namespace tidal::text
