// text/internal/match_window.h: which slots of a range match, whatever they score.
#pragma once

#include <roaring/roaring.hh>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/internal/posting_list.h"

namespace tidal::text {

class MatchWindow {
public:
    static constexpr std::uint32_t kSlots = 65'536;

    /// Of kSlots slots from `first` on, of which none matches yet.
    explicit MatchWindow(std::uint32_t first) : first_(first), bits_(kSlots / 64) {}
    std::uint32_t first() const { return first_; }
    std::uint32_t last() const { return first_ + (kSlots - 1); }

    /// Precondition: it is in the window.
    void add(std::uint32_t slot) {
        const std::uint32_t at = slot - first_;
        bits_[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    /// All of a term.
    void add(const PostingList& list) {
        const auto blocks = list.blocks();
        for (std::size_t i = list.find_block(first_); i < blocks.size(); ++i) {
            if (blocks[i].first() > last()) break;
            const bool whole = blocks[i].last() <= last();
            const std::uint32_t begin = blocks[i].find(first_);
            const std::uint32_t end = whole ? blocks[i].count() : blocks[i].find(last());
            for (std::uint32_t at = begin; at < end; ++at) add(blocks[i].slot(at));
            if (!whole && blocks[i].slot(end) == last()) add(last());
        }
    }
    /// All of another of the same range.
    void add(const MatchWindow& other) {
        for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i];
    }
    /// Only what is in both.
    void keep(const MatchWindow& other) {
        for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] &= other.bits_[i];
    }
    void drop(const MatchWindow& other) {
        for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] &= ~other.bits_[i];
    }
    void append_to(Roaring* out) const {
        std::array<std::uint32_t, 64> slots;
        for (std::size_t i = 0; i < bits_.size(); ++i) {
            std::size_t count = 0;
            for (std::uint64_t bits = bits_[i]; bits != 0; bits &= bits - 1)
                slots[count++] = first_ + static_cast<std::uint32_t>(i * 64) +
                                 static_cast<std::uint32_t>(std::countr_zero(bits));
            if (count > 0) out->addMany(count, slots.data());
        }
    }

private:
    std::uint32_t first_;
    std::vector<std::uint64_t> bits_;
};

}  // namespace tidal::text
