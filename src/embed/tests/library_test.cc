// The embedded library from several threads.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tidal/tidal.h"

namespace tidal {
namespace library_test {

/// So dear that a feed of a few thousand items takes many steps.
std::string dear_order() {
    std::string out = "age_hours";
    for (int i = 2; i < 60; ++i) out += " + pow(age_hours, 1." + std::to_string(i) + ")";
    return out;
}

// The gate lets four run at a time: of many that ask at once some wait longer than its first level.
TEST(Library, ManyFeedsAtOnceAreHeldBackAsByAServer) {
    constexpr std::uint64_t kItems = 3000;
    auto library = Library::open({});
    ASSERT_TRUE(library.ok()) << library.error().to_string();
    std::vector<api::Write> writes;
    for (std::uint64_t id = 1; id <= kItems; ++id) {
        api::EntityWrite item;
        item.id = id;
        item.created_at_ms = static_cast<UnixMillis>(1'600'000'000'000 + id * 60'000);
        writes.emplace_back(std::move(item));
    }
    for (const auto& reply : library->write_all(std::move(writes))) ASSERT_TRUE(reply.ok());
    api::FeedCall call;
    call.profile = "new";
    call.sort = dear_order();
    call.limit = 5;
    const auto alone = library->feed(call);
    ASSERT_TRUE(alone.ok()) << alone.error().to_string();
    EXPECT_EQ(alone->degradation, 0);
    ASSERT_EQ(alone->items.size(), 5u);

    std::atomic<bool> held_back = false, wrong = false;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    std::vector<std::thread> threads;
    for (int i = 0; i < 32; ++i)
        threads.emplace_back([&] {
            while (!held_back && !wrong && std::chrono::steady_clock::now() < until) {
                const auto page = library->feed(call);
                if (!page.ok()) {
                    (page.error().reason() == "overloaded" ? held_back : wrong) = true;
                    continue;
                }
                if (page->degradation > 0) held_back = true;
                if (page->items.size() != 5 ||
                    page->items[0].entity.id != alone->items[0].entity.id)
                    wrong = true;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_TRUE(held_back);
    EXPECT_FALSE(wrong);
}

TEST(Library, QueriesAsTextAndFeedsAreTheSame) {
    auto library = Library::open({});
    ASSERT_TRUE(library.ok()) << library.error().to_string();
    for (std::uint64_t id = 1; id <= 3; ++id) {
        api::EntityWrite item;
        item.id = id;
        ASSERT_TRUE(library->write(item).ok());
    }
    for (std::uint64_t id = 1; id <= 3; ++id) {
        api::SignalWrite view;
        view.id = id % 3 + 1;
        view.signal = "view";
        for (std::uint64_t n = 0; n < id; ++n) ASSERT_TRUE(library->write(view).ok());
    }
    const auto feed = library->feed({.profile = "most_viewed", .limit = 2});
    const auto query = library->query("RETRIEVE items USING most_viewed LIMIT 2");
    ASSERT_TRUE(feed.ok() && query.ok());
    ASSERT_EQ(feed->items.size(), 2u);
    ASSERT_EQ(query->items.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(feed->items[i].entity.id, query->items[i].entity.id);
        EXPECT_EQ(feed->items[i].score, i == 0 ? 3 : 2);
    }
    EXPECT_FALSE(library->query("RETRIEVE items USING most_seen").ok());
}

}  // namespace library_test
}  // namespace tidal
