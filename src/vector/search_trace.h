// vector/search_trace.h: which way a search for what is near took.
#pragma once

#include <cstdint>

namespace tidal::vector {

/// What a search, or several, did.
struct SearchTrace {
    std::uint64_t candidates = 0;  ///< What has a vector and may be found, as far as known before.
    std::uint64_t visited = 0;     ///< Nodes of graphs.
    std::uint64_t coded = 0;       ///< Compared by their codes, from a list.
    std::uint64_t compared = 0;    ///< Compared exactly.
    std::uint64_t graphs = 0;      ///< Gone through to the end...
    std::uint64_t given_up = 0;    ///< ...and those that a list took the place of, on the way...
    std::uint64_t listed = 0;      ///< ...or before, because it is cheaper.
    SearchTrace& operator+=(const SearchTrace& other);
    bool operator==(const SearchTrace&) const = default;
};

}  // namespace tidal::vector
