// Budgets of memory that a database is opened with.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace memory_budgets_test {

using Budget = std::optional<std::uint64_t> MemoryOptions::*;
constexpr Budget kBudgets[] = {&MemoryOptions::user_states, &MemoryOptions::tastes,
                               &MemoryOptions::co_engagement, &MemoryOptions::cohorts,
                               &MemoryOptions::collections};

SignalWrite hide_by(std::uint64_t user) {
    SignalWrite out = signal(1, "hide");
    out.user_id = IdInput(user);
    return out;
}

// Before they are in the log, which could not be read again.
TEST(MemoryBudgets, ThatNoLogTakesAreRefused) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    node.power_off({});
    for (const Budget budget : kBudgets)
        for (const std::uint64_t bytes : {std::uint64_t{0}, record::kMemoryBudgetMax + 1}) {
            node.options().memory = {};
            node.options().memory.*budget = bytes;
            const auto opened = node.open();
            ASSERT_FALSE(opened.ok()) << bytes;
            EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
            EXPECT_EQ(opened.error().field(), "memory");
            node.power_off({});
        }
    node.options().memory = {};
    node.options().memory.tastes = record::kMemoryBudgetMax;
    ASSERT_OK(node.open());
    node.put(signal(1, "like"));
    node.options().memory = {};
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(1, "like"), 1);
}

TEST(MemoryBudgets, NotGivenStayAsTheLogHasThem) {
    DatabaseOptions options;
    options.memory.user_states = 300;
    SimNode node(options);
    ASSERT_OK(node.open());
    node.put(item(1));
    std::uint64_t user = 0;
    auto last = node.write_one(hide_by(++user));
    while (last.ok() && user < 50) last = node.write_one(hide_by(++user));
    ASSERT_FALSE(last.ok()) << "no hide is refused";
    EXPECT_EQ(last.error().reason(), "user_states_full");

    // By nobody, or by who gives another one.
    const std::optional<std::uint64_t> tastes[] = {std::nullopt, 5'000};
    for (const auto& budget : tastes) {
        node.options().memory = {.tastes = budget};
        ASSERT_OK(node.crash_and_open());
        last = node.write_one(hide_by(user));
        ASSERT_FALSE(last.ok()) << "a budget that was not given is reset";
        EXPECT_EQ(last.error().reason(), "user_states_full");
    }
    node.options().memory = {.user_states = 1ULL << 30};
    ASSERT_OK(node.crash_and_open());
    ASSERT_OK(node.write_one(hide_by(user)));
}

}  // namespace memory_budgets_test
}  // namespace tidal::api
