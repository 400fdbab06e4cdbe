// signal/internal/slot_directory.h: slot -> block handle of one signal, four bytes a slot.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "signal/internal/slab_heap.h"

namespace tidal::signal {

/// An array in arena pages of 4096 slots, made where a slot is first set. Threads: one at a time.
class SlotDirectory {
public:
    static constexpr std::uint32_t kSlotsPerPage = storage::kPageBytes / sizeof(BlockHandle);

    /// `key` = of the row that lists the pages.
    SlotDirectory(storage::ShardStore& store, std::string key);

    Result<void> load();
    void save();

    /// 0 for slots never set.
    BlockHandle get(Slot slot) const {
        const BlockHandle* entry = find(slot);
        return entry == nullptr ? 0 : *entry;
    }
    TIDAL_PREFETCHES void prefetch(Slot slot) const {
        if (const BlockHandle* entry = find(slot)) __builtin_prefetch(entry);
    }
    Result<void> set(Slot slot, BlockHandle block);

    /// Slots below this may be set.
    std::uint64_t slot_end() const { return std::uint64_t{pages_.size()} * kSlotsPerPage; }
    /// Whether any slot of the page that holds `slot` was ever set: lets walks skip the page.
    bool has_page(std::uint64_t slot) const { return pages_[slot / kSlotsPerPage] != kNoPage; }
    std::uint64_t page_bytes() const { return page_count_ * storage::kPageBytes; }

private:
    static constexpr std::uint32_t kNoPage = 0xffffffff;

    const BlockHandle* find(Slot slot) const {
        const std::size_t page = slot.value() / kSlotsPerPage;
        if (page >= pages_.size() || pages_[page] == kNoPage) return nullptr;
        return reinterpret_cast<const BlockHandle*>(arena_->data(storage::PageId(pages_[page]))) +
               slot.value() % kSlotsPerPage;
    }

    storage::ShardStore* store_;
    storage::PageArena* arena_;
    std::string key_;
    std::vector<std::uint32_t> pages_;
    std::uint64_t page_count_ = 0;
    bool changed_ = false;
};

}  // namespace tidal::signal
