// storage/page_arena.h: one shard's pages in memory, with a consistent cut on demand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tidal::storage {

inline constexpr std::size_t kPageBytes = 16 * 1024;
using PageId = Id<struct PageTag, std::uint32_t>;

/// Pages of 16 KiB at addresses that never change while the arena lives (one reserved range), so
/// that readers keep plain pointers. `writable()` before each change marks the page as changed in
/// the current generation, and, where a frozen generation has not been copied out yet, keeps the
/// old bytes for it first (copy on write). Threads: one at a time (the shard is a monitor).
class PageArena {
public:
    struct Options {
        std::uint64_t bytes_max = 64ULL << 30;  ///< Address space reserved, not memory.
    };
    /// kInvalidArgument when `bytes_max` is no positive multiple of the page size or needs ids
    /// above 32 bits; kOverloaded when the system refuses the address space.
    static Result<std::unique_ptr<PageArena>> create(const Options& options);
    virtual ~PageArena() = default;

    /// A zeroed page: always the lowest free id, so that equal histories give equal ids, across a
    /// reopen too. kOverloaded when `bytes_max` or the system's memory is reached.
    virtual Result<PageId> allocate() = 0;
    /// The page's memory goes back to the system; its id may be handed out again.
    virtual void free(PageId page) = 0;
    const std::byte* data(PageId page) const {
        return base_ + std::size_t{page.value()} * kPageBytes;
    }
    /// Good for any number of changes until the next `begin_checkpoint`; then ask again.
    std::byte* writable(PageId page) {
        if (touched_[page.value()] != generation_) touch(page);
        return base_ + std::size_t{page.value()} * kPageBytes;
    }
    /// Ids below this have been handed out at some time.
    std::uint32_t page_count() const { return page_count_; }
    virtual bool allocated(PageId page) const = 0;
    /// Pages handed out plus old bytes kept for a frozen generation.
    virtual std::uint64_t bytes_resident() const = 0;

protected:
    virtual void touch(PageId page) = 0;
    std::byte* base_ = nullptr;
    std::vector<std::uint32_t> touched_;  ///< Generation that last changed the page.
    std::uint32_t generation_ = 1;
    std::uint32_t page_count_ = 0;
};

}  // namespace tidal::storage
