#include "storage/internal/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>

namespace tidal::storage {

Result<std::unique_ptr<PageArena>> PageArena::create(const Options& options) {
    TIDAL_ASSIGN(std::unique_ptr<PageArena> arena, internal::Arena::create(options));
    return arena;
}

namespace internal {
namespace {

constexpr std::size_t kHugePageBytes = 2 << 20;
// Small arenas stay in 4 KiB pages; above this the kernel may use huge ones, which halves the cost
// of a random access by avoiding TLB misses.
constexpr std::uint32_t kSmallPages = (8 << 20) / kPageBytes;
constexpr std::uint32_t kGrowPagesMax = (256 << 20) / kPageBytes;

}  // namespace

Result<std::unique_ptr<Arena>> Arena::create(const Options& options) {
    const std::uint64_t pages = options.bytes_max / kPageBytes;
    if (pages == 0 || options.bytes_max % kPageBytes != 0 ||
        pages > std::numeric_limits<std::uint32_t>::max())
        return Error(ErrorCode::kInvalidArgument,
                     "arena size must be a positive multiple of 16 KiB up to 64 TiB")
            .with("bytes_max", options.bytes_max);
    const std::size_t bytes = options.bytes_max + kHugePageBytes;
    void* const mapping =
        ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return Error(ErrorCode::kOverloaded, "cannot reserve address space for pages")
            .with("bytes", bytes)
            .with("system", std::strerror(errno));
    return std::unique_ptr<Arena>(
        new Arena(static_cast<std::byte*>(mapping), bytes, static_cast<std::uint32_t>(pages)));
}

Arena::Arena(std::byte* mapping, std::size_t mapping_bytes, std::uint32_t pages_max)
    : mapping_(mapping), mapping_bytes_(mapping_bytes), pages_max_(pages_max) {
    const auto address = reinterpret_cast<std::uintptr_t>(mapping);
    base_ = mapping + (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
}

Arena::~Arena() {
    ::munmap(mapping_, mapping_bytes_);
}

Result<void> Arena::grow(std::uint32_t page_count) {
    if (page_count > pages_max_)
        return Error(ErrorCode::kOverloaded, "page memory is full").with("pages_max", pages_max_);
    while (committed_pages_ < page_count) {
        const std::uint32_t step = std::min({std::max(committed_pages_, kSmallPages), kGrowPagesMax,
                                             pages_max_ - committed_pages_});
        std::byte* const start = base_ + std::size_t{committed_pages_} * kPageBytes;
        const std::size_t bytes = std::size_t{step} * kPageBytes;
        if (::mprotect(start, bytes, PROT_READ | PROT_WRITE) != 0)
            return Error(ErrorCode::kOverloaded, "the system refuses memory for pages")
                .with("bytes", bytes)
                .with("system", std::strerror(errno));
        if (committed_pages_ > 0)
            ::madvise(start, bytes, MADV_HUGEPAGE);  // Advice: failing is fine.
        committed_pages_ += step;
    }
    return {};
}

Result<PageId> Arena::allocate() {
    PageId page(page_count_);
    if (!free_.empty()) {
        page = PageId(free_.top());
        free_.pop();
    } else {
        TIDAL_TRY(grow(page_count_ + 1));
        ++page_count_;
        touched_.push_back(0);
        allocated_.push_back(false);
    }
    assert(!allocated_[page.value()]);
    if (touched_[page.value()] != generation_) touch(page);
    allocated_[page.value()] = true;
    ++allocated_count_;
    return page;
}

void Arena::free(PageId page) {
    assert(allocated(page));
    if (touched_[page.value()] != generation_) touch(page);
    allocated_[page.value()] = false;
    --allocated_count_;
    // Anonymous memory reads as zeros afterwards, which is what allocate() promises.
    std::byte* const bytes = base_ + std::size_t{page.value()} * kPageBytes;
    if (::madvise(bytes, kPageBytes, MADV_DONTNEED) != 0) std::memset(bytes, 0, kPageBytes);
    free_.push(page.value());
}

void Arena::touch(PageId page) {
    assert(page.value() < page_count_);
    if (frozen_ && touched_[page.value()] == generation_ - 1) take_one(page);
    touched_[page.value()] = generation_;
    dirty_.push_back(page);
}

void Arena::freeze() {
    assert(!frozen_ && taken_.empty() && pending_.empty());
    frozen_ = true;
    pending_.swap(dirty_);
    ++generation_;
}

void Arena::take_one(PageId page) {
    const std::byte* bytes = nullptr;
    if (allocated_[page.value()]) {
        std::byte* const slot = copies_.take();
        std::memcpy(slot, data(page), kPageBytes);
        bytes = slot;
    }
    taken_.push_back({page, bytes});
    touched_[page.value()] = 0;
}

bool Arena::take(std::size_t pages_max) {
    assert(frozen_);
    while (pages_max > 0 && !pending_.empty()) {
        const PageId page = pending_.back();
        pending_.pop_back();
        if (touched_[page.value()] != generation_ - 1) continue;  // touch() took it.
        take_one(page);
        --pages_max;
    }
    return pending_.empty();
}

void Arena::drop_copies() {
    for (Taken& taken : taken_) taken.bytes = nullptr;
    copies_.clear();
}

void Arena::thaw(bool keep) {
    assert(frozen_ && (!keep || pending_.empty()));
    const auto make_dirty = [this](PageId page) {
        if (touched_[page.value()] == generation_) return;
        touched_[page.value()] = generation_;
        dirty_.push_back(page);
    };
    if (!keep) {
        for (const Taken& taken : taken_) make_dirty(taken.page);
        for (const PageId page : pending_) make_dirty(page);
    }
    drop_copies();
    taken_ = {};
    pending_ = {};
    frozen_ = false;
}

Result<void> Arena::reserve(std::uint32_t page_count) {
    assert(page_count_ == 0);
    TIDAL_TRY(grow(page_count));
    page_count_ = page_count;
    touched_.assign(page_count, 0);
    allocated_.assign(page_count, false);
    return {};
}

std::byte* Arena::load(PageId page) {
    assert(page.value() < page_count_ && !allocated_[page.value()]);
    allocated_[page.value()] = true;
    ++allocated_count_;
    return base_ + std::size_t{page.value()} * kPageBytes;
}

void Arena::finish_load() {
    std::vector<std::uint32_t> free;
    for (std::uint32_t page = 0; page < page_count_; ++page)
        if (!allocated_[page]) free.push_back(page);
    free_ = decltype(free_)(std::greater<>(), std::move(free));
}

}  // namespace internal
}  // namespace tidal::storage
