// What was shown and what came of it: an export equals a model of what was written, in pages of any
// size, after lost power, and of nobody who was erased.
#include <map>
#include <random>

#include "sim_node.h"

namespace tidal::api {
namespace export_shown_test {

constexpr std::uint64_t kItems = 5, kUsers = 4;
constexpr std::int64_t kHourMs = 3'600'000;

struct Event {
    std::uint64_t user = 0, item = 0;  ///< User 0 = nobody: then by session.
    std::string signal, session, key;
    double weight = 1;
    UnixMillis at_ms = 0, logged_ms = 0;
    UnixMillis taken_back_ms = 0;  ///< 0 = it was not.
    std::uint64_t under = 0;       ///< A session of the user that knows of it; 0 = none.
};

std::string print(const Event& event) {
    return event.signal + " " + std::to_string(event.weight) + " " + std::to_string(event.at_ms);
}

std::string print(const ShownItem& shown) {
    std::string out = shown.id.to_string() + " " + std::to_string(shown.at_ms) + " " +
                      (shown.user_id ? shown.user_id->to_string() : "0") + " " + shown.session_id +
                      " " + shown.context + " reward " + std::to_string(shown.reward);
    for (const ShownSignal& one : shown.signals)
        out +=
            ", " + one.signal + " " + std::to_string(one.weight) + " " + std::to_string(one.at_ms);
    return out + (shown.complete ? " complete" : "");
}

class ExportShown : public testing::Test {
protected:
    ExportShown() : node_({.shards = 2, .executors = 2}) {}
    void SetUp() override {
        ASSERT_OK(node_.open());
        for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id, 1));
    }
    UnixMillis now_ms() { return node_.runtime().clock().wall_ms(); }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    void write(Event event) {
        SignalWrite write = signal(event.item, event.signal);
        if (event.user != 0) write.user_id = IdInput(event.user);
        write.session_id = event.under != 0 ? std::to_string(event.under) : event.session;
        write.under_policy = event.under != 0;
        write.weight = event.weight;
        write.idempotency_key = event.key;
        write.context = event.signal == "impression" ? std::to_string(events_.size()) : "";
        event.at_ms = now_ms();
        write.at_ms = event.at_ms;
        node_.put(write);
        event.logged_ms = now_ms();
        events_.push_back(event);
    }
    void write_something() {
        static const std::string kSignals[] = {"impression", "impression", "view",
                                               "like",       "share",      "dislike"};
        // Seven seconds: no two are an hour apart to the second.
        node_.world().advance(((1 + below(40)) * 60 + 7) * kSecondNs);
        if (below(6) == 0 && !events_.empty()) {
            Event& event = events_[below(events_.size())];
            if (event.key.empty() || event.taken_back_ms != 0 || event.signal == "impression" ||
                now_ms() - event.logged_ms > 20 * kHourMs)
                return;
            ASSERT_OK(node_.write_one(
                SignalUndo{event.item,
                           event.key,
                           {},
                           event.under != 0 ? std::to_string(event.under) : std::string()}));
            event.taken_back_ms = now_ms();
            return;
        }
        Event event;
        event.user = below(kUsers + 1);
        event.item = 1 + below(kItems);
        event.signal = kSignals[below(std::size(kSignals))];
        if (event.user == 0 && below(2) == 0) event.session = "s" + std::to_string(below(2));
        event.weight = static_cast<double>(1 + below(8)) / 4;
        if (below(3) == 0) event.key = "key " + std::to_string(events_.size());
        if (event.user != 0 && event.signal != "impression" && below(2) == 0)
            event.under = open_session(event.user);
        write(event);
    }
    std::uint64_t open_session(std::uint64_t user) {
        SessionOpen opening;
        opening.user_id = user;
        std::uint64_t out = 0;
        const auto opened = node_.wait([&](Database::Done done) {
            node_->open_session(opening, {}, [&out, done = std::move(done)](auto reply) mutable {
                out = reply.ok() ? reply->id : 0;
                done(reply.ok() ? Result<void>() : reply.take_error());
            });
        });
        EXPECT_TRUE(opened.ok()) << opened.error().to_string();
        return out;
    }

    /// In no order.
    std::multiset<std::string> model(std::int64_t within_ms) {
        std::multiset<std::string> out;
        for (std::size_t i = 0; i < events_.size(); ++i) {
            const Event& shown = events_[i];
            if (shown.signal != "impression") continue;
            std::string line = std::to_string(shown.item) + " " + std::to_string(shown.at_ms) +
                               " " + std::to_string(shown.user) + " " + shown.session + " " +
                               std::to_string(i) + " reward ";
            std::string signals;
            double reward = 0;
            for (std::size_t j = i + 1; j < events_.size(); ++j) {
                const Event& next = events_[j];
                if (next.user != shown.user || next.item != shown.item ||
                    next.session != shown.session)
                    continue;
                if (next.user == 0 && next.session.empty()) continue;
                if (next.signal == "impression") break;
                const bool taken_back =
                    next.taken_back_ms != 0 && next.taken_back_ms - shown.logged_ms < within_ms;
                if (taken_back || next.logged_ms - shown.logged_ms >= within_ms) continue;
                signals += ", " + print(next);
                if (next.signal == "like" || next.signal == "share") reward += next.weight;
                if (next.signal == "dislike") reward -= next.weight;
            }
            out.insert(line + std::to_string(reward) + signals +
                       (shown.logged_ms + within_ms <= now_ms() - 10'000 ? " complete" : ""));
        }
        return out;
    }
    std::multiset<std::string> exported(std::int64_t within_ms, std::uint32_t limit) {
        std::multiset<std::string> out;
        ShownRequest request;
        request.within_ms = within_ms;
        request.limit = limit;
        for (int pages = 0; pages < 10'000; ++pages) {
            const auto page = node_->export_shown(request);
            if (!page.ok()) {
                ADD_FAILURE() << page.error().to_string();
                return out;
            }
            EXPECT_LE(page->items.size(), limit);
            for (const ShownItem& shown : page->items) out.insert(print(shown));
            if (page->end) return out;
            EXPECT_NE(page->position, request.position) << "a page without progress";
            request.position = page->position;
        }
        ADD_FAILURE() << "the pages do not end";
        return out;
    }

    std::mt19937_64 random_{20261129};
    SimNode node_;
    std::vector<Event> events_;
};

TEST_F(ExportShown, EqualsAModelInPagesOfAnySize) {
    for (int step = 0; step < 400; ++step) {
        ASSERT_NO_FATAL_FAILURE(write_something());
        if (step % 60 == 30) ASSERT_OK(node_.checkpoint());
        if (step % 100 == 99) ASSERT_OK(node_.crash_and_open());
    }
    node_.rest();
    node_.world().advance(60 * kSecondNs);
    for (const std::int64_t within_ms : {kHourMs, 5 * kHourMs, 100 * kHourMs}) {
        const auto expected = model(within_ms);
        ASSERT_GT(expected.size(), 80U);
        for (const std::uint32_t limit : {1U, 7U, 10'000U})
            EXPECT_EQ(exported(within_ms, limit), expected) << within_ms << " by " << limit;
    }
}

TEST_F(ExportShown, GoesOnAfterEveryLine) {
    for (int step = 0; step < 60; ++step) ASSERT_NO_FATAL_FAILURE(write_something());
    ShownRequest request;
    request.limit = 10'000;
    const auto whole = node_->export_shown(request);
    ASSERT_TRUE(whole.ok());
    ASSERT_GT(whole->items.size(), 10U);
    for (std::size_t at = 0; at < whole->items.size(); ++at) {
        request.position = whole->items[at].position;
        const auto rest = node_->export_shown(request);
        ASSERT_TRUE(rest.ok());
        ASSERT_EQ(rest->items.size(), whole->items.size() - at - 1);
        for (std::size_t i = 0; i < rest->items.size(); ++i)
            EXPECT_EQ(print(rest->items[i]), print(whole->items[at + 1 + i]));
    }
}

TEST_F(ExportShown, AnErasedUserIsInNoExport) {
    for (const std::uint64_t user : {1, 2}) {
        write({.user = user, .item = 1, .signal = "impression"});
        write({.user = user, .item = 1, .signal = "like"});
    }
    EntityWrite known;
    known.kind = EntityKind::kUser;
    known.id = std::uint64_t{1};
    node_.put(known);
    EntityDelete gone;
    gone.kind = EntityKind::kUser;
    gone.id = std::uint64_t{1};
    node_.put(gone);
    write({.user = 1, .item = 2, .signal = "impression"});  // Somebody new of the same id.
    ASSERT_OK(node_.crash_and_open());
    const auto shown = node_->export_shown({});
    ASSERT_TRUE(shown.ok());
    std::multiset<std::string> users;
    for (const ShownItem& each : shown->items)
        users.insert(each.id.to_string() + " to " + each.user_id->to_string());
    EXPECT_EQ(users, (std::multiset<std::string>{"1 to 2", "2 to 1"}));

    ExportRequest request;
    const auto all = node_->export_signals(request);
    ASSERT_TRUE(all.ok());
    std::multiset<std::string> signals;
    for (const ExportedSignal& one : all->signals)
        signals.insert(one.signal + " " + one.id.to_string() + " " +
                       (one.user_id ? one.user_id->to_string() : "-"));
    EXPECT_EQ(signals, (std::multiset<std::string>{"impression 1 -", "like 1 -", "impression 1 2",
                                                   "like 1 2", "impression 2 1"}));
    request.user_id = IdInput(std::uint64_t{1});
    const auto of_one = node_->export_signals(request);
    ASSERT_TRUE(of_one.ok());
    ASSERT_EQ(of_one->signals.size(), 1U);
    EXPECT_EQ(of_one->signals[0].id, EntityId(2));
}

TEST_F(ExportShown, SignalsOfSessionsCountOnceWhereverTheirUserLives) {
    for (const std::uint64_t user : {1, 2, 3}) {
        auto opened = std::make_shared<std::optional<Result<SessionReply>>>();
        SessionOpen opening;
        opening.user_id = user;
        node_->open_session(opening, {},
                            [opened](auto reply) { opened->emplace(std::move(reply)); });
        node_.world().run_until([&] { return opened->has_value(); }, 600 * kSecondNs);
        ASSERT_OK(**opened);
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            write({.user = user, .item = id, .signal = "impression"});
            SignalWrite like = signal(id, "like");
            like.session_id = std::to_string((**opened)->id);
            like.sequence = id;
            for (int attempt = 0; attempt < 2; ++attempt) ASSERT_OK(node_.write_one(like));
        }
    }
    ASSERT_OK(node_.crash_and_open());
    node_.rest();
    const auto shown = node_->export_shown({});
    ASSERT_TRUE(shown.ok());
    ASSERT_EQ(shown->items.size(), 3 * kItems);
    for (const ShownItem& each : shown->items) {
        ASSERT_EQ(each.signals.size(), 1U) << print(each);
        EXPECT_EQ(each.signals[0].signal, "like");
        EXPECT_EQ(each.reward, 1);
    }
}

TEST_F(ExportShown, FeaturesAreLoggedWhereTheyAreAskedFor) {
    node_.put(signal(3, "view"));
    FeedCall call;
    call.profile = "most_viewed";
    call.user_id = IdInput(std::uint64_t{1});
    call.limit = 1;
    call.log_impressions = true;
    call.log_features = true;
    const auto task = [&] {
        auto answer = std::make_shared<std::optional<Result<FeedReply>>>();
        node_->feed(call, [answer](Result<FeedReply> reply) { answer->emplace(std::move(reply)); });
        node_.world().run_until([&] { return answer->has_value(); }, 600 * kSecondNs);
        return std::move(**answer);
    };
    const auto page = task();
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_EQ(page->items.at(0).explain, nullptr);
    const auto shown = node_->export_shown({});
    ASSERT_TRUE(shown.ok());
    ASSERT_EQ(shown->items.size(), 1U);
    EXPECT_EQ(
        shown->items[0].context,
        R"json({"position":1,"profile":"most_viewed@1","score":1,"features":{"sum(view, all)":1}})json");
    call.log_impressions = false;
    const auto refused = task();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().field(), "log_features");
}

}  // namespace export_shown_test
}  // namespace tidal::api
