#include "entity/internal/merge.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

namespace tidal::entity {
namespace merge_test {

using Fields = std::map<std::uint8_t, std::string>;  ///< An empty text stands for a removal.

std::vector<CellChange> changes_of(const Fields& fields) {
    std::vector<CellChange> changes;
    for (const auto& [key, text] : fields) {
        CellChange& change = changes.emplace_back();
        change.key = key % 8u;
        if (!text.empty()) change.value = text;
    }
    std::stable_sort(changes.begin(), changes.end(),
                     [](const auto& a, const auto& b) { return a.key < b.key; });
    changes.erase(std::unique(changes.begin(), changes.end(),
                              [](const auto& a, const auto& b) { return a.key == b.key; }),
                  changes.end());
    return changes;
}

RC_GTEST_PROP(EntityMerge, UpsertsInAnyOrderGiveTheSameRow,
              (std::vector<std::pair<std::uint8_t, Fields>> upserts)) {
    auto shuffled = upserts;
    std::sort(shuffled.begin(), shuffled.end());
    Row forward, sorted;
    CellDifferences ignored;
    for (const auto& [stamp, fields] : upserts)
        forward =
            merge_upsert(forward, changes_of(fields), HybridTime::from_bits(stamp + 1u), &ignored);
    for (const auto& [stamp, fields] : shuffled)
        sorted =
            merge_upsert(sorted, changes_of(fields), HybridTime::from_bits(stamp + 1u), &ignored);
    RC_ASSERT(forward == sorted);
}

RC_GTEST_PROP(EntityMerge, DifferencesTurnTheOldValuesIntoTheNew,
              (std::vector<std::pair<std::uint8_t, Fields>> upserts)) {
    Row row;
    std::map<CellKey, std::string> values;
    for (const auto& [stamp, fields] : upserts) {
        CellDifferences differences;
        const bool drop = stamp % 4 == 0 && row.state == RowState::kLive;
        const auto time = HybridTime::from_bits(row.deleted.bits() + stamp + 1u);
        row = drop ? merge_delete(row, time, &differences)
                   : merge_upsert(row, changes_of(fields), time, &differences);
        for (const CellDifference& difference : differences) {
            const auto old = values.find(difference.key);
            RC_ASSERT((old != values.end()) == difference.before.has_value());
            if (difference.before) RC_ASSERT(old->second == *difference.before);
            values.erase(difference.key);
            if (difference.after) values.emplace(difference.key, *difference.after);
        }
        std::map<CellKey, std::string> expected;
        for (const Cell& cell : row.cells)
            if (cell.value) expected.emplace(cell.key, *cell.value);
        RC_ASSERT(values == expected);
    }
}

}  // namespace merge_test
}  // namespace tidal::entity
