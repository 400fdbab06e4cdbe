// Daily caps, through the database: no user is shown more in a day than the cap, whatever is asked
// at once, after lost power, and until the day turns.
#include <map>

#include "sim_node.h"

namespace tidal::api {
namespace daily_cap_test {

constexpr std::uint64_t kItems = 12;
constexpr std::int64_t kDayMs = 86'400'000;

class DailyCap : public testing::TestWithParam<std::uint16_t> {
protected:
    DailyCap() : node_(options(), 1, 1'000, 20'000 * kDayMs + kDayMs / 2) {}
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        return out;
    }
    void open() {
        ASSERT_OK(node_.open());
        for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id));
    }
    static FeedCall call(std::uint64_t user, std::uint32_t limit = 20,
                         const std::string& key = "") {
        FeedCall out;
        out.profile = "notification";
        out.user_id = IdInput(user);
        out.limit = limit;
        out.impressions_key = key;
        return out;
    }
    Result<FeedReply> ask(const FeedCall& call) {
        auto replies = ask_at_once({call});
        return std::move(replies.front());
    }
    std::vector<Result<FeedReply>> ask_at_once(const std::vector<FeedCall>& calls) {
        auto replies = std::make_shared<std::vector<Result<FeedReply>>>();
        for (const FeedCall& each : calls)
            node_->feed(
                each, [replies](Result<FeedReply> reply) { replies->push_back(std::move(reply)); });
        node_.world().run_until([&] { return replies->size() == calls.size() || node_.crashed(); },
                                60 * kSecondNs);
        return std::move(*replies);
    }
    std::int64_t impressions() {
        std::int64_t out = 0;
        for (std::uint64_t id = 1; id <= kItems; ++id) out += node_.count(id, "impression");
        return out;
    }

    SimNode node_;
};

TEST_P(DailyCap, EndsWithAnEmptyPageThatSaysWhen) {
    ASSERT_NO_FATAL_FAILURE(open());
    auto page = ask(call(7, 3));
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_EQ(page->items.size(), 3u);
    EXPECT_TRUE(page->warnings.empty());
    EXPECT_EQ(page->cap->delivered, 3u);
    page = ask(call(7));
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_EQ(page->items.size(), 2u);
    EXPECT_EQ(page->next_cursor, "");
    EXPECT_EQ(page->warnings,
              std::vector<std::string>{"`notification` shows a user at most 5 items a day: 5 shown "
                                       "today, 0 left until 2024-10-05T00:00:00Z"});
    ASSERT_OK(node_.crash_and_open());
    page = ask(call(7));
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_TRUE(page->items.empty());
    EXPECT_EQ(page->profile, "notification@1");
    EXPECT_EQ(page->warnings.size(), 1u);
    EXPECT_EQ(page->cap->per_day, 5u);
    EXPECT_EQ(page->cap->resets_ms, 20'001 * kDayMs);
    EXPECT_EQ(impressions(), 5) << "each shown item is counted";
    EXPECT_EQ(ask(call(8))->items.size(), 5u) << "of another user";
}

TEST_P(DailyCap, HoldsWhateverIsAskedAtOnce) {
    ASSERT_NO_FATAL_FAILURE(open());
    const auto replies = ask_at_once(std::vector<FeedCall>(8, call(7, 2)));
    ASSERT_EQ(replies.size(), 8u);
    std::size_t shown = 0;
    for (const auto& reply : replies) {
        ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        shown += reply->items.size();
    }
    EXPECT_EQ(shown, 5u);
    EXPECT_EQ(impressions(), 5);
}

TEST_P(DailyCap, BeginsAnewWithTheDay) {
    ASSERT_NO_FATAL_FAILURE(open());
    EXPECT_EQ(ask(call(7))->items.size(), 5u);
    node_.world().run_until([] { return false; },
                            static_cast<std::uint64_t>(kDayMs / 2 - 60'000) * 1'000'000);
    EXPECT_TRUE(ask(call(7))->items.empty());
    node_.world().run_until([] { return false; }, 120'000ULL * 1'000'000);
    EXPECT_EQ(ask(call(7))->items.size(), 5u);
}

TEST_P(DailyCap, CountsARepeatedRequestOnce) {
    ASSERT_NO_FATAL_FAILURE(open());
    EXPECT_EQ(ask(call(7, 3, "push 1"))->items.size(), 3u);
    EXPECT_EQ(ask(call(7, 3, "push 1"))->items.size(), 3u);
    EXPECT_EQ(ask(call(7, 20, "push 2"))->items.size(), 2u);
    EXPECT_EQ(ask(call(7, 20, "push 1"))->items.size(), 3u);
    EXPECT_EQ(ask(call(7, 20, "push 3"))->items.size(), 0u);
}

TEST_P(DailyCap, IsOfTheProfileAndItsParameter) {
    ASSERT_NO_FATAL_FAILURE(open());
    FeedCall more = call(7);
    more.params["daily_cap"] = 7;
    EXPECT_EQ(ask(more)->items.size(), 7u);
    EXPECT_TRUE(ask(call(7))->items.empty());
    for (const double wrong : {0.0, 1.5, 1001.0}) {
        more.params["daily_cap"] = wrong;
        EXPECT_EQ(ask(more).error().field(), "params.daily_cap");
    }
    FeedCall nobody = call(7);
    nobody.user_id.reset();
    EXPECT_EQ(ask(nobody).error().reason(), "missing_input");
    FeedCall reader = call(9);
    reader.may_count = false;
    EXPECT_EQ(ask(reader).error().code(), ErrorCode::kForbidden);
}

INSTANTIATE_TEST_SUITE_P(Shards, DailyCap, testing::Values(1, 4));

}  // namespace daily_cap_test
}  // namespace tidal::api
