#include "storage/internal/copy_slabs.h"

#include <sys/mman.h>

#include <new>

#include "storage/page_arena.h"

namespace tidal::storage::internal {
namespace {

constexpr std::size_t kSlabBytes = 64 * kPageBytes;
constexpr std::size_t kKeptSlabs = (64 << 20) / kSlabBytes;

}  // namespace

CopySlabs::~CopySlabs() {
    for (std::byte* const slab : slabs_) ::munmap(slab, kSlabBytes);
}

void CopySlabs::add() {
    if (used_ == slabs_.size()) {
        void* const mapping =
            ::mmap(nullptr, kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) throw std::bad_alloc();
        slabs_.push_back(static_cast<std::byte*>(mapping));
    }
    next_ = slabs_[used_++];
    end_ = next_ + kSlabBytes;
}

std::byte* CopySlabs::take() {
    if (next_ == end_) add();
    std::byte* const taken = next_;
    next_ += kPageBytes;
    bytes_.fetch_add(kPageBytes, std::memory_order_relaxed);
    return taken;
}

void CopySlabs::clear() {
    for (; slabs_.size() > kKeptSlabs; slabs_.pop_back()) ::munmap(slabs_.back(), kSlabBytes);
    for (std::size_t slab = 0; slab < used_ && slab < slabs_.size(); ++slab)
        ::madvise(slabs_[slab], kSlabBytes, MADV_FREE);  // Advice: failing is fine.
    used_ = 0;
    next_ = end_ = nullptr;
    bytes_.store(0, std::memory_order_relaxed);
}

}  // namespace tidal::storage::internal
