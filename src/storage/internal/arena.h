// storage/internal/arena.h: the page arena with its checkpoint side.
//
// Invariants, for page p:
//   touched_[p] == generation_          changed since the last freeze, listed in dirty_ once
//   touched_[p] == generation_ - 1      while frozen: changed before the freeze, old bytes not yet
//   taken anything else (0)                   unchanged since the newest checkpoint, or already
//   taken
// A taken page is an entry of taken_; its frozen state is decided by then and no later change can
// alter it, because every change of bytes or of `allocated` passes through touch().
#pragma once

#include <functional>
#include <queue>
#include <span>

#include "storage/internal/copy_slabs.h"
#include "storage/page_arena.h"

namespace tidal::storage::internal {

class Arena final : public PageArena {
public:
    struct Taken {
        PageId page;
        const std::byte* bytes = nullptr;  ///< nullptr = free at the freeze.
    };

    static Result<std::unique_ptr<Arena>> create(const Options& options);
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() override;

    Result<PageId> allocate() override;
    void free(PageId page) override;
    bool allocated(PageId page) const override {
        return page.value() < page_count_ && allocated_[page.value()];
    }
    std::uint64_t bytes_resident() const override {
        return std::uint64_t{allocated_count_} * kPageBytes + copies_.bytes();
    }
    std::uint32_t dirty_count() const { return static_cast<std::uint32_t>(dirty_.size()); }

    /// Counts a page as changed although it is not, to have it written again. Free pages: nothing.
    void rewrite(PageId page) {
        if (allocated(page) && touched_[page.value()] != generation_) touch(page);
    }
    /// Ends the generation in O(1). Not while frozen.
    void freeze();
    bool frozen() const { return frozen_; }
    /// Takes at most `pages_max` more pages of the frozen generation; true when all are taken.
    bool take(std::size_t pages_max);
    bool all_taken() const { return pending_.empty(); }
    /// Valid once all are taken, until `drop_copies`; not changed by anything the shard does
    /// meanwhile.
    std::span<const Taken> taken() const { return taken_; }
    /// Frees the bytes of taken pages. Any thread, once all are taken and nobody reads them.
    void drop_copies();
    /// Ends the freeze. `keep` false makes its pages dirty again.
    void thaw(bool keep);

    /// While opening: room for ids below `page_count`, and the bytes of one page to fill in. A
    /// loaded page is allocated and clean.
    Result<void> reserve(std::uint32_t page_count);
    std::byte* load(PageId page);
    void finish_load();

private:
    Arena(std::byte* mapping, std::size_t mapping_bytes, std::uint32_t pages_max);
    void touch(PageId page) override;
    void take_one(PageId page);
    Result<void> grow(std::uint32_t page_count);

    std::byte* const mapping_;
    const std::size_t mapping_bytes_;
    const std::uint32_t pages_max_;
    std::uint32_t committed_pages_ = 0;  ///< Readable and writable so far.
    std::uint32_t allocated_count_ = 0;
    std::vector<bool> allocated_;
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> free_;
    std::vector<PageId> dirty_;  ///< Changed in the current generation.

    bool frozen_ = false;
    std::vector<PageId> pending_;  ///< Frozen, in no order; some were taken by touch() already.
    std::vector<Taken> taken_;
    CopySlabs copies_;  ///< What taken_ points to.
};

}  // namespace tidal::storage::internal
