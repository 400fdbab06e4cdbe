// Feeds beside writes and beside each other, in a simulated world where every piece of work on an
// executor takes a quarter of a millisecond.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace feed_turns_test {

/// As many items that a scan takes dozens of steps.
constexpr std::uint64_t kItems = 12'000;

class FeedTurns : public testing::Test {
protected:
    void open(LoadLimits load = {}, std::uint16_t shards = 1) {
        DatabaseOptions options;
        options.ephemeral = ephemeral_;
        options.load = load;
        options.shards = shards;
        node_.emplace(std::move(options), 1, 250'000);
        ASSERT_OK(node_->open());
        const std::uint64_t at_once = ephemeral_ ? 1000 : 200;  // the files of a log are small
        for (std::uint64_t id = 0; id < kItems; id += at_once) {
            std::vector<Write> writes;
            for (std::uint64_t i = 0; i < at_once; ++i) writes.push_back(item(id + i));
            for (const auto& reply : node_->write(std::move(writes)))
                ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        }
    }

    using Answer = std::shared_ptr<std::optional<Result<FeedReply>>>;
    /// `random` reads every item and has no view.
    Answer ask(const std::string& profile = "shuffle", std::uint8_t urgency = kUrgencyDefault) {
        FeedCall call;
        call.profile = profile;
        call.seed = 3;
        call.explain = true;
        call.urgency = urgency;
        return ask(std::move(call));
    }
    Answer ask(FeedCall call) {
        auto answer = std::make_shared<std::optional<Result<FeedReply>>>();
        (*node_)->feed(std::move(call),
                       [answer](Result<FeedReply> reply) { answer->emplace(std::move(reply)); });
        return answer;
    }
    template <typename Done>
    void run_until(Done done) {
        EXPECT_TRUE(node_->world().run_until(done, 60 * kSecondNs));
    }
    std::uint64_t steps() { return (*node_)->stats().query_steps; }
    void put_listed() {
        ASSERT_OK(node_->wait([&](Database::Done done) {
            (*node_)->put_profile(
                "profile listed version 1 { candidates recent limit 50; score 1 - rank(recent); }",
                false, [done = std::move(done)](auto reply) mutable {
                    done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
                });
        }));
    }

    bool ephemeral_ = true;
    std::optional<SimNode> node_;
};

TEST_F(FeedTurns, AWriteWaitsForAStepNotForTheScan) {
    open();
    const Answer feed = ask();
    EXPECT_FALSE(*feed) << "more than the first step";
    for (int i = 0; i < 5; ++i) {
        const std::uint64_t before = steps();
        EXPECT_TRUE(node_->write_one(signal(5, "view")).ok());
        EXPECT_LE(steps(), before + 2);
        ASSERT_FALSE(*feed);
    }
    run_until([&] { return feed->has_value(); });
    ASSERT_TRUE((**feed).ok()) << (**feed).error().to_string();
    EXPECT_EQ((**feed)->scored, kItems);
    EXPECT_EQ((**feed)->items.size(), 20u);
    EXPECT_GT(steps(), 10u);
}

/// The batch is one piece of work of the executor that the feed's steps wait for.
TEST_F(FeedTurns, AFeedGoesOnBetweenTheSlicesOfABatch) {
    open();
    const Answer feed = ask();
    const std::uint64_t before = steps();
    std::vector<Write> batch;
    for (std::uint64_t i = 0; i < 1000; ++i) batch.push_back(signal(i, "view"));
    for (const auto& reply : node_->write(std::move(batch))) ASSERT_TRUE(reply.ok());
    EXPECT_GE(steps(), before + 5);
    run_until([&] { return feed->has_value(); });
    ASSERT_TRUE((**feed).ok()) << (**feed).error().to_string();
    EXPECT_EQ((**feed)->scored, kItems);
}

TEST_F(FeedTurns, TheSamePageAsInOneGo) {
    for (const std::uint16_t shards : {1, 3}) {
        open({}, shards);
        for (const char* profile : {"shuffle", "trending", "controversial"}) {
            const Answer feed = ask(profile);
            run_until([&] { return feed->has_value(); });
            FeedCall call;
            call.profile = profile;
            call.seed = 3;
            const auto whole = (*node_)->feed(call);
            ASSERT_TRUE(whole.ok() && (**feed).ok());
            ASSERT_EQ(whole->items.size(), (**feed)->items.size());
            for (std::size_t i = 0; i < whole->items.size(); ++i)
                EXPECT_EQ(whole->items[i].entity.id, (**feed)->items[i].entity.id) << profile;
        }
    }
}

/// While the second shard is scanned, what the first one put on the page is deleted.
TEST_F(FeedTurns, IdsAloneOfManyStepsLeaveOutWhatIsGone) {
    open({}, 2);
    FeedCall call;
    call.profile = "shuffle";
    call.seed = 3;
    call.limit = 100;
    call.fields.emplace();
    const std::uint64_t begun = steps();
    const auto before = (*node_)->feed(call);
    ASSERT_TRUE(before.ok());
    const std::uint64_t of_a_page = steps() - begun;
    const Answer page = ask(call);
    run_until([&] { return steps() >= begun + of_a_page + of_a_page * 2 / 3; });
    std::vector<Write> writes;
    for (const FeedItem& shown : before->items) {
        EntityDelete gone;
        gone.id = shown.entity.id.number();
        writes.emplace_back(gone);
    }
    for (const auto& reply : node_->write(std::move(writes))) ASSERT_TRUE(reply.ok());
    ASSERT_FALSE(*page) << "the writes went before its last steps";
    run_until([&] { return page->has_value(); });
    ASSERT_TRUE((**page).ok());
    EXPECT_FALSE((**page)->items.empty());
    for (const FeedItem& shown : (**page)->items)
        for (const FeedItem& gone : before->items) EXPECT_NE(shown.entity.id, gone.entity.id);
}

/// Of shards that were written to, that replayed their log, and that loaded a checkpoint.
TEST(FeedTime, IsNeverBeforeWhatIsWritten) {
    SimNode node;
    ASSERT_OK(node.open());
    EntityWrite write = item(1);
    write.publish_at_ms = node.runtime().clock().wall_ms();
    node.put(write);
    FeedCall call;
    call.profile = "new";
    const auto shown_an_hour_before = [&] {
        node.runtime().jump_wall(-3'600'000);
        const auto reply = node->feed(call);
        return reply.ok() && reply->items.size() == 1;
    };
    EXPECT_TRUE(shown_an_hour_before());
    ASSERT_OK(node.crash_and_open());
    EXPECT_TRUE(shown_an_hour_before());
    ASSERT_OK(node.checkpoint());
    ASSERT_OK(node.crash_and_open());
    EXPECT_TRUE(shown_an_hour_before());
}

TEST_F(FeedTurns, FeedsTakeTurnsAndShortOnesDoNotWaitBehindScans) {
    open({.level_1_ms = 10'000, .level_2_ms = 10'000, .shed_ms = 10'000, .running_max = 2});
    const Answer a = ask(), b = ask(), c = ask();
    std::uint64_t a_ended = 0, b_ended = 0;
    const std::uint64_t begun = steps();
    run_until([&] {
        if (a->has_value() && a_ended == 0) a_ended = steps();
        if (b->has_value() && b_ended == 0) b_ended = steps();
        return b->has_value();
    });
    EXPECT_LE(b_ended - a_ended, 4u) << "they end together";
    EXPECT_GT(b_ended - begun, 2 * (b_ended - a_ended));
    EXPECT_FALSE(*c) << "it has waited for one of two to end";
    const Answer d = ask();
    FeedCall one;
    run_until([&] { return c->has_value() && d->has_value(); });
    EXPECT_TRUE((**c).ok() && (**d).ok());
}

TEST_F(FeedTurns, UnderLoadLessIsGivenAndSaid) {
    open({.level_1_ms = 1, .level_2_ms = 1, .shed_ms = 100'000, .running_max = 1});
    const Answer a = ask(), b = ask();
    run_until([&] { return a->has_value(); });
    EXPECT_EQ((**a)->degradation, 0);
    EXPECT_TRUE((**a)->left_out.empty());
    EXPECT_NE((**a)->items[0].explain, nullptr);
    const Answer c = ask();
    run_until([&] { return c->has_value(); });
    EXPECT_EQ((**c)->degradation, 2);
    EXPECT_EQ((**c)->left_out, std::vector<std::string>{"explain"});
    EXPECT_EQ((**c)->warnings.back(), "under load: nothing is explained");
    EXPECT_EQ((**c)->items[0].explain, nullptr);
    run_until([&] { return b->has_value(); });
}

/// Signals come between the step that ranks an item and the one that explains it.
TEST_F(FeedTurns, TermsAddUpToTheScoreWhileSignalsCome) {
    open({}, 2);
    FeedCall call;
    call.profile = "most_viewed";
    call.filter = "year IS NULL";
    call.limit = 1000;
    call.explain = true;
    const Answer page = ask(std::move(call));
    std::size_t between = 0;
    for (std::uint64_t id = 0; !*page; ++between) {
        std::vector<Write> writes;
        for (int i = 0; i < 10; ++i, id += 7) writes.push_back(signal(id % kItems, "view"));
        for (const auto& reply : node_->write(std::move(writes))) ASSERT_TRUE(reply.ok());
    }
    EXPECT_GT(between, 3u);
    ASSERT_TRUE((**page).ok()) << (**page).error().to_string();
    EXPECT_EQ((**page)->items.size(), 1000u);
    for (const FeedItem& shown : (**page)->items) {
        double sum = 0;
        for (const auto& term : shown.explain->terms) sum += term.value;
        EXPECT_EQ(sum, shown.score) << shown.entity.id.to_string();
    }
}

TEST_F(FeedTurns, UnderLoadListsAreHalvedThenOrderedByTheirRanks) {
    FeedCall call;
    call.profile = "listed";
    call.limit = 100;
    for (const std::uint8_t level : {1, 2}) {
        const std::uint32_t level_2_ms = level == 2 ? 1 : 10'000;
        open({.level_1_ms = 1, .level_2_ms = level_2_ms, .shed_ms = 100'000, .running_max = 1});
        ASSERT_NO_FATAL_FAILURE(put_listed());
        const auto whole = (*node_)->feed(call);
        ASSERT_TRUE(whole.ok());
        ASSERT_EQ(whole->items.size(), 50u);
        const Answer a = ask(), b = ask();
        run_until([&] { return a->has_value(); });
        const Answer listed = ask(call);
        run_until([&] { return listed->has_value(); });
        ASSERT_TRUE((**listed).ok()) << (**listed).error().to_string();
        const FeedReply& less = ***listed;
        EXPECT_EQ(less.degradation, level);
        std::vector<std::string> left_out{"source_lists"};
        if (level == 2) left_out.emplace_back("reranking");
        EXPECT_EQ(less.left_out, left_out);
        EXPECT_EQ(less.warnings.size(), left_out.size());
        ASSERT_EQ(less.items.size(), 25u) << "the newest";
        for (std::size_t i = 0; i < 25; ++i) {
            const std::size_t same = level == 2 ? 49 - i : 25 + i;
            EXPECT_EQ(less.items[i].entity.id, whole->items[same].entity.id) << i;
        }
        run_until([&] { return b->has_value(); });
    }
}

TEST_F(FeedTurns, ImpressionsSayWhatTheirPageWentWithout) {
    ephemeral_ = false;
    FeedCall call;
    call.profile = "listed";
    call.user_id = IdInput(std::uint64_t{1});
    call.limit = 3;
    call.log_impressions = true;
    call.log_features = true;
    for (const std::uint8_t level : {1, 2}) {
        const std::uint32_t level_2_ms = level == 2 ? 1 : 10'000;
        open({.level_1_ms = 1, .level_2_ms = level_2_ms, .shed_ms = 100'000, .running_max = 1});
        ASSERT_NO_FATAL_FAILURE(put_listed());
        const Answer a = ask(), b = ask();
        run_until([&] { return a->has_value(); });
        const Answer page = ask(call);
        run_until([&] { return page->has_value() && b->has_value(); });
        ASSERT_TRUE((**page).ok()) << (**page).error().to_string();
        ASSERT_EQ((**page)->degradation, level);
        const auto shown = (*node_)->export_shown({});
        ASSERT_TRUE(shown.ok()) << shown.error().to_string();
        ASSERT_EQ(shown->items.size(), 3u);
        for (const ShownItem& each : shown->items) {
            const auto has = [&](const std::string& member) {
                return each.context.find(member) != std::string::npos;
            };
            EXPECT_TRUE(has("\"degradation\":" + std::to_string(level))) << each.context;
            EXPECT_TRUE(has("\"score\":")) << each.context;
            EXPECT_EQ(has("\"features\":{"), level == 1) << each.context;
        }
    }
}

TEST_F(FeedTurns, WhoWouldWaitTooLongIsRefused) {
    open({.level_1_ms = 1, .level_2_ms = 2, .shed_ms = 4, .running_max = 1});
    std::vector<Answer> asked;
    for (int i = 0; i < 60; ++i) {
        asked.push_back(ask("shuffle", i % 2 == 0 ? 0 : 7));
        node_->world().advance(1'000'000);
    }
    run_until([&] {
        return std::ranges::all_of(asked, [](const Answer& each) { return each->has_value(); });
    });
    std::size_t served[2] = {}, refused = 0;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if ((**asked[i]).ok()) {
            ++served[i % 2];
            continue;
        }
        ++refused;
        EXPECT_EQ((**asked[i]).error().code(), ErrorCode::kUnavailable);
        EXPECT_EQ((**asked[i]).error().reason(), "overloaded");
    }
    EXPECT_GT(served[0], served[1]) << "the urgent ones are kept";
    EXPECT_GT(refused, 10u);
    EXPECT_EQ((*node_)->stats().queries.refused, refused);
    EXPECT_EQ((*node_)->stats().queries.running, 0u);
}

TEST_F(FeedTurns, APageFromAViewIsAnsweredAtOnceUnlessSomebodyWaits) {
    open();
    const auto page = [&] {
        auto answer = std::make_shared<std::optional<Result<FeedReply>>>();
        (*node_)->feed(FeedCall(),
                       [answer](Result<FeedReply> reply) { answer->emplace(std::move(reply)); });
        return answer;
    };
    const Answer scanned = page();
    run_until([&] { return scanned->has_value() && (*node_)->stats().shards[1].views > 0; });
    const Answer at_once = page();
    ASSERT_TRUE(*at_once) << "on the caller's thread, without a turn of the executor";
    EXPECT_TRUE((**at_once).ok());
    const Answer scan = ask();
    EXPECT_FALSE(*scan);
    const std::uint64_t before = steps();
    const Answer in_turn = page();
    EXPECT_FALSE(*in_turn) << "somebody waits for a turn";
    run_until([&] { return in_turn->has_value(); });
    EXPECT_LE(steps(), before + 2) << "behind one step, not behind the scan";
    EXPECT_FALSE(*scan);
    run_until([&] { return scan->has_value(); });
}

TEST_F(FeedTurns, InAQueueThatStandsTheRefusedCostNoStepAndShortFeedsGoOn) {
    open({.level_1_ms = 1, .level_2_ms = 2, .shed_ms = 4, .running_max = 1});
    FeedCall call;
    call.filter = "year < 0";
    const auto alone = (*node_)->feed(call);
    ASSERT_TRUE(alone.ok()) << alone.error().to_string();
    std::vector<Answer> asked;
    for (int i = 0; i < 60; ++i) {
        asked.push_back(ask());
        node_->world().advance(1'000'000);
    }
    const std::uint64_t before = steps(), refused = (*node_)->stats().queries.refused;
    for (int i = 0; i < 20; ++i) asked.push_back(ask());
    EXPECT_GE((*node_)->stats().queries.refused, refused + 18);
    EXPECT_LE(steps(), before + 2);
    std::optional<Result<FeedReply>> page;
    (*node_)->feed(call, [&](Result<FeedReply> reply) { page.emplace(std::move(reply)); });
    run_until([&] { return page.has_value(); });
    EXPECT_TRUE(page->ok()) << "one step is in nobody's way";
    run_until([&] {
        return std::ranges::all_of(asked, [](const Answer& each) { return each->has_value(); });
    });
}

TEST_F(FeedTurns, TwoRunForEachExecutorThatHasAShard) {
    for (const auto& [executors, shards, running] :
         {std::tuple<std::uint16_t, std::uint16_t, std::uint64_t>{1, 1, 2}, {1, 3, 2}, {3, 2, 4}}) {
        DatabaseOptions options;
        options.ephemeral = true;
        options.executors = executors;
        options.shards = shards;
        SimNode node(std::move(options), 1, 250'000);
        ASSERT_OK(node.open());
        EXPECT_EQ(node->stats().queries.running_max, running);
    }
}

TEST_F(FeedTurns, ANodeThatGoesAwayAnswersWhatIsUnderWay) {
    open();
    const Answer a = ask(), b = ask();
    EXPECT_FALSE(*a);
    node_.reset();
    ASSERT_TRUE(*a && *b);
    EXPECT_EQ((**a).error().code(), ErrorCode::kUnavailable);
}

}  // namespace feed_turns_test
}  // namespace tidal::api
