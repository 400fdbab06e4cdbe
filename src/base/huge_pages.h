// base/huge_pages.h: memory for large tables that are read here and there.
//
// In pages of 4 KiB nearly every such read also misses the TLB, and the table of pages that is then
// walked does not fit the caches either.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace tidal {

/// Allocator that asks the system for pages of 2 MiB where it takes one at least, rounded up to
/// whole ones; below it is std::allocator. Threads: any.
template <typename T>
class HugePages {
public:
    using value_type = T;
    HugePages() = default;
    template <typename U>
    HugePages(const HugePages<U>&) {}  // NOLINT: implicit

    T* allocate(std::size_t count) {
        if (!is_large(count)) return std::allocator<T>().allocate(count);
        void* const memory = ::operator new(rounded(count), kAlignment);
        ::madvise(memory, rounded(count), MADV_HUGEPAGE);  // Advice: failing is fine.
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, std::size_t count) {
        if (!is_large(count)) return std::allocator<T>().deallocate(memory, count);
        ::operator delete(memory, kAlignment);
    }
    bool operator==(const HugePages&) const { return true; }

private:
    static constexpr std::size_t kPageBytes = 2 << 20;
    static constexpr std::align_val_t kAlignment{kPageBytes};
    static bool is_large(std::size_t count) { return count >= kPageBytes / sizeof(T); }
    static std::size_t rounded(std::size_t count) {
        return (count * sizeof(T) + kPageBytes - 1) / kPageBytes * kPageBytes;
    }
};

template <typename T>
using HugeVector = std::vector<T, HugePages<T>>;

}  // namespace tidal
