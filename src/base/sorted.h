// base/sorted.h: the only way to walk a hash map where order can reach state, a reply or a test.
//
// A hash map's own order differs between runs and library versions (absl salts it per process).
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

namespace tidal {

/// Pointers to the entries of an associative container in rising key order, by `operator<` of the
/// key. Invalidated by whatever invalidates pointers to the entries: do not change the map
/// meanwhile.
///     for (const auto* entry : sorted_entries(map)) use(entry->first, entry->second);
template <typename Map>
auto sorted_entries(Map& map) {
    std::vector<decltype(std::addressof(*map.begin()))> entries;
    entries.reserve(map.size());
    for (auto& entry : map) entries.push_back(std::addressof(entry));
    std::sort(entries.begin(), entries.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    return entries;
}

/// The same for a hash set: pointers to its keys.
template <typename Set>
auto sorted_keys(const Set& set) {
    std::vector<const typename Set::key_type*> keys;
    keys.reserve(set.size());
    for (const auto& key : set) keys.push_back(std::addressof(key));
    std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a < *b; });
    return keys;
}

}  // namespace tidal
