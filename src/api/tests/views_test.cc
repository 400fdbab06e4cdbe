// Feeds from top views through the database: the same pages as a database that keeps none, while
// writes of every kind arrive, on one shard and several, and after a restart.
#include <random>

#include "sim_node.h"

namespace tidal::api {
namespace {

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

    void write_something() {
        const std::uint64_t id = 1 + below(60);
        if (below(5) == 0) {
            EntityWrite write = item(id, 1 + below(4));
            write.created_at_ms = static_cast<UnixMillis>(1'690'000'000'000 + below(1'000'000'000));
            write.metadata = {{"title", std::string("t")}};
            write.metadata.emplace_back("year", static_cast<std::int64_t>(1990 + below(9)));
            return write_both(write);
        }
        if (below(12) == 0) {
            EntityDelete write;
            write.id = id;
            return write_both(write);
        }
        const char* const names[] = {"view", "view", "like", "share", "dislike"};
        SignalWrite write = signal(id, names[below(5)]);
        write.user_id = IdInput(below(9));
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
            out += " " + shown.entity.id.to_string() + "=" + std::to_string(shown.score);
        return out;
    }
    static std::string next_cursor(SimNode& node, const FeedCall& call) {
        const auto reply = node->feed(call);
        return reply.ok() ? reply->next_cursor : "";
    }
    void compare() {
        for (const char* profile :
             {"trending", "new", "hot", "top_hour", "most_viewed", "rising"}) {
            FeedCall call;
            call.profile = profile;
            call.limit = 7;
            if (below(2) == 0) call.filter = "year >= 1994";
            if (below(4) == 0) call.facets = "year ranges (1993, 1996)";
            if (below(4) == 0) call.exclude = {IdInput(1 + below(60)), IdInput(1 + below(60))};
            ASSERT_EQ(page(viewed_, call), page(scanned_, call)) << profile;
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

    std::mt19937_64 random_{7};
    SimNode viewed_, scanned_;
};

TEST_P(Views, ShowWhatAScanShows) {
    both([](SimNode& node) { ASSERT_OK(node.open()); });
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 8; ++i) write_something();
        both([](SimNode& node) { node.rest(); });
        align((round % 4 == 0 ? 3 * kHourMs : 40'000) * 1'000'000);
        compare();
        if (HasFatalFailure()) return;
        if (round == 25) {
            EXPECT_GT(pages_from_views(viewed_), 50u);
            both([](SimNode& node) { ASSERT_OK(node.crash_and_open({})); });
        }
    }
    EXPECT_GT(pages_from_views(viewed_), 20u) << "since the restart";
    EXPECT_EQ(pages_from_views(scanned_), 0u);
}

INSTANTIATE_TEST_SUITE_P(Shards, Views, testing::Values(1, 3));

}  // namespace
}  // namespace tidal::api
