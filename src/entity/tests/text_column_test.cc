#include "entity/text_column.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/case_fold.h"
#include "entity/entity_table.h"
#include "entity/tests/memory_store.h"
#include "entity/tests/sample.h"

namespace tidal::entity {
namespace text_column_test {

TEST(TextColumn, PrefixesCompareAsTexts) {
    const std::string texts[] = {
        "",     std::string(1, '\0'), "a", "ab", "abcdef", "abcdefg", "abcdf", "b", "é",
        "日本", "\xF4\x8F\xBF\xBF"};
    for (std::size_t i = 1; i < std::size(texts); ++i)
        EXPECT_LE(text_prefix(texts[i - 1]), text_prefix(texts[i])) << i;
    EXPECT_EQ(text_prefix("abcdef"), text_prefix("abcdefg"));
    EXPECT_LT(text_prefix("abcdefg"), text_prefix("abcdf"));
}

TEST(TextColumn, KeepsWhatItCompares) {
    TextColumn column;
    column.resize(2);
    column.put(3, "Éa");
    EXPECT_EQ(column.text(3), "éa");
    EXPECT_EQ(column.text(2), "");
    EXPECT_EQ(column.text(9), "");
    EXPECT_TRUE(std::isnan(column.prefixes()[2]));
    EXPECT_EQ(column.prefixes()[3], text_prefix("éa"));
    column.put(3, std::string(300, 'X'));
    EXPECT_EQ(column.text(3), std::string(kTextOrderBytes, 'x'));
    column.remove(3);
    EXPECT_EQ(column.text(3), "");
    EXPECT_TRUE(std::isnan(column.prefixes()[3]));
}

/// Built a few rows at a time, while entities come, change and go.
TEST(TextColumn, OfATableIsWholeWhateverIsWrittenMeanwhile) {
    MemoryStore store;
    auto table = EntityTable::open(EntityKind::kItem, store, sample_schema());
    ASSERT_TRUE(table.ok());
    std::map<std::uint64_t, std::string> titles;
    std::uint64_t tick = 0;
    const auto write = [&](std::uint64_t id, std::optional<std::string> title) {
        std::optional<record::Value> value;
        if (title) value = *title;
        ASSERT_TRUE((*table)->upsert(upsert_of(EntityId(id), {{kTitle, value}}), at(++tick)).ok());
        titles[id] = title ? *title : "";
    };
    const auto erase = [&](std::uint64_t id) {
        record::DeleteBody body;
        body.id = EntityId(id);
        ASSERT_TRUE((*table)->erase(body, at(++tick)).ok());
        titles[id] = "";
    };
    for (std::uint64_t id = 0; id < 40; ++id)
        write(id, id % 5 == 0 ? std::nullopt : std::optional("title " + std::to_string(id)));
    const FieldId title(kTitle);
    EXPECT_TRUE((*table)->number_column(title).empty());
    std::size_t steps = 0;
    for (bool whole = false; !whole; ++steps) {
        const auto built = (*table)->build_texts(title, 3);
        ASSERT_TRUE(built.ok()) << built.error().to_string();
        whole = *built;
        write(steps, "early " + std::to_string(steps));
        write(39 - steps, std::nullopt);
        write(100 + steps, "new " + std::to_string(steps));
        if (steps == 4) erase(20);
    }
    EXPECT_GT(steps, 8u);
    write(7, "After");
    erase(8);
    write(200, "last");
    const auto numbers = (*table)->number_column(title);
    for (const auto& [id, expected] : titles) {
        const Slot slot = *(*table)->find_reserved(EntityId(id));
        const std::string folded = fold_case(expected, kTextOrderBytes);
        EXPECT_EQ((*table)->text_of(title, slot), folded) << id;
        EXPECT_EQ(std::isnan(numbers[slot.value()]), expected.empty()) << id;
    }
    EXPECT_EQ((*table)->ordered_column({.field = title}), nullptr);
}

}  // namespace text_column_test
}  // namespace tidal::entity
