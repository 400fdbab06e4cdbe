// signal/internal/slab_heap.h: blocks of 32 bytes to 16 KiB inside the pages of a PageArena.
//
// A page holds blocks of one size class and says itself which are taken, so a checkpoint of pages
// is a checkpoint of the heap: rows only list which pages are its own. Format:
// docs/formats/ledger.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/prefetch.h"
#include "storage/shard_store.h"

namespace tidal::signal {

/// page << 9 | (number in the page + 2). 0 and 1 are never handed out: callers give them a meaning.
using BlockHandle = std::uint32_t;

/// Threads: one at a time. Lifetime: borrows the store.
class SlabHeap {
public:
    static constexpr std::size_t kPageHeaderBytes = 80;
    static constexpr std::size_t kBlockBytesMin = 32;
    static constexpr std::size_t kBlockBytesMax = storage::kPageBytes - kPageHeaderBytes;

    /// `prefix` = of the rows that list the pages; `owner` is kept in each page and checked.
    SlabHeap(storage::ShardStore& store, std::string prefix, std::uint8_t owner);

    /// Finds the pages again. kCorruption when a listed page is not one of ours.
    Result<void> load();
    /// Puts the rows that changed.
    void save();

    /// A block of at least `bytes` (at most kBlockBytesMax), content unspecified.
    Result<BlockHandle> allocate(std::size_t bytes);
    void free(BlockHandle block);
    const std::byte* read(BlockHandle block) const {
        return arena_.data(page_of(block)) + offset_of(block);
    }
    /// Before each change; marks the page as changed.
    std::byte* write(BlockHandle block) {
        return arena_.writable(page_of(block)) + offset_of(block);
    }
    std::size_t capacity(BlockHandle block) const {
        return class_bytes_[class_of_page_[block >> kIndexBits]];
    }
    /// The size `allocate(bytes)` would give.
    std::size_t rounded(std::size_t bytes) const;

    std::uint64_t page_bytes() const { return pages_ * storage::kPageBytes; }
    std::uint64_t block_bytes() const { return block_bytes_; }

    /// Chooses sparse pages to empty when more than this share of all block space is unused. True
    /// when there are any; then `evacuated(block)` says which blocks should move, by allocate,
    /// copy, free.
    bool begin_compaction(double unused_max);
    bool evacuated(BlockHandle block) const { return leaving_[block >> kIndexBits]; }
    void end_compaction();

private:
    static constexpr unsigned kIndexBits = 9;
    static constexpr std::uint8_t kNoClass = 0xff;
    struct PageHeader;
    struct Fullness;

    static storage::PageId page_of(BlockHandle block) {
        return storage::PageId(block >> kIndexBits);
    }
    std::size_t offset_of(BlockHandle block) const {
        return kPageHeaderBytes + ((block & 511) - 2) * capacity(block);
    }
    std::size_t blocks_per_page(std::size_t size_class) const {
        return kBlockBytesMax / class_bytes_[size_class];
    }
    std::size_t class_for(std::size_t bytes) const;
    Result<void> open_page(std::size_t size_class);
    Result<void> adopt_page(std::uint32_t page);
    void close_page(std::uint32_t page);
    void reserve_page_info(std::uint32_t page);
    bool has_room(std::uint32_t page, std::size_t size_class) const;
    void mark_listed(std::uint32_t page, bool listed);
    PageHeader& header(std::uint32_t page);

    storage::ShardStore& store_;
    storage::PageArena& arena_;
    const std::string prefix_;
    const std::uint8_t owner_;
    std::vector<std::size_t> class_bytes_;
    std::array<std::uint8_t, kBlockBytesMax / 8 + 1>
        class_of_size_{};  ///< By bytes / 8, rounded up.
    // By page of the arena; pages of others have kNoClass.
    std::vector<std::uint8_t> class_of_page_;
    std::vector<std::uint16_t> live_;
    std::vector<bool> leaving_;
    std::vector<std::vector<std::uint32_t>> open_;  ///< By class: pages that may have room.
    std::vector<std::string> listed_;               ///< Rows: bitmaps of 4096 pages each.
    std::vector<bool> listed_changed_;
    std::uint64_t pages_ = 0;
    std::uint64_t block_bytes_ = 0;
};

}  // namespace tidal::signal
