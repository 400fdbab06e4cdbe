// Sessions through the database: equal to a model of what was accepted through lost power, retries,
// closes and sweeps, whichever shards are involved; what pages take from them; policies.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "sim_node.h"

namespace tidal::api {
namespace sessions_test {

constexpr std::uint64_t kItems = 16, kUsers = 5;

class Sessions : public testing::TestWithParam<std::uint16_t> {
protected:
    struct Model {
        std::uint64_t user = 0, last = 0, likes = 0, skips = 0;
        bool closed = false;
        std::map<std::uint64_t, int> liked;  ///< How many likes an item has.
    };
    /// With a key.
    struct Sent {
        SignalUndo takes_back;
        std::uint64_t session = 0, about = 0;
        bool like = true, counted = false, undone = false;
    };

    Sessions() : node_(options()) {}
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        return out;
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    template <typename Begin>
    Result<SessionReply> ask(Begin begin) {
        auto answer = std::make_shared<std::optional<Result<SessionReply>>>();
        begin([answer](Result<SessionReply> reply) { answer->emplace(std::move(reply)); });
        node_.world().run_until([&] { return answer->has_value(); }, 600 * kSecondNs);
        if (answer->has_value()) return std::move(**answer);
        return Error(ErrorCode::kTimeout, "no answer");
    }
    Result<SessionReply> open(std::uint64_t user, const std::string& policy = "default",
                              const std::string& key = {}) {
        SessionOpen opening;
        opening.user_id = user;
        opening.policy = policy;
        CallContext context;
        context.idempotency_key = key;
        return ask([&](auto done) { node_->open_session(opening, context, std::move(done)); });
    }
    /// As a door asks: what is written with the page is waited for.
    Result<FeedReply> page_of(const FeedCall& call) {
        auto answer = std::make_shared<std::optional<Result<FeedReply>>>();
        node_->feed(call, [answer](Result<FeedReply> reply) { answer->emplace(std::move(reply)); });
        node_.world().run_until([&] { return answer->has_value(); }, 600 * kSecondNs);
        if (answer->has_value()) return std::move(**answer);
        return Error(ErrorCode::kTimeout, "no answer");
    }
    Result<SessionReply> close(std::uint64_t id) {
        return ask([&](auto done) { node_->close_session(id, {}, std::move(done)); });
    }
    Result<WriteReply> send(std::uint64_t session, std::uint64_t item, const std::string& name,
                            std::uint64_t sequence = 0, const std::string& key = {}) {
        SignalWrite write = signal(item, name, key);
        write.session_id = std::to_string(session);
        write.sequence = sequence;
        return node_.write_one(write);
    }
    Result<void> put_policy(const std::string& name, const std::string& text) {
        return node_.wait([&](Database::Done done) {
            node_->put_policy(name, text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        });
    }
    void advance(std::uint64_t seconds) {
        const std::uint64_t until = node_.world().now_ns() + seconds * kSecondNs;
        node_.world().run_until([&] { return node_.world().now_ns() >= until; },
                                (seconds + 60) * kSecondNs);
    }
    std::string reason(const Result<WriteReply>& reply) {
        if (!reply.ok()) return std::string(reply.error().reason());
        return reply->repeated ? "repeated" : "";
    }
    void begin() {
        ASSERT_OK(node_.open());
        for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id, 100 + id % 3));
    }

    void act() {
        const std::uint64_t die = below(20);
        if (models_.empty() || die == 0) {
            const std::uint64_t user = 1 + below(kUsers);
            const auto reply = open(user, "fast");
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
            models_[reply->id].user = user;
            return;
        }
        const auto at =
            std::next(models_.begin(), static_cast<std::ptrdiff_t>(below(models_.size())));
        Model& model = at->second;
        if (die == 1) {
            const auto reply = close(at->first);
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
            EXPECT_EQ(reply->repeated, model.closed);
            model.closed = true;
            return;
        }
        const std::uint64_t about = 1 + below(kItems), sequence = model.last + below(3);
        if (die < 5 && !sent_.empty()) return undo();
        const bool like = below(3) != 0;
        const std::string key = below(2) == 0 ? "key " + std::to_string(sent_.size()) : "";
        const std::string got =
            reason(send(at->first, about, like ? "like" : "skip", sequence, key));
        if (!key.empty())
            sent_.push_back({{about, key, {}, std::to_string(at->first)}, at->first, about, like});
        if (sequence != 0 && sequence <= model.last) {
            EXPECT_EQ(got, "repeated");
        } else if (model.closed) {
            EXPECT_EQ(got, "session_closed");
        } else {
            EXPECT_EQ(got, "");
            model.last = std::max(model.last, sequence);
            ++(like ? model.likes : model.skips);
            ++counts_[{about, like ? "like" : "skip"}];
            ++creators_[{100 + about % 3, like ? "like" : "skip"}];
            if (like) ++model.liked[about];
            if (!key.empty()) sent_.back().counted = true;
        }
    }
    /// Of what counted, or did not; some twice, as by a client that hears nothing.
    void undo() {
        Sent& sent = sent_[sent_.size() - 1 - below(std::min<std::size_t>(sent_.size(), 12))];
        const std::string got = reason(node_.write_one(sent.takes_back));
        if (!sent.counted) {
            EXPECT_EQ(got, "unknown_undo_key");
            return;
        }
        EXPECT_EQ(got, sent.undone ? "repeated" : "");
        if (std::exchange(sent.undone, true)) return;
        Model& model = models_[sent.session];
        --(sent.like ? model.likes : model.skips);
        --counts_[{sent.about, sent.like ? "like" : "skip"}];
        --creators_[{100 + sent.about % 3, sent.like ? "like" : "skip"}];
        if (sent.like && --model.liked[sent.about] == 0) model.liked.erase(sent.about);
    }
    void compare() {
        node_.rest();
        for (const auto& [id, model] : models_) {
            const auto reply = node_->session(id);
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
            EXPECT_EQ(reply->user, EntityId(model.user));
            EXPECT_EQ(reply->last_sequence, model.last);
            EXPECT_EQ(reply->end == audience::SessionEnd::kClosed, model.closed);
            EXPECT_EQ(reply->reward,
                      static_cast<double>(model.likes) - static_cast<double>(model.skips));
            std::map<std::string, std::uint64_t> counts(reply->counts.begin(), reply->counts.end());
            EXPECT_EQ(counts["like"], model.likes);
            EXPECT_EQ(counts["skip"], model.skips);
            std::set<EntityId> liked(reply->liked.begin(), reply->liked.end()), expected;
            for (const auto& [about, times] : model.liked) expected.emplace(about);
            EXPECT_EQ(liked, expected);
        }
        for (const auto& [what, times] : counts_)
            EXPECT_EQ(node_.count(what.first, what.second), times) << "item " << what.first;
        for (const auto& [what, times] : creators_)
            EXPECT_EQ(node_.count(EntityKind::kCreator, what.first, what.second), times);
    }

    std::mt19937_64 random_{815};
    SimNode node_;
    std::map<std::uint64_t, Model> models_;
    std::vector<Sent> sent_;
    std::map<std::pair<std::uint64_t, std::string>, std::int64_t> counts_, creators_;
};

TEST_P(Sessions, EqualAModelOfWhatWasAccepted) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_OK(put_policy("fast", "per_minute 60000\nburst 60000\nduration 24h"));
    for (int step = 0; step < 400; ++step) {
        ASSERT_NO_FATAL_FAILURE(act());
        if (step % 50 == 49) {
            ASSERT_NO_FATAL_FAILURE(compare());
        }
        if (step % 90 == 40) {
            ASSERT_OK(node_.checkpoint());
        }
        // In the middle of what is on its way between shards.
        if (step % 35 == 34) {
            ASSERT_OK(node_.crash_and_open());
        }
    }
    ASSERT_NO_FATAL_FAILURE(compare());
}

TEST_P(Sessions, AReadWithTheTokenSeesWhatCameBackToTheUser) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->put_profile("profile loved version 1 { score affinity(creator); }", false,
                           [done = std::move(done)](auto reply) mutable {
                               done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
                           });
    }));
    for (std::uint64_t user = 1; user <= kUsers; ++user) {
        const auto session = open(user);
        ASSERT_TRUE(session.ok());
        for (const bool again : {false, true}) {
            const auto reply = send(session->id, user, "like", 1);
            ASSERT_EQ(reason(reply), again ? "repeated" : "");
            ASSERT_OK(node_.visible(reply->token));
            FeedCall call;
            call.profile = "loved";
            call.session = session->id;
            const auto page = node_->feed(call);
            ASSERT_TRUE(page.ok()) << page.error().to_string();
            EXPECT_NEAR(page->items.front().score, 1, 1e-6) << "user " << user;
            EXPECT_EQ(node_.count(user, "like"), 1);
        }
    }
}

TEST_P(Sessions, WhatIsTakenBackIsInNoPageAnyMore) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->put_profile("profile loved version 1 { score affinity(creator); }", false,
                           [done = std::move(done)](auto reply) mutable {
                               done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
                           });
    }));
    for (std::uint64_t user = 1; user <= kUsers; ++user) {
        SCOPED_TRACE("user " + std::to_string(user));
        const auto session = open(user);
        ASSERT_TRUE(session.ok());
        const std::uint64_t about = user;
        const std::string like = "like " + std::to_string(user);
        const std::string hide = "hide " + std::to_string(user);
        ASSERT_EQ(reason(send(session->id, about, "like", 1, like)), "");
        ASSERT_EQ(reason(send(session->id, about, "hide", 2, hide)), "");
        FeedCall call;
        call.profile = "loved";
        call.session = session->id;
        call.limit = kItems;
        EXPECT_EQ(node_->feed(call)->items.size(), kItems - 1);
        for (const std::string& key : {like, hide})
            for (const bool again : {false, true}) {
                const auto reply =
                    node_.write_one(SignalUndo{about, key, {}, std::to_string(session->id)});
                EXPECT_EQ(reason(reply), again ? "repeated" : "");
                // Of the second what the first did is still to be waited for.
                ASSERT_TRUE(reply.ok());
                ASSERT_OK(node_.visible(reply->token));
            }
        const auto page = node_->feed(call);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        EXPECT_EQ(page->items.size(), kItems) << "what was hidden is back";
        EXPECT_NEAR(page->items.front().score, 0, 1e-6) << "nothing is liked";
        EXPECT_TRUE(node_->session(session->id)->liked.empty());
        EXPECT_EQ(node_.count(about, "like"), 0);
        EXPECT_EQ(reason(node_.write_one(SignalUndo{about, like, {}})), "unknown_undo_key")
            << "it was of a session";
        EXPECT_EQ(reason(node_.write_one(SignalUndo{about, like, {}, "1025"})), "unknown_session");
        EXPECT_EQ(reason(node_.write_one(SignalUndo{about, like, {}, "mine"})), "bad_id");
    }
}

TEST_P(Sessions, PagesGoByTheSessionBeforeTheUser) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->put_profile(
            "profile together version 1 { candidates co_engaged(user); score co_engagement; }",
            false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
    }));
    const auto like = [&](std::uint64_t user, std::uint64_t about) {
        SignalWrite write = signal(about, "like");
        write.user_id = IdInput(user);
        node_.put(write);
        node_.rest();
    };
    for (std::uint64_t user = 50; user < 54; ++user)
        for (const std::uint64_t about : {1, 2}) like(user, about);
    for (std::uint64_t user = 60; user < 64; ++user)
        for (const std::uint64_t about : {3, 4}) like(user, about);
    const auto session = open(5);
    ASSERT_TRUE(session.ok());
    ASSERT_EQ(reason(send(session->id, 1, "like")), "");
    advance(1);
    like(5, 3);
    FeedCall call;
    call.profile = "together";
    call.user_id = IdInput(std::uint64_t{5});
    const auto first = [&] {
        const auto page = node_->feed(call);
        EXPECT_TRUE(page.ok()) << page.error().to_string();
        return page.ok() && !page->items.empty() ? page->items.front().entity.id : EntityId();
    };
    EXPECT_EQ(first(), EntityId(4)) << "what goes with the newest like of the user";
    call.session = session->id;
    EXPECT_EQ(first(), EntityId(2)) << "what goes with that of the session";
    call.profile = "new";
    call.limit = 3;
    call.log_impressions = true;
    const auto page = page_of(call);
    ASSERT_TRUE(page.ok() && page->impressions && page->impressions->written == 3);
    EXPECT_EQ(node_->session(session->id)->shown.size(), 3u);
    call.fresh = true;
    call.limit = kItems;
    const auto rest = page_of(call);
    ASSERT_TRUE(rest.ok());
    EXPECT_EQ(rest->items.size(), kItems - 3);
    call.user_id = IdInput(std::uint64_t{6});
    EXPECT_EQ(page_of(call).error().reason(), "foreign_session");
    call.user_id.reset();
    ASSERT_TRUE(close(session->id).ok());
    EXPECT_EQ(page_of(call).error().reason(), "session_closed");
    call.session = 1'025;
    EXPECT_EQ(page_of(call).error().reason(), "unknown_session");
}

TEST_P(Sessions, TheSweeperClosesWhatIsOverdueAndForgetsItADayLater) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_OK(put_policy("brief", "duration 30s"));
    const auto session = open(5, "brief");
    ASSERT_TRUE(session.ok());
    EXPECT_EQ(node_->session(session->id)->end, audience::SessionEnd::kOpen);
    advance(31);
    EXPECT_EQ(node_->session(session->id)->end, audience::SessionEnd::kExpired);
    EXPECT_EQ(reason(send(session->id, 1, "like", 1)), "session_expired");
    const auto kept = [&] {
        std::uint64_t out = 0;
        for (const auto& shard : node_->stats().shards) out += shard.sessions;
        return out;
    };
    advance(70);
    EXPECT_EQ(kept(), 1u);
    ASSERT_OK(node_.crash_and_open());
    EXPECT_EQ(node_->session(session->id)->end, audience::SessionEnd::kExpired);
    EXPECT_EQ(node_->session(session->id)->ended_ms, session->expires_ms);
    advance(24 * 3'600 + 120);
    EXPECT_EQ(kept(), 0u);
    EXPECT_EQ(node_->session(session->id).error().reason(), "unknown_session");
}

TEST_P(Sessions, AKeyMeansTheSameSessionAndPoliciesBindThoseOpenedUnderThem) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_OK(put_policy("likes", "signals like\nper_minute 1\nburst 2"));
    const auto session = open(5, "likes", "visit"), again = open(5, "likes", "visit");
    ASSERT_TRUE(session.ok() && again.ok());
    EXPECT_EQ(session->id, again->id);
    EXPECT_TRUE(again->repeated);
    EXPECT_NE(open(5, "likes")->id, session->id);
    EXPECT_EQ(node_->sessions(IdInput(std::uint64_t{5}))->size(), 2u);
    ASSERT_OK(put_policy("likes", "per_minute 60"));
    EXPECT_EQ(open(5, "likes")->policy, "likes@2");
    EXPECT_EQ(open(5, "likes", "visit")->id, session->id) << "its policy has changed since";
    EXPECT_EQ(open(5, "likes", "visit")->policy, "likes@1");
    EXPECT_EQ(open(5, "default", "visit").error().code(), ErrorCode::kIdempotencyMismatch);
    EXPECT_EQ(open(5, "lykes").error().reason(), "unknown_policy");
    EXPECT_EQ(reason(send(session->id, 1, "skip")), "signal_not_allowed") << "as it was opened";
    EXPECT_EQ(reason(send(session->id, 99, "like")), "unknown_item");
    EXPECT_EQ(reason(send(1'025, 1, "like")), "unknown_session");
    EXPECT_EQ(reason(send(session->id, 1, "like", 5)), "");
    EXPECT_EQ(reason(send(session->id, 1, "like")), "");
    EXPECT_EQ(reason(send(session->id, 1, "like")), "session_rate");
    EXPECT_EQ(reason(send(session->id, 1, "like", 5)), "repeated") << "costs nothing";
    SessionAnnotate note;
    note.session = session->id;
    note.annotations = {{"page", "cart"}};
    note.sequence = 6;
    const auto noted = ask([&](auto done) { node_->annotate_session(note, {}, std::move(done)); });
    ASSERT_TRUE(noted.ok()) << noted.error().to_string();
    EXPECT_EQ(noted->annotations.size(), 1u);
    EXPECT_EQ(noted->last_sequence, 6u);
}

INSTANTIATE_TEST_SUITE_P(Shards, Sessions, testing::Values(1, 4));

}  // namespace sessions_test
}  // namespace tidal::api
