// text/internal/term_reader.h: one term's postings, asked for bounds and for single slots without
// going through what lies between.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "text/internal/cursor.h"

namespace tidal::text {

/// Bounds are added in another order than scores: by so much they may be too small.
inline constexpr double kBoundSlack = 1 + 1e-9;

class TermReader {
public:
    /// @param number  In the order of the query.
    TermReader(const WeightedTerm& term, std::uint32_t number)
        : field_(term.field),
          list_(term.field->postings(term.term)),
          scoring_(term.scoring),
          number_(number),
          group_(term.group) {}

    /// The index may have changed, or windows begin anew.
    void begin();
    std::uint32_t number() const { return number_; }
    std::uint32_t group() const { return group_; }
    std::uint32_t size() const { return list_->size(); }
    /// The greatest score of any posting, or more.
    double bound() const { return bound_; }
    std::span<const PostingBlock> blocks() const { return list_->blocks(); }
    double bound_of(const PostingBlock& block) const { return scoring_.bound(block.frontier()); }
    const FieldIndex& field() const { return *field_; }
    const Bm25& scoring() const { return scoring_; }
    /// Of the text of a posting.
    std::uint32_t length(const PostingBlock& block, std::uint32_t at) const {
        const std::uint32_t length = block.length(at);
        return length < kLengthMax ? length : field_->length(block.slot(at));
    }

    /// From now on all that is asked for is at or behind `first`, which rises.
    void start_window(std::uint32_t first) {
        window_at_ = list_->find_block(first, window_at_);
        rewind();
    }
    /// The first block of the window; blocks().size() = there is none.
    std::size_t window_at() const { return window_at_; }
    /// How many blocks of the window begin up to `last`, or one more.
    std::size_t window_blocks(std::uint32_t last) const {
        const std::size_t end = list_->find_block(last, window_at_);
        return std::min(end + 1, list_->blocks().size()) - window_at_;
    }
    /// Back to the first slot of the window.
    void rewind() { bound_at_ = look_at_ = window_at_; }

    /// Where the term stands, in a window of slots.
    void mark(MatchWindow* out) const { out->add(*list_); }

    struct Range {
        double bound = 0;             ///< Of any posting there.
        std::uint32_t frequency = 0;  ///< Likewise; 0 = there is none.
    };
    /// From a slot to another. Firsts rise since rewind().
    Range range(std::uint32_t first, std::uint32_t last);
    /// That slots of the range will be looked up soon. @param last  As it was.
    TIDAL_PREFETCHES void prefetch_range(std::uint32_t last) const {
        constexpr std::size_t kBlocksMost = 4;
        const auto blocks = list_->blocks();
        const std::size_t end = std::min(bound_at_ + kBlocksMost, blocks.size());
        for (std::size_t at = bound_at_; at < end && blocks[at].first() <= last; ++at)
            blocks[at].prefetch_slots();
    }
    /// The score in a slot. @return false  it is not there. Slots rise since rewind().
    bool look_up(std::uint32_t slot, double* score);
    /// The same of many. @param slots  Rising; at most kBlockPostings. @param which, scores  Of
    /// those that are there, rising; room for slots.size(). @return  How many are.
    std::size_t look_up(std::span<const std::uint32_t> slots, std::uint8_t* which, double* scores);

private:
    const FieldIndex* field_;
    std::shared_ptr<const PostingList> list_;
    Bm25 scoring_;
    std::uint32_t number_, group_;
    double bound_ = 0;
    std::size_t window_at_ = 0, bound_at_ = 0, look_at_ = 0;  ///< Blocks.
    // Kept for the next range, which mostly begins in the same block.
    static constexpr std::size_t kNone = ~std::size_t{0};
    std::size_t known_at_ = kNone;
    Range known_;
};

}  // namespace tidal::text
