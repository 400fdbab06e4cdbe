// audience/internal/id_list.h: ids in the order somebody keeps them in, found by looking at all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "audience/internal/compact_id.h"
#include "base/prefetch.h"

namespace tidal::audience {

/// For a few hundred ids: they lie side by side, so that looking at all of them costs about one
/// miss of the cache. Threads: none of its own.
class IdList {
public:
    /// It grows by so many, so that what is free in it is little, and known.
    static constexpr std::size_t kStep = 8;
    /// Of a list with `size` ids, and of what its owner keeps beside each, likewise.
    static constexpr std::size_t room_for(std::size_t size) {
        return (size + kStep - 1) / kStep * kStep;
    }
    template <typename T>
    static void append(std::vector<T>* list, T entry) {
        if (list->size() == list->capacity()) list->reserve(list->size() + kStep);
        list->push_back(std::move(entry));
    }

    std::size_t size() const { return ids_.size(); }
    const CompactId& operator[](std::size_t at) const { return ids_[at]; }
    /// Its place, or size().
    std::size_t find(const EntityId& id) const;
    void reserve(std::size_t size) { ids_.reserve(room_for(size)); }
    void insert(std::size_t at, const EntityId& id);
    void erase(std::size_t at);
    /// The last takes its place.
    void erase_unordered(std::size_t at);
    /// Places, by id.
    std::vector<std::uint32_t> order() const;
    /// A function of the ids alone.
    std::uint64_t bytes() const { return room_for(size()) * sizeof(CompactId) + heap_bytes_; }

    /// Fetches its first lines; the processor guesses those that follow.
    TIDAL_PREFETCHES void prefetch() const {
        constexpr std::size_t kIdsPerLine = 64 / sizeof(CompactId), kLinesMax = 8;
        const std::size_t end = std::min(size(), kIdsPerLine * kLinesMax);
        for (std::size_t at = 0; at < end; at += kIdsPerLine) __builtin_prefetch(ids_.data() + at);
    }

private:
    std::vector<CompactId> ids_;
    std::uint64_t heap_bytes_ = 0;
};

}  // namespace tidal::audience
