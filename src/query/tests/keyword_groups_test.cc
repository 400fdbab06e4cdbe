// Groups by a keyword or bool field, found each way there is, compared with a map.
#include "query/internal/keyword_groups.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {
namespace keyword_groups_test {

using Limits = KeywordGroups::Limits;

class GroupedItems {
public:
    static constexpr std::uint64_t kItems = 3000;

    /// Of `values` categories the first have most items; some items have none.
    GroupedItems(std::uint64_t values, std::uint64_t seed) {
        std::mt19937_64 random(seed);
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            ranking::SampleItem item{.id = EntityId(id), .created_at = 1};
            const std::uint64_t drawn = random() % 1'000'000;
            if (drawn % 10 != 0) {
                const bool common = drawn % 2 == 0;
                const std::uint64_t value = drawn / 10 % (common ? 1 + values / 20 : values);
                item.fields.emplace("category", "value " + std::to_string(value));
                item.fields.emplace("featured", drawn % 3 == 0);
            }
            shard_.put(item);
            categories_[id] = text_of(item, "category");
            flags_[id] = text_of(item, "featured");
        }
    }

    /// All of them, or one of `step`.
    Roaring every(std::uint64_t step) {
        Roaring out;
        for (std::uint64_t id = 1; id <= kItems; id += step) out.add(slot_of(id).value());
        return out;
    }

    /// @return  how many steps there were.
    std::size_t check(const std::string& field, const Roaring& slots, const Limits& limits,
                      std::uint64_t budget) {
        const auto& expected = field == "category" ? categories_ : flags_;
        KeywordGroups groups(schema_->find_field(EntityKind::kItem, field)->id, shard_.entities(),
                             limits);
        std::size_t steps = 0;
        for (bool done = false; !done; ++steps) {
            StepBudget step(budget);
            const auto found = groups.find(slots, step);
            EXPECT_TRUE(found.ok());
            done = !found.ok() || *found;
        }
        for (const auto& [id, value] : expected) {
            const Slot slot = slot_of(id);
            if (!slots.contains(slot.value())) continue;
            const std::uint32_t number = groups.number_of(slot);
            const std::string name = number == 0 ? std::string() : groups.name(number);
            EXPECT_EQ(name, value) << field << " of " << id;
            EXPECT_FALSE(groups.changed(slot));
        }
        return steps;
    }

private:
    Slot slot_of(std::uint64_t id) { return *shard_.entities().find(EntityId(id)); }
    static std::string text_of(const ranking::SampleItem& item, const std::string& field) {
        const auto found = item.fields.find(field);
        if (found == item.fields.end()) return "";
        if (const auto* flag = std::get_if<bool>(&found->second)) return *flag ? "true" : "false";
        return std::get<std::string>(found->second);
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::SampleShard shard_{schema_, 0};
    std::map<std::uint64_t, std::string> categories_, flags_;
};

TEST(KeywordGroups, EveryWayFindsWhatTheItemsHave) {
    std::mt19937_64 random(11);
    const auto one_of = [&](std::initializer_list<std::uint64_t> of) {
        return of.begin()[random() % of.size()];
    };
    for (const std::uint64_t values : {1, 3, 50, 900, 5'000}) {
        GroupedItems items(values, values);
        for (int round = 0; round < 12; ++round) {
            Limits limits;
            limits.few = one_of({0, 0, 4'096});
            limits.met_whole = one_of({0, 1, 5, 1'024});
            limits.window_bits = static_cast<std::uint32_t>(one_of({4, 9, 11, 16}));
            const std::uint64_t step = one_of({1, 2, 20, 200});
            const std::uint64_t budget = one_of({1, 50'000, 250'000});
            SCOPED_TRACE(testing::Message() << values << " values, few " << limits.few << ", whole "
                                            << limits.met_whole << ", bits " << limits.window_bits
                                            << ", one of " << step << ", steps of " << budget);
            const Roaring slots = items.every(step);
            items.check("category", slots, limits, budget);
            items.check("featured", slots, limits, budget);
            ASSERT_FALSE(testing::Test::HasFailure());
        }
    }
}

// Of many values that few slots have each is looked at once, not once for each window.
TEST(KeywordGroups, ManyValuesAreLookedAtOnce) {
    GroupedItems items(5'000, 7);
    const Roaring slots = items.every(1);
    const Limits one_pass{.few = 0, .met_whole = 1'024, .window_bits = 6};
    const Limits by_windows{.few = 0, .met_whole = 0, .window_bits = 6};
    const std::size_t windows = slots.maximum() / 64 + 1;
    EXPECT_EQ(items.check("category", slots, one_pass, ~0ULL), 1u);
    const std::size_t once = items.check("category", slots, one_pass, 1);
    const std::size_t often = items.check("category", slots, by_windows, 1);
    EXPECT_GT(often, windows * 5) << "each window by itself";
    EXPECT_LT(once, often / 2);
}

}  // namespace keyword_groups_test
}  // namespace tidal::query
