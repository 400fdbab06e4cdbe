// vector/slot_bits.h: a set of slots of which one look tells whether a slot is in it.
#pragma once

#include <cstdint>
#include <roaring/roaring.hh>
#include <vector>

namespace tidal::vector {

/// A bit for each slot up to the greatest that it was made of; it becomes smaller only. For those
/// who ask of thousands of slots in no order, where a Roaring looks for each in two tables.
class SlotBits {
public:
    explicit SlotBits(const Roaring& members) {
        if (members.isEmpty()) return;
        words_.resize(members.maximum() / 64 + 1);
        for (const std::uint32_t slot : members)
            words_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }

    bool contains(std::uint32_t slot) const {
        return slot / 64 < words_.size() && (words_[slot / 64] >> (slot % 64) & 1) != 0;
    }
    void remove(std::uint32_t slot) {
        if (!contains(slot)) return;
        words_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
        ++removed_;
    }
    /// How many, ever.
    std::uint64_t removed() const { return removed_; }
    /// Those of `slots` that are in it.
    Roaring select(const Roaring& slots) const {
        std::vector<std::uint32_t> kept;
        for (const std::uint32_t slot : slots)
            if (contains(slot)) kept.push_back(slot);
        Roaring out;
        out.addMany(kept.size(), kept.data());
        return out;
    }
    std::size_t bytes() const { return words_.size() * sizeof(words_[0]); }

private:
    std::vector<std::uint64_t> words_;
    std::uint64_t removed_ = 0;
};

}  // namespace tidal::vector
