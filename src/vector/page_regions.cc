#include "vector/internal/page_regions.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <new>

namespace tidal::vector {
namespace {

void* pointer(std::uintptr_t address) {
    return reinterpret_cast<void*>(address);
}

/// Of so many bytes, aligned to a page.
std::uintptr_t map_pages(std::size_t bytes) {
    constexpr std::size_t kPage = PageRegions::kPageBytes;
    void* const mapped = ::mmap(nullptr, bytes + kPage, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
    const std::uintptr_t out = (begin + kPage - 1) / kPage * kPage;
    if (out > begin) ::munmap(mapped, out - begin);
    ::munmap(pointer(out + bytes), begin + kPage - out);
    ::madvise(pointer(out), bytes, MADV_HUGEPAGE);  // Advice: failing is fine.
    return out;
}

}  // namespace

PageRegions::~PageRegions() {
    for (const auto& [address, region] : regions_)
        ::munmap(pointer(address), region.pages * kPageBytes);
}

PageRegions::Regions::iterator PageRegions::map_region() {
    const std::size_t pages = std::clamp<std::size_t>(pages_, 1, kRegionPagesMax);
    const std::uintptr_t address = map_pages(pages * kPageBytes);
    const auto out = regions_.try_emplace(address).first;
    out->second.pages = pages;
    for (std::size_t i = pages; i > 0; --i)
        out->second.free.push_back(
            static_cast<std::byte*>(pointer(address + (i - 1) * kPageBytes)));
    pages_ += pages;
    return out;
}

/// The lowest, so that whole mappings get free.
std::byte* PageRegions::take() {
    auto region =
        std::ranges::find_if(regions_, [](const auto& r) { return !r.second.free.empty(); });
    if (region == regions_.end()) region = map_region();
    std::byte* const out = region->second.free.back();
    region->second.free.pop_back();
    return out;
}

void PageRegions::give_back(std::byte* page) {
    const auto behind = regions_.upper_bound(reinterpret_cast<std::uintptr_t>(page));
    assert(behind != regions_.begin());
    const auto at = std::prev(behind);
    Region& region = at->second;
    region.free.push_back(page);
    if (region.free.size() < region.pages) {
        ::madvise(page, kPageBytes, MADV_DONTNEED);  // Advice: failing is fine.
        return;
    }
    pages_ -= region.pages;
    ::munmap(pointer(at->first), region.pages * kPageBytes);
    regions_.erase(at);
}

}  // namespace tidal::vector
