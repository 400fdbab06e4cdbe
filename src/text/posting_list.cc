#include "text/internal/posting_list.h"

#include <algorithm>

namespace tidal::text {

std::size_t PostingList::find_block(std::uint32_t slot, std::size_t from) const {
    // Most calls come from readers that go on from where they are.
    for (std::size_t end = std::min(from + 4, blocks_.size()); from < end; ++from)
        if (blocks_[from].last() >= slot) return from;
    const auto found = std::lower_bound(
        blocks_.begin() + static_cast<std::ptrdiff_t>(from), blocks_.end(), slot,
        [](const Block& block, std::uint32_t wanted) { return block.last() < wanted; });
    return static_cast<std::size_t>(found - blocks_.begin());
}

std::size_t PostingList::bytes() const {
    std::size_t out = sizeof *this + blocks_.capacity() * sizeof(Block);
    for (const Block& block : blocks_) out += block.bytes();
    return out;
}

}  // namespace tidal::text
