// What a user hid, or whose creator the user blocks, on pages of members that are behind: they say
// that they do not know, or are right, whatever consistency the reader asked for.
#include <functional>
#include <set>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace cluster_hides_test {

constexpr std::uint64_t kUser = 5, kItems = 12, kHiddenItem = 2, kBlockedCreator = 8;

using Shown = std::set<std::uint64_t>;
using ShownDone = std::function<void(Result<Shown>)>;

Shown items_of(const FeedReply& page) {
    Shown out;
    for (const FeedItem& each : page.items) out.insert(each.entity.id.number());
    return out;
}
Database::FeedDone of_page(ShownDone done) {
    return [done = std::move(done)](Result<FeedReply> page) {
        if (!page.ok()) return done(page.take_error());
        done(items_of(*page));
    };
}

/// Every operation that shows items to a user.
struct Operation {
    std::string name;
    std::function<void(Database&, ShownDone)> ask;
};

std::vector<Operation> operations(std::uint64_t session) {
    FeedCall feed;
    feed.profile = "new";
    feed.user_id = IdInput(kUser);
    FeedCall in_session = feed;
    in_session.user_id.reset();
    in_session.session = session;
    FeedCall search = feed;
    search.profile.clear();
    search.query = "title";
    std::vector<Operation> out;
    for (const auto& [name, call] :
         {std::pair("feed", feed), std::pair("session", in_session), std::pair("search", search)})
        out.push_back({name, [call = call](Database& database, ShownDone done) {
                           database.feed(call, of_page(std::move(done)));
                       }});
    out.push_back({"compare", [feed](Database& database, ShownDone done) {
                       database.compare(feed, "trending", [done](Result<FeedComparison> both) {
                           if (!both.ok()) return done(both.take_error());
                           Shown all = items_of(both->left);
                           all.merge(items_of(both->right));
                           done(all);
                       });
                   }});
    out.push_back({"query", [](Database& database, ShownDone done) {
                       database.query("RETRIEVE items USING new FOR USER 5", {},
                                      [done](Result<QueryReply> reply) {
                                          if (!reply.ok()) return done(reply.take_error());
                                          done(items_of(std::get<FeedReply>(*reply)));
                                      });
                   }});
    out.push_back({"saved search", [](Database& database, ShownDone done) {
                       SavedSearchRequest request;
                       request.user_id = kUser;
                       request.name = "mine";
                       database.run_saved_search(request, of_page(std::move(done)));
                   }});
    out.push_back({"suggest", [](Database& database, ShownDone done) {
                       SuggestCall call;
                       call.query = "titl";
                       call.limit = 20;
                       call.user_id = IdInput(kUser);
                       database.suggest(call, [done](Result<SuggestReply> reply) {
                           if (!reply.ok()) return done(reply.take_error());
                           Shown all;
                           for (const Suggestion& each : reply->suggestions)
                               if (each.kind == Suggestion::Kind::kItem)
                                   all.insert(each.id->number());
                           done(all);
                       });
                   }});
    return out;
}

class ClusterHides : public ::testing::TestWithParam<std::uint64_t> {
protected:
    ClusterHides() : cluster_(GetParam()) { RecordProperty("seed", std::to_string(GetParam())); }

    void begin() {
        cluster_.begin(3);
        for (std::uint64_t id = 1; id <= kItems; ++id)
            cluster_.put(1, item(id, id <= 6 ? 7 : kBlockedCreator));
        SavedSearchWrite search;
        search.user_id = kUser;
        search.name = "mine";
        search.query = "RETRIEVE items USING new";
        cluster_.put(1, search);
        std::optional<Result<SessionReply>> opened;
        SessionOpen open;
        open.user_id = kUser;
        cluster_.node(1)->open_session(
            open, {}, [&](Result<SessionReply> reply) { opened.emplace(std::move(reply)); });
        ASSERT_TRUE(cluster_.until([&] { return opened.has_value(); }));
        ASSERT_TRUE(opened->ok()) << opened->error().to_string();
        session_ = (**opened).id;
        ASSERT_TRUE(cluster_.until([&] { return cluster_.at_rest(); }));
        ASSERT_OK(cluster_.fence(3, {}));  // It knows how new it is.
    }
    /// Nobody hears node 3 any more, and the others lead everything.
    void cut_off() {
        cluster_.world().network().partition("n3", "n1");
        cluster_.world().network().partition("n3", "n2");
        ASSERT_TRUE(cluster_.until([&] {
            for (const ShardStatus& shard : cluster_.node(1)->cluster_status().shards)
                if (shard.leader == cluster::kNoNode || shard.leader == cluster_.node(3).id)
                    return false;
            return true;
        }));
    }
    void hide_and_block() {
        SignalWrite hide = signal(kHiddenItem, "hide");
        hide.user_id = IdInput(kUser);
        EXPECT_EQ(cluster_.put(1, hide).durable, shard::WriteConcern::kMajority);
        RelationshipWrite block;
        block.user_id = kUser;
        block.kind = record::RelationshipKind::kBlocks;
        block.target = kBlockedCreator;
        cluster_.put(1, block);
    }
    Result<Shown> ask(const Operation& operation, std::uint32_t node) {
        auto answer = std::make_shared<std::optional<Result<Shown>>>();
        operation.ask(*cluster_.node(node),
                      [answer](Result<Shown> shown) { answer->emplace(std::move(shown)); });
        cluster_.until([&] { return answer->has_value(); });
        return answer->has_value() ? std::move(**answer) : Error(ErrorCode::kTimeout, "no answer");
    }
    static void expect_right(const std::string& name, const Shown& shown) {
        EXPECT_EQ(shown, (Shown{1, 3, 4, 5, 6})) << name;
    }

    SimCluster cluster_;
    std::uint64_t session_ = 0;
};

TEST_P(ClusterHides, AMemberThatIsBehindShowsNothingOfThem) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_NO_FATAL_FAILURE(cut_off());
    hide_and_block();
    const auto all = operations(session_);
    const ReadFence anything{{Consistency::Kind::kEventual, 0}, ""};
    const ReadFence of_an_hour{{Consistency::Kind::kBounded, 3'600'000}, ""};
    for (const ReadFence& fence : {anything, of_an_hour}) {
        ASSERT_OK(cluster_.fence(3, fence));
        for (const Operation& each : all) {
            const auto shown = ask(each, 3);
            ASSERT_FALSE(shown.ok()) << each.name << " shows " << shown->size() << " items";
            EXPECT_EQ(shown.error().code(), ErrorCode::kUnavailable) << each.name;
            EXPECT_EQ(shown.error().reason(), "no_leader") << each.name;
        }
    }
    // A page for nobody is what this member has.
    FeedCall for_nobody;
    for_nobody.profile = "new";
    const auto page = cluster_.node(3)->feed(for_nobody);
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_EQ(page->items.size(), kItems);
    // From the moment it is heard again: later, or right.
    cluster_.world().network().heal_all();
    for (const Operation& each : all) {
        ASSERT_OK(cluster_.fence(3, anything));
        auto shown = ask(each, 3);
        while (!shown.ok() && shown.error().code() == ErrorCode::kUnavailable) shown = ask(each, 3);
        ASSERT_TRUE(shown.ok()) << each.name << ": " << shown.error().to_string();
        expect_right(each.name, *shown);
    }
    cluster_.expect_equal();
}

TEST_P(ClusterHides, AMemberThatHearsOfThemLateIsWaitedFor) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_NO_FATAL_FAILURE(cut_off());
    hide_and_block();
    // The question is there before the member is heard again, the first thing it does then.
    for (const Operation& each : operations(session_)) {
        std::optional<Result<Shown>> answer;
        each.ask(*cluster_.node(3), [&](Result<Shown> shown) { answer.emplace(std::move(shown)); });
        cluster_.world().network().heal_all();
        ASSERT_TRUE(cluster_.until([&] { return answer.has_value(); }));
        ASSERT_TRUE(answer->ok()) << each.name << ": " << answer->error().to_string();
        expect_right(each.name, **answer);
        ASSERT_NO_FATAL_FAILURE(cut_off());
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterHides, ::testing::Values(1, 2, 3));

}  // namespace cluster_hides_test
}  // namespace tidal::api
