#include "audience/deliveries.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace deliveries_test {

record::DeliveryBody body(std::uint64_t user, std::uint64_t page, std::uint32_t wanted,
                          std::uint32_t cap = 5) {
    return {EntityId(user), "notification", cap, wanted, page};
}

std::size_t rows(storage::ShardStore& store) {
    std::size_t out = 0;
    EXPECT_TRUE(store
                    .scan("a/d/",
                          [&](std::string_view, std::string_view) {
                              ++out;
                              return true;
                          })
                    .ok());
    return out;
}

TEST(Deliveries, GrantWhatTheCapLeaves) {
    entity::MemoryStore store;
    Deliveries all(store);
    Deliveries::Day after;
    EXPECT_EQ(all.grant(body(1, 10, 3), 100, &after).value(), 3u);
    EXPECT_EQ(all.grant(body(1, 11, 3), 100, &after).value(), 2u);
    EXPECT_EQ(all.grant(body(1, 12, 3), 100, &after).value(), 0u);
    EXPECT_EQ(after.delivered(), 5u);
    EXPECT_EQ(all.grant(body(2, 12, 3), 100, &after).value(), 3u) << "of another user";
    EXPECT_EQ(all.grant(body(1, 12, 3, 7), 100, &after).value(), 2u) << "a higher cap";
    EXPECT_EQ(all.grant(body(1, 13, 3, 2), 100, &after).value(), 0u) << "a lower one";
    EXPECT_EQ(all.grant(body(1, 13, 3), 101, &after).value(), 3u) << "the next day";
}

TEST(Deliveries, GrantTheSamePageOnce) {
    entity::MemoryStore store;
    Deliveries all(store);
    Deliveries::Day after;
    EXPECT_EQ(all.grant(body(1, 10, 2), 100, &after).value(), 2u);
    EXPECT_EQ(all.grant(body(1, 10, 4), 100, &after).value(), 2u);
    EXPECT_EQ(all.grant(body(1, 10, 1), 100, &after).value(), 1u);
    EXPECT_EQ(after.delivered(), 2u);
    EXPECT_EQ(all.find(EntityId(1), "notification", 100).value().granted(10), 2u);
    EXPECT_EQ(all.find(EntityId(1), "other", 100).value().granted(10), std::nullopt);
}

TEST(Deliveries, ForgetDaysAndUsers) {
    entity::MemoryStore store;
    Deliveries all(store);
    Deliveries::Day after;
    for (std::uint32_t day = 100; day < 130; ++day)
        EXPECT_EQ(all.grant(body(1, day, 5), day, &after).value(), 5u);
    EXPECT_EQ(rows(store), 1u) << "those of the days before are gone";
    EXPECT_TRUE(all.erase_user(EntityId(2)).ok());
    EXPECT_EQ(rows(store), 1u);
    EXPECT_TRUE(all.erase_user(EntityId(1)).ok());
    EXPECT_EQ(rows(store), 0u);
}

TEST(Deliveries, RefuseRowsOfOthers) {
    EXPECT_FALSE(decode_deliveries("").ok());
    Deliveries::Day day;
    EXPECT_FALSE(decode_deliveries(encode_deliveries(day)).ok()) << "nothing was granted";
    day.pages = {{7, 3}};
    const std::string row = encode_deliveries(day);
    EXPECT_EQ(decode_deliveries(row).value().pages, day.pages);
    EXPECT_FALSE(decode_deliveries(row + "x").ok());
    EXPECT_FALSE(decode_deliveries(row.substr(0, row.size() - 1)).ok());
}

RC_GTEST_PROP(Deliveries, NeverExceedTheCapOfADay, ()) {
    entity::MemoryStore store;
    Deliveries all(store);
    DeliveryDay day = 100;
    std::map<std::pair<DeliveryDay, std::uint64_t>, std::uint32_t> delivered;
    std::map<std::tuple<DeliveryDay, std::uint64_t, std::uint64_t>, std::uint32_t> pages;
    const auto steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
        day += *rc::gen::inRange(0, 8) == 0 ? 1 : 0;
        const auto user = *rc::gen::inRange<std::uint64_t>(1, 3);
        const auto page = *rc::gen::inRange<std::uint64_t>(0, 12);
        const auto wanted = *rc::gen::inRange<std::uint32_t>(1, 5);
        Deliveries::Day after;
        const std::uint32_t granted = all.grant(body(user, page, wanted), day, &after).value();
        auto& total = delivered[{day, user}];
        const auto known = pages.find({day, user, page});
        if (known != pages.end()) {
            RC_ASSERT(granted == std::min(known->second, wanted));
        } else {
            RC_ASSERT(granted == std::min(wanted, 5 - total));
            total += granted;
            if (granted > 0) pages[{day, user, page}] = granted;
        }
        RC_ASSERT(total <= 5u);
        RC_ASSERT(after.delivered() == total);
    }
}

}  // namespace deliveries_test
}  // namespace tidal::audience
