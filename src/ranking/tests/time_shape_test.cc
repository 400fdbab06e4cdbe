// What the analysis promises of a score, against scores over time.
#include "ranking/time_shape.h"

#include <gtest/gtest.h>

#include <random>

#include "ranking/evaluator.h"
#include "ranking/expression.h"
#include "ranking/table_features.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::ranking {
namespace time_shape_test {

constexpr UnixMillis kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
constexpr UnixMillis kHour = 3'600'000;

class TimeShapes : public testing::Test {
protected:
    TimeShape shape_of(const std::string& score) {
        const auto expr = parse_expression(score);
        EXPECT_TRUE(expr.ok()) << expr.error().to_string();
        const auto program = compile({.score = *expr, .definitions = {}, .source = score}, *schema_,
                                     EntityKind::kItem);
        EXPECT_TRUE(program.ok()) << program.error().to_string();
        return time_shape(*program, *schema_, true);
    }
    /// "constant", "steady", "falls" (also between borders of cells) or "rises".
    std::string word_of(const std::string& score) {
        const TimeShape shape = shape_of(score);
        EXPECT_EQ(shape.reason.empty(), shape.never_rises);
        if (!shape.never_rises) return "rises";
        if (!shape.steady) return "falls";
        return shape.grains.empty() ? "constant" : "steady";
    }

    std::shared_ptr<const schema::Schema> schema_ = sample_schema();
};

TEST_F(TimeShapes, Expressions) {
    EXPECT_EQ(word_of("positive(all) - negative(all) + created_s / 45000"), "constant");
    EXPECT_EQ(word_of("year * quality + wilson(positive(all), 100)"), "constant");
    EXPECT_EQ(word_of("0.5 * log1p(sum(share, 24h)) + unique(view, 24h)"), "steady");
    EXPECT_EQ(word_of("decay(like)"), "falls");
    EXPECT_EQ(word_of("2^(-age_hours / 48) * positive(all)"), "falls");
    EXPECT_EQ(word_of("sum(view, 1h) - age_hours"), "falls");
    EXPECT_EQ(word_of("positive(all) / (1 + age_hours)"), "falls");
    EXPECT_EQ(word_of("if(age_hours < 24, 1 + positive(all), 0)"), "falls");
    EXPECT_EQ(word_of("random(3)"), "constant");

    EXPECT_EQ(word_of("age_hours"), "rises");
    EXPECT_EQ(word_of("sum(view, 24h) - sum(view, 1h)"), "rises");
    EXPECT_EQ(word_of("-sum(view, 1h)"), "rises");
    EXPECT_EQ(word_of("year * sum(view, 1h)"), "rises") << "years may be negative";
    EXPECT_EQ(word_of("1 / sum(view, 1h)"), "rises");
    EXPECT_EQ(word_of("sum(view, 1h) / sum(view, 24h)"), "rises");
    EXPECT_EQ(word_of("abs(2 - sum(view, 1h))"), "rises");
    EXPECT_EQ(word_of("if(age_hours < 24, 0, positive(all))"), "rises");
    EXPECT_EQ(word_of("wilson(positive(7d), 100)"), "rises");
    EXPECT_EQ(word_of("random(seed)"), "rises") << "it depends on the request";
}

TEST_F(TimeShapes, TrustIsPutIntoWhatANegativeWeightMayLeave) {
    const auto trusted = [&](const std::string& score) {
        std::string out;
        for (const Feature& feature : shape_of(score).trusted)
            out += (feature.kind == FeatureKind::kDecay ? "decay " : "sum ") +
                   schema_->signals[feature.signal.value()].name + "; ";
        return out;
    };
    EXPECT_EQ(trusted("sum(view, 24h) + count(like, 24h)"), "sum view; ");
    EXPECT_EQ(trusted("decay(view) + sum(like, 7d)"), "decay view; sum like; ");
    EXPECT_EQ(trusted("sum(view, all) - sum(like, all)"), "") << "time does not move them";
    EXPECT_EQ(trusted("sum(view, 24h) + positive(all)"), "sum view; ");
    EXPECT_EQ(trusted("sum(view, all) / (1 + age_hours)"), "sum view; ")
        << "what is below 0 rises as it is divided by more";
    EXPECT_EQ(trusted("sum(view, 24h) - sum(view, 1h)"), "") << "rises anyway";
}

TEST_F(TimeShapes, SteadySpansAreThoseOfTheFinestCell) {
    const UnixMillis at = kNow + 3 * kHour + 25 * 60'000 + 7;
    EXPECT_EQ(shape_of("sum(view, 24h)").steady_since(at), kNow + 3 * kHour);
    EXPECT_EQ(shape_of("sum(view, 24h) + sum(view, 1h)").steady_since(at), at - 7);
    EXPECT_EQ(shape_of("sum(view, 30d)").steady_since(at), kNow);
    EXPECT_EQ(shape_of("sum(view, 365d)").steady_since(at), kNow - 3 * 24 * kHour);  // A Monday.
    EXPECT_EQ(shape_of("unique(view, 24h)").steady_since(at), kNow + 3 * kHour);
    EXPECT_EQ(shape_of("decay(view)").steady_since(at), at);
    EXPECT_EQ(shape_of("year").steady_since(at), shape_of("year").steady_since(0));
}

/// Every built-in profile and random sums of products over random events: what is promised never
/// to rise does not, unless it is marked, and what is steady keeps its bits.
TEST_F(TimeShapes, ScoresOverTimeKeepThePromise) {
    const char* const features[] = {"sum(view, 1h)",
                                    "sum(like, 24h)",
                                    "count(share, 7d)",
                                    "decay(like)",
                                    "positive(30d)",
                                    "age_hours",
                                    "sum(view, all)",
                                    "year",
                                    "0.7",
                                    "-3",
                                    "2^(-age_hours / 9)"};
    const char* const forms[] = {"%a + %b",           "%a - %b",       "%a * %b",
                                 "%a / %b",           "max(%a, %b)",   "log1p(%a) * abs(%b)",
                                 "if(%a > 2, %b, 0)", "sqrt(%a) + %b", "min(%a, 5)^2 - %b"};
    const double weights[] = {1, 2, 3, 1, -0.5};
    std::mt19937_64 random(3);
    SampleShard shard(schema_);
    for (std::uint64_t id = 1; id <= 12; ++id) {
        SampleItem item{.id = EntityId(id)};
        item.created_at = kNow - static_cast<UnixMillis>(random() % 90) * kHour;
        item.fields.emplace("year", static_cast<std::int64_t>(random() % 5) - 2);
        shard.put(item);
        for (const char* signal : {"view", "like", "share"})
            for (std::uint64_t n = random() % 6; n > 0; --n) {
                const double weight = weights[random() % std::size(weights)];
                const auto ago = static_cast<UnixMillis>(random() % (90 * kHour));
                shard.signal(item.id, signal, weight, kNow - ago);
            }
    }
    int promised = 0, rose = 0;
    for (int round = 0; round < 400; ++round) {
        std::string score;
        for (const char* c = forms[random() % std::size(forms)]; *c != 0; ++c) {
            if (*c != '%') {
                score += *c;
                continue;
            }
            ++c;
            score += std::string("(") + features[random() % std::size(features)] +
                     (random() % 2 == 0 ? " * " : " + ") +
                     features[random() % std::size(features)] + ")";
        }
        const TimeShape shape = shape_of(score);
        if (!shape.never_rises) continue;
        ++promised;
        const auto expr = parse_expression(score);
        const auto program = compile({.score = *expr, .definitions = {}, .source = score}, *schema_,
                                     EntityKind::kItem);
        const auto view = shard.view();
        TableFeatureSource source(view);
        std::vector<Slot> slots;
        for (std::uint32_t slot = 0; slot < 12; ++slot) slots.emplace_back(slot);
        std::vector<double> before;
        std::uint8_t rising[12] = {};
        UnixMillis now = kNow, last = kNow;
        for (int moment = 0; moment < 12; ++moment) {
            Evaluator evaluator(*program, source, {.now_ms = now});
            const auto scores = evaluator.run(slots);
            ASSERT_TRUE(scores.ok());
            for (std::size_t i = 0; i < before.size(); ++i) {
                if (rising[i] == 0) {
                    ASSERT_LE((*scores)[i], before[i]) << score;
                } else {
                    rose += (*scores)[i] > before[i];
                }
                if (shape.steady_since(now) == shape.steady_since(last)) {
                    ASSERT_EQ((*scores)[i], before[i]) << score;
                }
            }
            before.assign(scores->begin(), scores->end());
            std::ranges::fill(rising, std::uint8_t{0});
            ASSERT_TRUE(mark_risers(view, shape, slots, now, rising).ok());
            last = now;
            now += static_cast<UnixMillis>(random() % (moment % 3 == 0 ? 90'000 : 20 * kHour));
        }
    }
    EXPECT_GT(promised, 50);
    EXPECT_GT(rose, 50) << "too little was below 0 to tell";
}

}  // namespace time_shape_test
}  // namespace tidal::ranking
