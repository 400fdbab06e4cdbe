// Budgets of memory that a database is opened with.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace {

using Budget = std::uint64_t record::MemoryBudgets::*;
constexpr Budget kBudgets[] = {&record::MemoryBudgets::user_states, &record::MemoryBudgets::tastes,
                               &record::MemoryBudgets::co_engagement,
                               &record::MemoryBudgets::cohorts,
                               &record::MemoryBudgets::collections};

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

}  // namespace
}  // namespace tidal::api
