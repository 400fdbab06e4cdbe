// days_since_last(polarity) through the database: of the newest signal there is, by the time it
// says it happened, after undos, restarts and the deletion of its user, whichever shards are
// involved; and what `for_you` makes of it.
#include "ranking/evaluator.h"
#include "sim_node.h"

namespace tidal::api {
namespace days_since_last_test {

constexpr UnixMillis kDayMs = 24 * 3'600'000;
constexpr std::uint64_t kReader = 7, kNobody = 8;

class DaysSinceLast : public testing::TestWithParam<std::uint16_t> {
protected:
    DaysSinceLast() : node_(options()) {}
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        return out;
    }
    void begin() {
        ASSERT_OK(node_.open());
        for (std::uint64_t id = 1; id <= 30; ++id) node_.put(item(id));
        for (const char* polarity : {"positive", "negative"})
            ASSERT_OK(node_.wait([&](Database::Done done) {
                node_->put_profile(
                    "profile " + std::string(polarity) + " version 1 { score days_since_last(" +
                        polarity + "); }",
                    false, [done = std::move(done)](auto reply) mutable {
                        done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
                    });
            }));
    }
    /// The wall clock alone: what the node does by itself in so many days is not of interest here.
    void pass(std::int64_t days) {
        passed_ms_ += days * kDayMs;
        node_.runtime().jump_wall(days * kDayMs);
    }
    Result<void> lose_power() {
        TIDAL_TRY(node_.crash_and_open());
        node_.runtime().jump_wall(passed_ms_);
        return {};
    }
    UnixMillis now_ms() { return node_.runtime().clock().wall_ms(); }
    void give(std::uint64_t user, std::uint64_t about, const char* name, double days_ago,
              const std::string& key = {}) {
        SignalWrite write = signal(about, name, key);
        write.user_id = IdInput(user);
        write.at_ms = now_ms() - static_cast<UnixMillis>(days_ago * kDayMs);
        node_.put(write);
        node_.rest();
    }
    FeedReply page(const std::string& profile, std::uint64_t user, std::uint32_t limit = 30) {
        FeedCall call;
        call.profile = profile;
        call.user_id = IdInput(user);
        call.limit = limit;
        call.explain = true;
        auto reply = node_->feed(call);
        EXPECT_TRUE(reply.ok()) << reply.error().to_string();
        return reply.ok() ? std::move(*reply) : FeedReply();
    }
    /// The same for every item; nullopt = nothing is known, which the explanation says.
    std::optional<double> days(const std::string& polarity, std::uint64_t user) {
        const FeedReply reply = page(polarity, user);
        EXPECT_EQ(reply.items.size(), 30U);
        std::optional<double> out;
        for (const FeedItem& shown : reply.items) {
            EXPECT_EQ(shown.score, reply.items[0].score);
            const auto& value = shown.explain->features.at(0);
            EXPECT_EQ(value.value, shown.score);
            if (!value.missing) out = shown.score;
        }
        if (!out) {
            EXPECT_NEAR(reply.items[0].score,
                        static_cast<double>(now_ms()) / static_cast<double>(kDayMs), 0.01)
                << "as long ago as times go";
        }
        return out;
    }
    void expect_days(const std::string& polarity, double wanted) {
        const auto found = days(polarity, kReader);
        ASSERT_TRUE(found) << polarity;
        EXPECT_NEAR(*found, wanted, 0.01) << polarity;  // The node's work takes some time as well.
    }

    SimNode node_;
    UnixMillis passed_ms_ = 0;
};

TEST_P(DaysSinceLast, IsOfTheNewestSignalOfThePolarity) {
    ASSERT_NO_FATAL_FAILURE(begin());
    EXPECT_EQ(days("positive", kReader), std::nullopt);
    give(kReader, 1, "view", 1);
    EXPECT_EQ(days("positive", kReader), std::nullopt) << "a view says nothing of liking";
    give(kReader, 1, "like", 40);
    give(kReader, 2, "share", 90);
    expect_days("positive", 40);
    EXPECT_EQ(days("negative", kReader), std::nullopt);
    give(kReader, 3, "dislike", 12.5);
    expect_days("negative", 12.5);
    give(kReader, 4, "save", 2, "saved");
    expect_days("positive", 2);
    EXPECT_EQ(days("positive", kNobody), std::nullopt);

    pass(10);
    expect_days("positive", 12);
    ASSERT_OK(node_.checkpoint());
    ASSERT_OK(lose_power());
    expect_days("positive", 12);
    expect_days("negative", 22.5);
    ASSERT_OK(lose_power());  // Of the log behind the checkpoint, where there is any.
    expect_days("positive", 12);

    give(kReader, 5, "like", 0);
    expect_days("positive", 0);
}

TEST_P(DaysSinceLast, GoesBackWhenTheSignalIsTakenBackAndIsForgottenWithItsUser) {
    ASSERT_NO_FATAL_FAILURE(begin());
    give(kReader, 1, "like", 40);
    give(kReader, 2, "like", 3, "newest");
    expect_days("positive", 3);
    ASSERT_OK(node_.write_one(SignalUndo{std::uint64_t{2}, "newest", {}}));
    node_.rest();
    expect_days("positive", 40);
    ASSERT_OK(lose_power());
    expect_days("positive", 40);

    EntityWrite user;
    user.kind = EntityKind::kUser;
    user.id = kReader;
    node_.put(user);
    EntityDelete gone;
    gone.kind = EntityKind::kUser;
    gone.id = kReader;
    node_.put(gone);
    node_.rest();
    EXPECT_EQ(days("positive", kReader), std::nullopt);
}

/// 1 to 6 are liked together, 10 by many these days.
TEST_P(DaysSinceLast, MovesAPageFromTasteToWhatIsLikedNow) {
    ASSERT_NO_FATAL_FAILURE(begin());
    for (std::uint64_t user = 100; user < 112; ++user)
        for (std::uint64_t id = 1; id <= 6; ++id) give(user, id, "like", 0);
    for (std::uint64_t id = 1; id <= 3; ++id) give(kReader, id, "like", 0);
    const auto first = [&] { return page("for_you", kReader, 5).items.at(0).entity.id.number(); };
    EXPECT_LE(first(), 6U);
    const auto taste = [&] {
        const FeedReply reply = page("for_you", kReader, 1);
        for (const auto& term : reply.items.at(0).explain->terms)
            if (term.text == "(1 - gap) * co_engagement") return term.value;
        ADD_FAILURE() << "no such term";
        return 0.0;
    };
    const double at_once = taste();
    EXPECT_GT(at_once, 0);
    pass(3);
    EXPECT_NEAR(taste(), at_once / 2, at_once / 10) << "half of it after three days";
    pass(200);
    for (std::uint64_t user = 200; user < 240; ++user) give(user, 10, "like", 1);
    EXPECT_EQ(first(), 10U);
    ASSERT_OK(lose_power());
    EXPECT_EQ(first(), 10U);
    give(kReader, 1, "like", 0);
    EXPECT_LE(first(), 6U) << "who is back is known again";
}

INSTANTIATE_TEST_SUITE_P(Shards, DaysSinceLast, testing::Values(1, 4));

}  // namespace days_since_last_test
}  // namespace tidal::api
