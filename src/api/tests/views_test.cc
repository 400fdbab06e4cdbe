// Feeds from top views through the database: the same pages as a database that keeps none, at the
// same moments, while writes of every kind arrive, on one shard and several, and after power cuts.
// With TIDAL_TEST_FULL set many more histories: docs/development.md.
#include <bit>
#include <cstdlib>
#include <random>

#include "sim_node.h"

namespace tidal::api {
namespace views_test {

constexpr std::uint64_t kHourMs = 3'600'000;

class Views : public testing::TestWithParam<std::uint16_t> {
protected:
    Views() : viewed_(options(1)), scanned_(options(1'000'000)) {}

    static DatabaseOptions options(std::uint64_t view_items_min) {
        DatabaseOptions out;
        out.shards = GetParam();
        out.view_items_min = view_items_min;
        return out;
    }
    /// The clocks of both show the same: writes happen at the same time.
    void align(std::uint64_t ns = 0) {
        const std::uint64_t to = ns + std::max(viewed_.world().now_ns(), scanned_.world().now_ns());
        for (SimNode* node : {&viewed_, &scanned_})
            node->world().advance(to - node->world().now_ns());
    }
    template <typename Do>
    void both(Do act) {
        align();
        for (SimNode* node : {&viewed_, &scanned_}) act(*node);
    }
    void write_both(const Write& write) {
        align();
        const bool viewed = viewed_.write_one(write).ok();
        align();
        EXPECT_EQ(scanned_.write_one(write).ok(), viewed);
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    /// Of both clocks.
    UnixMillis now_ms() {
        align();
        return viewed_.runtime().clock().wall_ms();
    }
    UnixMillis around_now(std::uint64_t before_ms, std::uint64_t after_ms) {
        return now_ms() - static_cast<UnixMillis>(before_ms) +
               static_cast<UnixMillis>(below(before_ms + after_ms));
    }

    void write_something() {
        const std::uint64_t id = 1 + below(60);
        if (below(5) == 0) return write_item(id);
        if (below(12) == 0) {
            EntityDelete write;
            write.id = id;
            return write_both(write);
        }
        if (below(8) == 0 && !keys_.empty()) {
            SignalUndo write;
            std::tie(write.id, write.key) = keys_[below(keys_.size())];
            return write_both(write);
        }
        const char* const names[] = {"view", "view", "like", "share", "dislike"};
        SignalWrite write = signal(id, names[below(5)]);
        write.user_id = IdInput(below(9));
        if (below(3) == 0) write.weight = static_cast<double>(below(9)) / 4;
        if (below(100) == 0) write.weight = -1;
        if (below(4) == 0) write.at_ms = around_now(2 * kHourMs, 1);
        if (below(6) == 0) write.at_ms = around_now(1, 59'000);
        if (below(9) == 0) write.at_ms = around_now(40 * 24 * kHourMs, 1);
        if (below(4) == 0) {
            write.idempotency_key = "key " + std::to_string(keys_.size());
            keys_.emplace_back(IdInput(id), write.idempotency_key);
        }
        write_both(write);
    }
    void write_item(std::uint64_t id) {
        EntityWrite write = item(id, 1 + below(4));
        write.created_at_ms = static_cast<UnixMillis>(1'690'000'000'000 + below(1'000'000'000));
        if (below(3) == 0) write.created_at_ms = around_now(3 * kHourMs, 1);
        write.metadata = {{"title", std::string("t")}};
        write.metadata.emplace_back("year", static_cast<std::int64_t>(1990 + below(9)));
        // Edges that the steps of time pass one by one, or many at once.
        if (below(3) == 0) write.publish_at_ms = around_now(60'000, 200'000);
        if (below(3) == 0) write.expires_at_ms = around_now(60'000, 5 * kHourMs);
        if (below(5) == 0) write.publish_at_ms.emplace(std::nullopt);
        if (below(5) == 0) write.expires_at_ms.emplace(std::nullopt);
        write_both(write);
    }

    static std::string page(SimNode& node, const FeedCall& call) {
        const auto reply = node->feed(call);
        if (!reply.ok()) return reply.error().to_string();
        std::string out = reply->next_cursor.empty() ? "end " : "more ";
        out += std::to_string(reply->candidates) + "/" + std::to_string(reply->matched);
        for (const FacetReply& facet : reply->facets)
            for (const auto& range : facet.ranges) out += " #" + std::to_string(range.count);
        if (!reply->constraints_satisfied) out += " relaxed";
        for (const FeedItem& shown : reply->items)
            out += " " + shown.entity.id.to_string() + "=" + std::to_string(shown.score) + ":" +
                   std::to_string(std::bit_cast<std::uint64_t>(shown.score));
        return out;
    }
    static std::string next_cursor(SimNode& node, const FeedCall& call) {
        const auto reply = node->feed(call);
        return reply.ok() ? reply->next_cursor : "";
    }
    void compare() {
        for (const char* profile : {"trending", "new", "old", "hot", "top_hour", "top_day",
                                    "most_viewed", "most_liked", "rising", "hidden_gems"}) {
            FeedCall call;
            call.profile = profile;
            call.limit = 7;
            if (below(2) == 0) call.filter = "year >= 1994";
            if (below(4) == 0) call.facets = "year ranges (1993, 1996)";
            if (below(4) == 0) call.exclude = {IdInput(1 + below(60)), IdInput(1 + below(60))};
            align();  // What is on its way between shards takes each its own time.
            ASSERT_EQ(page(viewed_, call), page(scanned_, call)) << profile;
            FeedCall ids_alone = call;
            ids_alone.fields.emplace();
            for (SimNode* node : {&viewed_, &scanned_})
                ASSERT_EQ(page(*node, ids_alone), page(*node, call)) << profile << ", ids alone";
            // Each goes on with its own cursor, which no clock of the other has to fit.
            FeedCall scanned_call = call;
            call.cursor = next_cursor(viewed_, call);
            scanned_call.cursor = next_cursor(scanned_, scanned_call);
            ASSERT_EQ(page(viewed_, call), page(scanned_, scanned_call)) << profile << ", page 2";
        }
    }
    static std::uint64_t pages_from_views(SimNode& node) {
        std::uint64_t out = 0;
        for (const auto& shard : node->stats().shards) out += shard.view_pages;
        return out;
    }

    void start() {
        both([](SimNode& node) { ASSERT_OK(node.open()); });
    }
    /// Rounds of writes, time and comparisons, with a power cut in the middle.
    void run(std::uint64_t seed) {
        random_.seed(seed);
        for (int round = 0; round < 40; ++round) {
            for (int i = 0; i < 8; ++i) write_something();
            both([](SimNode& node) { node.rest(); });
            constexpr std::uint64_t kSteps[] = {40'000, 1, 7'000, 3 * kHourMs, 61'000};
            align(kSteps[below(5)] * 1'000'000);
            compare();
            if (HasFatalFailure()) return;
            if (round != 25) continue;
            EXPECT_GT(pages_from_views(viewed_), 20u);
            both([](SimNode& node) { ASSERT_OK(node.crash_and_open({})); });
        }
        EXPECT_GT(pages_from_views(viewed_), 20u) << "since the restart";
        EXPECT_EQ(pages_from_views(scanned_), 0u);
    }

    std::mt19937_64 random_;
    std::vector<std::pair<IdInput, std::string>> keys_;
    SimNode viewed_, scanned_;
};

TEST_P(Views, ShowWhatAScanShows) {
    start();
    run(7);
}

/// Histories one after the other in one database: minutes long.
TEST_P(Views, ShowItThroughManyHistories) {
    if (std::getenv("TIDAL_TEST_FULL") == nullptr) GTEST_SKIP() << "TIDAL_TEST_FULL is not set";
    start();
    for (std::uint64_t seed = 1; seed <= 50 && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        run(seed);
    }
}

INSTANTIATE_TEST_SUITE_P(Shards, Views, testing::Values(1, 3));

}  // namespace views_test
}  // namespace tidal::api
