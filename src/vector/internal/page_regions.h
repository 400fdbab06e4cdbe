// vector/internal/page_regions.h: pages of 2 MiB out of few mappings.
//
// Pages that are each a mapping of their own cost the process two of its mappings, since the advice
// that makes them large splits what lies around them, and Linux gives a process 65,530
// (vm.max_map_count): as many as 64 GiB of vectors would have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace tidal::vector {

/// A mapping has as many pages as all before it, at most 128 MiB: a page is in memory once it is
/// written to, the others of its mapping are addresses.
///
/// Memory   None beside pages that are taken; it goes with a mapping's last one.
/// Threads  One at a time. Lifetime: longer than its pages, where it stays.
class PageRegions {
public:
    static constexpr std::size_t kPageBytes = 2 << 20, kRegionPagesMax = 64;

    PageRegions() = default;
    PageRegions(const PageRegions&) = delete;
    PageRegions& operator=(const PageRegions&) = delete;
    ~PageRegions();

    /// With nothing defined in it; aligned to its size. Throws std::bad_alloc.
    std::byte* take();
    /// Of take(). Its memory goes to the system.
    void give_back(std::byte* page);

private:
    struct Region {
        std::size_t pages = 0;
        std::vector<std::byte*> free;
    };
    using Regions = std::map<std::uintptr_t, Region>;
    Regions::iterator map_region();

    Regions regions_;        ///< By address.
    std::size_t pages_ = 0;  ///< Of all of them.
};

}  // namespace tidal::vector
