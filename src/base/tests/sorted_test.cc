#include "base/sorted.h"

#include <absl/container/flat_hash_map.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <unordered_set>

#include "base/ids.h"

namespace tidal {
namespace {

RC_GTEST_PROP(Sorted, WalksAHashMapAsAnOrderedMapWould,
              (const std::map<std::string, int>& expected)) {
    absl::flat_hash_map<std::string, int> map(expected.begin(), expected.end());
    auto want = expected.begin();
    for (const auto* entry : sorted_entries(map)) {
        RC_ASSERT(entry->first == want->first);
        RC_ASSERT(entry->second == want->second);
        ++want;
    }
    RC_ASSERT(want == expected.end());
}

TEST(Sorted, EntriesAreThoseOfTheMap) {
    absl::flat_hash_map<Slot, int> map = {{Slot(9), 1}, {Slot(2), 2}, {Slot(5), 3}};
    for (auto* entry : sorted_entries(map)) entry->second *= 10;
    EXPECT_EQ(map[Slot(5)], 30);
    const auto& fixed = map;
    EXPECT_EQ(sorted_entries(fixed).front()->first, Slot(2));
}

TEST(Sorted, KeysOfASet) {
    const std::unordered_set<int> set = {5, -1, 3};
    std::vector<int> keys;
    for (const int* key : sorted_keys(set)) keys.push_back(*key);
    EXPECT_EQ(keys, (std::vector<int>{-1, 3, 5}));
}

}  // namespace
}  // namespace tidal
