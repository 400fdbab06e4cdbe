// What came of an experiment's arms: equal to a model of what was written, however much memory and
// however long a turn it has, after lost power, and of nobody who was erased.
#include <cmath>
#include <random>
#include <set>

#include "api/internal/context_text.h"
#include "api/internal/distinct_users.h"
#include "api/internal/experiment_count.h"
#include "api/internal/intervals.h"
#include "sim_node.h"

namespace tidal::api {
namespace experiment_results_test {

constexpr std::uint64_t kItems = 3, kUsers = 3;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr double kZ = 1.959963984540054;
constexpr std::size_t kNoArm = 2;

struct Event {
    std::uint64_t user = 0, item = 0;  ///< User 0 = nobody.
    std::string signal, key, context;
    double weight = 1;
    UnixMillis at_ms = 0, logged_ms = 0;
    UnixMillis taken_back_ms = 0;  ///< 0 = it was not.
};

std::string context_of(const std::string& experiment, const std::string& profile) {
    return R"({"position":1,"profile":")" + profile + R"(","experiment":")" + experiment + "\"}";
}

class ExperimentResultsTest : public testing::Test {
protected:
    ExperimentResultsTest() : node_({.shards = 3, .executors = 2}) {}
    void SetUp() override {
        ASSERT_OK(node_.open());
        for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id, 1));
        put("experiment spring version 1 { arm trending@1; arm hot@1 weight 3; }");
    }
    void put(const std::string& text) {
        ASSERT_OK(node_.wait([&](Database::Done done) {
            node_->put_experiment(text, false,
                                  [done = std::move(done)](Result<CatalogReply> reply) mutable {
                                      done(reply.ok() ? Result<void>() : reply.take_error());
                                  });
        }));
    }
    UnixMillis now_ms() { return node_.runtime().clock().wall_ms(); }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    void write(Event event) {
        SignalWrite write = signal(event.item, event.signal);
        if (event.user != 0) write.user_id = IdInput(event.user);
        write.under_policy = false;
        write.weight = event.weight;
        write.idempotency_key = event.key;
        write.context = event.context;
        event.at_ms = now_ms();
        write.at_ms = event.at_ms;
        node_.put(write);
        event.logged_ms = now_ms();
        events_.push_back(event);
    }
    void show(std::uint64_t user, std::uint64_t item, const std::string& profile,
              const std::string& experiment = "spring@1") {
        write({.user = user,
               .item = item,
               .signal = "impression",
               .key = {},
               .context = context_of(experiment, profile)});
    }
    void write_something() {
        static const std::string kSignals[] = {"impression", "impression", "view",
                                               "like",       "share",      "dislike"};
        static const std::string kContexts[] = {
            context_of("spring@1", "trending@1"),
            context_of("spring@1", "trending@1"),
            context_of("spring@1", "hot@1"),
            context_of("spring@1", "hot@1"),
            context_of("spring@1", "new@1"),
            context_of("spring@2", "hot@1"),
            R"({"a":{"experiment":"spring@1","profile":"hot@1"},"b":[1,"}"]})",
            R"({"a":{"experiment":"no"},"b":[{"c":"\"}"}],"experiment":"spring@1","profile":"hot@1"})",
            ""};
        // Seven seconds: no two are an hour apart to the second.
        node_.world().advance(((1 + below(8)) * 60 + 7) * kSecondNs);
        if (below(6) == 0 && !events_.empty()) {
            Event& event = events_[below(events_.size())];
            if (event.key.empty() || event.taken_back_ms != 0 || event.signal == "impression" ||
                now_ms() - event.logged_ms > 20 * kHourMs)
                return;
            ASSERT_OK(node_.write_one(SignalUndo{event.item, event.key, {}}));
            event.taken_back_ms = now_ms();
            return;
        }
        Event event;
        event.user = below(kUsers + 1);
        event.item = 1 + below(kItems);
        event.signal = kSignals[below(std::size(kSignals))];
        event.weight = static_cast<double>(1 + below(8)) / 4;
        if (below(3) == 0) event.key = "key " + std::to_string(events_.size());
        if (event.signal == "impression") event.context = kContexts[below(std::size(kContexts))];
        write(event);
    }

    struct Model {
        std::set<std::uint64_t> users;
        std::vector<double> rewards;
        std::uint64_t positive = 0, open = 0;
    };
    static std::size_t arm_of(const Event& shown) {
        if (shown.user == 0 || shown.context.ends_with("\"new@1\",\"experiment\":\"spring@1\"}"))
            return kNoArm;
        return shown.context == context_of("spring@1", "trending@1") ? 0 : 1;
    }
    static bool is_of_it(const Event& shown) {
        return shown.signal == "impression" && !shown.context.starts_with("{\"a\":{\"exp") &&
               shown.context.find("spring@1") != std::string::npos;
    }
    /// Of both arms and, last, of no arm; of impressions since `from_ms`.
    std::vector<Model> model(std::int64_t within_ms, UnixMillis from_ms = 0) {
        std::vector<Model> out(3);
        for (std::size_t i = 0; i < events_.size(); ++i) {
            const Event& shown = events_[i];
            const bool nested = shown.context.starts_with("{\"a\":{\"experiment\":\"no\"}");
            if (!(is_of_it(shown) || nested) || shown.at_ms < from_ms) continue;
            double reward = 0;
            bool positive = false;
            for (std::size_t j = i + 1; j < events_.size() && shown.user != 0; ++j) {
                const Event& next = events_[j];
                if (next.user != shown.user || next.item != shown.item) continue;
                if (next.signal == "impression") break;
                const bool taken_back =
                    next.taken_back_ms != 0 && next.taken_back_ms - shown.logged_ms < within_ms;
                if (taken_back || next.logged_ms - shown.logged_ms >= within_ms) continue;
                const bool liked = next.signal == "like" || next.signal == "share";
                positive = positive || liked;
                if (liked) reward += next.weight;
                if (next.signal == "dislike") reward -= next.weight;
            }
            Model& arm = out[arm_of(shown)];
            arm.users.insert(shown.user);
            arm.rewards.push_back(reward);
            if (positive) ++arm.positive;
            if (shown.logged_ms + within_ms > now_ms() - 10'000) ++arm.open;
        }
        return out;
    }

    /// With room for so many open impressions, in turns of so many records.
    ExperimentResults counted(const ExperimentRequest& request, std::size_t room,
                              std::size_t turn_records) {
        const auto count = node_->begin_count(request);
        if (!count.ok()) {
            ADD_FAILURE() << count.error().to_string();
            return {};
        }
        (*count)->options.limit = room;
        (*count)->turn_records = turn_records;
        for (int turn = 0; turn < 100'000; ++turn) {
            auto results = node_->count_on(**count);
            if (!results.ok()) {
                ADD_FAILURE() << results.error().to_string();
                return {};
            }
            if (*results) return std::move(**results);
        }
        ADD_FAILURE() << "a count does not end";
        return {};
    }

    static void expect_arm(const ArmResults& arm, const Model& expected) {
        const auto n = static_cast<double>(expected.rewards.size());
        ASSERT_GT(n, 30);
        ASSERT_GT(expected.positive, 2U);
        EXPECT_EQ(arm.users, expected.users.size());
        EXPECT_EQ(arm.impressions, expected.rewards.size());
        EXPECT_EQ(arm.open, expected.open);
        EXPECT_EQ(arm.positive, expected.positive);
        const double rate = static_cast<double>(expected.positive) / n;
        EXPECT_DOUBLE_EQ(arm.ctr.value(), rate);
        // What defines Wilson's: rates that are just so far from this one that it is seen.
        for (const double end : {arm.ctr_interval->low, arm.ctr_interval->high})
            EXPECT_NEAR(std::abs(rate - end), kZ * std::sqrt(end * (1 - end) / n), 1e-12);
        EXPECT_LT(arm.ctr_interval->low, rate);
        EXPECT_GT(arm.ctr_interval->high, rate);
        double sum = 0, squares = 0;
        for (const double each : expected.rewards) sum += each;
        for (const double each : expected.rewards) squares += (each - sum / n) * (each - sum / n);
        const double half = kZ * std::sqrt(squares / (n - 1) / n);
        EXPECT_DOUBLE_EQ(arm.reward.value(), sum / n);
        EXPECT_NEAR(arm.reward_interval->low, sum / n - half, 1e-12);
        EXPECT_NEAR(arm.reward_interval->high, sum / n + half, 1e-12);
    }

    std::mt19937_64 random_{20261130};
    SimNode node_;
    std::vector<Event> events_;
};

TEST_F(ExperimentResultsTest, EqualAModelWithAnyRoomAndAnyTurn) {
    for (int step = 0; step < 1000; ++step) {
        ASSERT_NO_FATAL_FAILURE(write_something());
        if (step % 60 == 30) ASSERT_OK(node_.checkpoint());
        if (step % 100 == 99) ASSERT_OK(node_.crash_and_open());
    }
    node_.rest();
    node_.world().advance(60 * kSecondNs);
    for (const std::int64_t within_ms : {kHourMs, 5 * kHourMs, 100 * kHourMs}) {
        for (const UnixMillis from_ms : {UnixMillis{0}, events_[200].at_ms}) {
            const auto expected = model(within_ms, from_ms);
            ExperimentRequest request{.name = "spring",
                                      .from_ms = from_ms,
                                      .until_ms = std::nullopt,
                                      .within_ms = within_ms};
            for (const auto& [room, turn] :
                 {std::pair{1U, 1000U}, {3U, 7U}, {50'000U, 31U}, {50'000U, 1'000'000U}}) {
                const ExperimentResults results = counted(request, room, turn);
                SCOPED_TRACE(testing::Message() << within_ms << " ms since " << from_ms << ", "
                                                << room << " open, " << turn << " a turn");
                EXPECT_EQ(results.experiment, "spring@1");
                EXPECT_EQ(results.within_ms, within_ms);
                ASSERT_EQ(results.arms.size(), 2U);
                EXPECT_EQ(results.arms[0].profile, "trending@1");
                EXPECT_EQ(results.arms[1].profile, "hot@1");
                EXPECT_EQ(results.arms[1].weight, 3U);
                ASSERT_NO_FATAL_FAILURE(expect_arm(results.arms[0], expected[0]));
                ASSERT_NO_FATAL_FAILURE(expect_arm(results.arms[1], expected[1]));
                EXPECT_EQ(results.other_impressions, expected[2].rewards.size());
            }
        }
    }
}

TEST_F(ExperimentResultsTest, AreOfOneVersionAndOfNobodyWhoWasErased) {
    show(1, 1, "trending@1");
    show(2, 1, "trending@1");
    write({.user = 1, .item = 1, .signal = "like"});
    write({.user = 2, .item = 1, .signal = "like"});
    put("experiment spring version 2 { arm trending@1; arm hot@1; }");
    show(3, 1, "trending@1", "spring@2");
    EntityWrite known;
    known.kind = EntityKind::kUser;
    known.id = std::uint64_t{1};
    node_.put(known);
    EntityDelete gone;
    gone.kind = EntityKind::kUser;
    gone.id = std::uint64_t{1};
    node_.put(gone);
    ASSERT_OK(node_.crash_and_open());
    const auto newest = node_->experiment_results({.name = "spring"});
    ASSERT_TRUE(newest.ok()) << newest.error().to_string();
    EXPECT_EQ(newest->experiment, "spring@2");
    EXPECT_EQ(newest->arms[0].impressions, 1U);
    EXPECT_EQ(newest->arms[0].positive, 0U);
    EXPECT_EQ(newest->arms[0].ctr, 0);
    EXPECT_EQ(newest->arms[0].reward, 0);
    EXPECT_FALSE(newest->arms[0].reward_interval.has_value()) << "of one";
    EXPECT_EQ(newest->arms[1].impressions, 0U);
    EXPECT_FALSE(newest->arms[1].ctr || newest->arms[1].ctr_interval || newest->arms[1].reward);
    const auto first = node_->experiment_results({.name = "spring@1"});
    ASSERT_TRUE(first.ok()) << first.error().to_string();
    EXPECT_EQ(first->experiment, "spring@1");
    EXPECT_EQ(first->arms[0].users, 1U);
    EXPECT_EQ(first->arms[0].impressions, 1U);
    EXPECT_EQ(first->arms[0].positive, 1U);
}

TEST_F(ExperimentResultsTest, SayWhatIsWrong) {
    for (const std::string name : {"sprung", "spring@2", "spring@", "@1", ""}) {
        const auto results = node_->experiment_results({.name = name});
        ASSERT_FALSE(results.ok()) << name;
        EXPECT_EQ(results.error().code(), ErrorCode::kNotFound);
        EXPECT_EQ(results.error().reason(), "unknown_experiment");
    }
    for (const std::int64_t within_ms : {kShownWithinMinMs - 1, kShownWithinMaxMs + 1}) {
        ExperimentRequest request;
        request.name = "spring";
        request.within_ms = within_ms;
        const auto results = node_->experiment_results(request);
        ASSERT_FALSE(results.ok()) << within_ms;
        EXPECT_EQ(results.error().field(), "within");
    }
}

// Values of R: prop.test(x, n, correct = FALSE) and t-free mean +- qnorm(0.975) * sd / sqrt(n).
TEST(Intervals, OfKnownSamples) {
    EXPECT_FALSE(wilson_interval(0, 0).has_value());
    EXPECT_NEAR(wilson_interval(10, 100)->low, 0.0552291, 1e-7);
    EXPECT_NEAR(wilson_interval(10, 100)->high, 0.1743657, 1e-7);
    EXPECT_EQ(wilson_interval(0, 10)->low, 0);
    EXPECT_NEAR(wilson_interval(0, 10)->high, 0.2775328, 1e-7);
    EXPECT_NEAR(wilson_interval(10, 10)->low, 0.7224672, 1e-7);
    EXPECT_EQ(wilson_interval(10, 10)->high, 1);
    EXPECT_FALSE(mean_interval(1, 5, 25).has_value());
    // 1, 2, 3, 4: mean 2.5, variance 5/3.
    EXPECT_NEAR(mean_interval(4, 10, 30)->low, 2.5 - kZ * std::sqrt(5.0 / 3 / 4), 1e-12);
    EXPECT_NEAR(mean_interval(4, 10, 30)->high, 2.5 + kZ * std::sqrt(5.0 / 3 / 4), 1e-12);
    EXPECT_EQ(mean_interval(4, 1, 0.25), (Interval{0.25, 0.25})) << "equal values";
}

TEST(DistinctUsers, AreExactAndThenEstimated) {
    DistinctUsers users;
    for (int twice = 0; twice < 2; ++twice)
        for (std::uint64_t id = 1; id <= 5'000; ++id) {
            users.add(EntityId(id));
            users.add(EntityId(std::to_string(id)));
        }
    EXPECT_EQ(users.count(), 10'000U);
    for (std::uint64_t id = 5'001; id <= 200'000; ++id) users.add(EntityId(id));
    EXPECT_NEAR(static_cast<double>(users.count()), 205'000, 4 * 0.0163 * 205'000);
}

TEST(ContextText, FindsMembersOfObjectsAlone) {
    const std::string_view text =
        R"({"position":3,"a":{"x":"no","y":[1,{"x":"}"}]},"é":"x\"","profile":"p@1","x":"yes"})";
    EXPECT_EQ(context_text(text, "x"), "yes");
    EXPECT_EQ(context_text(text, "profile"), "p@1");
    EXPECT_EQ(context_text(text, "é"), R"(x\")");
    EXPECT_EQ(context_text(text, "position"), std::nullopt) << "no text";
    EXPECT_EQ(context_text(text, "y"), std::nullopt);
    for (std::size_t end = 0; end < text.size() - 2; ++end)
        EXPECT_EQ(context_text(text.substr(0, end), "x"), std::nullopt) << end;
    for (const std::string_view wrong :
         {"", "{", "{}", "front page", R"("x":"1")", R"({ "x":"1"})", R"(["x","1"])", R"({"x")",
          R"({"a":1}"x":"1"})", R"({x:"1"})"})
        EXPECT_EQ(context_text(wrong, "x"), std::nullopt) << wrong;
}

}  // namespace experiment_results_test
}  // namespace tidal::api
