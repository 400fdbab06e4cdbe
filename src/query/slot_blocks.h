// query/slot_blocks.h: the members of a bitmap in blocks, the unit of all scans.
#pragma once

#include <roaring/roaring.hh>

#include <cstdint>
#include <span>

#include "ranking/program.h"

namespace tidal::query {

/// Reads a bitmap from the least member up. Lifetime: borrows the bitmap, which must not change.
class SlotBlocks {
public:
    explicit SlotBlocks(const Roaring& slots) { roaring_init_iterator(&slots.roaring, &at_); }

    /// The next members, at most `most` (1..kBlockSlots), rising; empty at the end. Valid until the
    /// next call.
    std::span<const std::uint32_t> next(std::size_t most = ranking::kBlockSlots) {
        return {block_,
                roaring_read_uint32_iterator(&at_, block_, static_cast<std::uint32_t>(most))};
    }
    bool at_end() const { return !at_.has_value; }

private:
    roaring_uint32_iterator_t at_;
    std::uint32_t block_[ranking::kBlockSlots];
};

/// The members of `domain` for which `wanted(slot)` holds.
template <typename Wanted>
Roaring select(const Roaring& domain, Wanted wanted) {
    Roaring out;
    SlotBlocks blocks(domain);
    std::uint32_t kept[ranking::kBlockSlots];
    for (auto block = blocks.next(); !block.empty(); block = blocks.next()) {
        std::size_t count = 0;
        for (const std::uint32_t slot : block) {
            kept[count] = slot;  // Written always, counted when wanted: no branch to mispredict.
            count += wanted(slot) ? 1 : 0;
        }
        if (count > 0) out.addMany(count, kept);
    }
    return out;
}

}  // namespace tidal::query
