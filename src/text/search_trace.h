// text/search_trace.h: which way a search of texts took.
#pragma once

#include <cstdint>

namespace tidal::text {

/// What a search of one shard, or several, did.
struct SearchTrace {
    // Of the shards, so many went…
    std::uint64_t unions = 0;         ///< …through lists of which any will do, by bounds,
    std::uint64_t intersections = 0;  ///< …through the shortest, looking up the other words,
    std::uint64_t phrases = 0;        ///< …from slot to slot, some of them with words in a row,
    std::uint64_t cursors = 0;        ///< …or without; where no list has anything, none of these.
    std::uint64_t postings = 0;       ///< In the lists of all its words.
    std::uint64_t looked_at = 0;      ///< Of these.
    std::uint64_t scored = 0;         ///< Documents that match and were offered with their scores.

    SearchTrace& operator+=(const SearchTrace& other) {
        unions += other.unions;
        intersections += other.intersections;
        phrases += other.phrases;
        cursors += other.cursors;
        postings += other.postings;
        looked_at += other.looked_at;
        scored += other.scored;
        return *this;
    }
    bool operator==(const SearchTrace&) const = default;
};

}  // namespace tidal::text
