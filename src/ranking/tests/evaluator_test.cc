#include "ranking/evaluator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <deque>
#include <functional>

#include "base/hash.h"
#include "ranking/tests/random_expression.h"
#include "ranking/tests/random_profile.h"
#include "ranking/tests/reference_evaluator.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::ranking {
namespace evaluator_test {

/// What the random expressions may rank by.
const std::vector<Source>& ranked_sources() {
    static const auto profile = parse_profile(
        "profile p version 1 { candidates union(scan, window_top(view, 24h) weight 0.3, recent, "
        "window_top(view, 7d), ordered(like) weight 1000); score 1; }");
    EXPECT_TRUE(profile.ok()) << profile.error().to_string();
    return profile->sources;
}
Expr random_expression(int depth) {
    return RandomExpression::make(depth, {"fused", "rank(window_top(view, 24h))", "rank(recent)",
                                          "rank(window_top(view, 7d))", "rank(ordered)"});
}

std::string degrees_text(const Coordinate& at, std::span<const double> params) {
    return print_number(at.param ? params[*at.param] : at.number);
}

std::string leaf_text(const schema::Schema& schema, const Feature& feature,
                      std::span<const double> params) {
    const std::string signal = feature.signal.value() < schema.signals.size()
                                   ? schema.signals[feature.signal.value()].name
                                   : "";
    const std::string window(schema::window_name(feature.window));
    switch (feature.kind) {
        case FeatureKind::kDecay:
            return "decay(" + signal + ")";
        case FeatureKind::kCount:
            return "count(" + signal + ", " + window + ")";
        case FeatureKind::kSum:
            return "sum(" + signal + ", " + window + ")";
        case FeatureKind::kUnique:
            return "unique(" + signal + ", 24h)";
        case FeatureKind::kAgeHours:
            return "age_hours";
        case FeatureKind::kCreatedAt:
            return "created_at";
        case FeatureKind::kField:
            return schema.kind(EntityKind::kItem).fields[feature.field.value()].name;
        case FeatureKind::kRandom:
            return "random(seed)";
        case FeatureKind::kDistance:
            return "distance_km(" +
                   schema.kind(EntityKind::kItem).fields[feature.field.value()].name + ", " +
                   degrees_text(feature.latitude, params) + ", " +
                   degrees_text(feature.longitude, params) + ")";
        case FeatureKind::kSourceRank:
            return "rank(" + print_source(ranked_sources()[feature.source]) + ")";
        default:
            break;
    }
    return "";
}

/// A number for any leaf of any slot: odd ones among them.
double invented(const std::string& leaf, std::uint32_t slot) {
    const std::uint64_t hash = hash64(leaf, slot + 1);
    const double odd[] = {0, -1, 1, 1e300, -1e300, 1e-300, 0.5, -7.25};
    if (hash % 4 == 0) return odd[(hash >> 8) % 8];
    return static_cast<double>(static_cast<std::int64_t>(hash % 20001) - 5000) / 16;
}

/// Fills from `invented` and counts how often each feature is asked for.
class InventedSource final : public FeatureSource {
public:
    explicit InventedSource(const schema::Schema& schema) : schema_(schema) {}
    Result<void> fill(const Feature& feature, std::span<const Slot> slots,
                      const EvaluationContext& context, std::span<double> out) override {
        const std::string leaf = leaf_text(schema_, feature, context.params);
        ++fills[leaf];
        for (std::size_t i = 0; i < slots.size(); ++i) out[i] = invented(leaf, slots[i].value());
        return {};
    }
    /// As they may lie in a column: the default as NaN, the largest as infinities.
    std::span<const double> numbers(const Feature& feature,
                                    std::span<const Slot> slots) const override {
        if (feature.kind != FeatureKind::kField) return {};
        auto& column = columns_.emplace_back();
        for (const Slot slot : slots) {
            const double value = invented(leaf_text(schema_, feature, {}), slot.value());
            const double raw = std::fabs(value) < kMagnitudeMax ? value : value * 1e300;
            column.push_back(value == feature.missing ? std::nan("") : raw);
        }
        return column;
    }
    bool is_missing(const Feature& feature, Slot slot) const override {
        return feature.kind == FeatureKind::kField && slot.value() % 2 == 1;
    }
    std::map<std::string, int> fills;

private:
    const schema::Schema& schema_;
    mutable std::deque<std::vector<double>> columns_;
};

constexpr double kParamX = 2.5, kParamY = -3;

std::vector<double> param_values(const Program& program) {
    std::vector<double> out;
    for (const auto& name : program.params) out.push_back(name == "x" ? kParamX : kParamY);
    return out;
}

/// As the source writes it, with what a parameter says in its place.
double invented_leaf(std::string leaf, std::uint32_t slot) {
    for (const auto& [param, value] :
         std::map<std::string, double>{{"param(x)", kParamX}, {"param(y)", kParamY}}) {
        if (leaf == param) return value;
        for (auto at = leaf.find(param); at != leaf.npos; at = leaf.find(param))
            leaf.replace(at, param.size(), print_number(value));
    }
    if (leaf == "rank(ordered)") leaf = "rank(ordered(like))";
    return invented(leaf, slot);
}
double invented_fused(std::uint32_t slot) {
    const auto tame = [](double x) { return std::clamp(x, -1e300, 1e300); };
    double out = 0;
    for (const auto& [source, weight] :
         std::vector<std::pair<std::string, double>>{{"window_top(view, 24h)", 0.3},
                                                     {"recent", 1},
                                                     {"window_top(view, 7d)", 1},
                                                     {"ordered(like)", 1000}})
        out = tame(out + tame(weight * invented("rank(" + source + ")", slot)));
    return out;
}

double reference(const schema::Schema& schema, const Expr& expr, std::uint32_t slot) {
    return ReferenceEvaluator(schema, [&](const std::string& leaf) {
        return leaf == "fused" ? invented_fused(slot) : invented_leaf(leaf, slot);
    })(expr);
}

Program compiled(const schema::Schema& schema, const std::string& text, bool explain = false) {
    const auto expr = parse_expression(text);
    EXPECT_TRUE(expr.ok()) << expr.error().to_string();
    auto program = compile({.score = *expr, .definitions = {}, .source = text, .explain = explain},
                           schema, EntityKind::kItem);
    EXPECT_TRUE(program.ok()) << program.error().to_string();
    return std::move(program).value();
}

// 100 cases of RapidCheck times 100 expressions.
RC_GTEST_PROP(Evaluator, EqualsTheReferenceOnRandomExpressions, ()) {
    static const auto schema = sample_schema();
    for (int i = 0; i < 100; ++i) {
        const Expr expr = random_expression(*rc::gen::inRange(0, 5));
        const auto program =
            compile({.score = expr, .definitions = {}, .source = "", .sources = ranked_sources()},
                    *schema, EntityKind::kItem);
        RC_ASSERT(program.ok());
        InventedSource source(*schema);
        const auto params = param_values(*program);
        Evaluator evaluator(*program, source, {.params = params});
        std::vector<Slot> slots;
        const auto count = *rc::gen::element(1, 2, 5, 9, 17);
        const auto first = *rc::gen::inRange(0u, 1000u);
        const bool neighbours = *rc::gen::arbitrary<bool>();
        for (std::uint32_t s = 0; s < static_cast<std::uint32_t>(count); ++s)
            slots.push_back(Slot(neighbours ? first + s : *rc::gen::inRange(0u, 1000u)));
        const auto scores = evaluator.run(slots);
        RC_ASSERT(scores.ok());
        for (std::size_t s = 0; s < slots.size(); ++s) {
            const double want = reference(*schema, expr, slots[s].value());
            if ((*scores)[s] != want)
                RC_LOG() << print_expression(expr) << " slot " << slots[s].value() << "\n";
            RC_ASSERT((*scores)[s] == want);
            RC_ASSERT(std::abs(want) <= kMagnitudeMax);
        }
        for (const auto& [leaf, fills] : source.fills) RC_ASSERT(fills == 1);
    }
}

RC_GTEST_PROP(Evaluator, ExplainedTermsAddUpToTheScoreExactly, ()) {
    static const auto schema = sample_schema();
    for (int i = 0; i < 10; ++i) {
        Expr expr = random_expression(3);
        const auto terms = *rc::gen::inRange(0, 6);
        for (int t = 0; t < terms; ++t) {
            Expr sum;
            sum.kind = ExprKind::kBinary;
            sum.op = *rc::gen::element(BinaryOp::kAdd, BinaryOp::kSubtract);
            sum.args = {std::move(expr), random_expression(2)};
            expr = std::move(sum);
        }
        CompileInput input{
            .score = expr, .definitions = {}, .source = "", .sources = ranked_sources()};
        const auto plain = compile(input, *schema, EntityKind::kItem);
        input.explain = true;
        const auto explaining = compile(input, *schema, EntityKind::kItem);
        RC_ASSERT(plain.ok() && explaining.ok());
        const auto params = param_values(*plain);
        InventedSource source(*schema);
        std::vector<Slot> slots;
        for (std::uint32_t s = 0; s < 9; ++s) slots.push_back(Slot(s));
        Evaluator scorer(*plain, source, {.params = params});
        Evaluator explainer(*explaining, source, {.params = params});
        const auto scores = scorer.run(slots);
        RC_ASSERT(scores.ok());
        for (const Slot slot : slots) {
            const auto explanation = explainer.explain(slot);
            RC_ASSERT(explanation.ok());
            double total = explanation->terms[0].value;
            for (std::size_t t = 1; t < explanation->terms.size(); ++t)
                total = std::clamp(total + explanation->terms[t].value, -1e300, 1e300);
            RC_ASSERT(total == (*scores)[slot.value()]);
            RC_ASSERT(explanation->terms.size() >= static_cast<std::size_t>(terms) + 1);
        }
    }
}

/// As docs/reference/profiles.md says it, in plain C++.
double penalised(double score, const std::vector<Penalty>& penalties,
                 const std::function<double(const Expr&)>& value) {
    for (const Penalty& penalty : penalties) {
        if (value(penalty.when) == 0) continue;
        const double reduced = score < 0 ? score / penalty.factor : score * penalty.factor;
        score = std::clamp(score + (std::clamp(reduced, -1e300, 1e300) - score), -1e300, 1e300);
    }
    return score;
}

RC_GTEST_PROP(Evaluator, PenaltiesAndGatesEqualTheReferenceAndAddUp, ()) {
    static const auto schema = sample_schema();
    for (int i = 0; i < 8; ++i) {
        Profile profile;
        profile.score = RandomExpression::make(*rc::gen::inRange(0, 4));
        RandomProfile::add_stages(&profile);
        CompileInput input{.score = profile.score,
                           .definitions = {},
                           .source = "",
                           .gates = profile.gates,
                           .penalties = profile.penalties};
        const auto plain = compile(input, *schema, EntityKind::kItem);
        input.explain = true;
        const auto explaining = compile(input, *schema, EntityKind::kItem);
        RC_ASSERT(plain.ok() && explaining.ok());
        RC_ASSERT(plain->gate.has_value() == !profile.gates.empty());
        InventedSource source(*schema);
        const auto params = param_values(*plain);
        Evaluator scorer(*plain, source, {.params = params});
        Evaluator explainer(*explaining, source, {.params = params});
        std::vector<Slot> slots;
        for (std::uint32_t s = 0; s < 5; ++s) slots.push_back(Slot(s));
        const auto scores = scorer.run(slots);
        for (const Slot slot : slots) {
            const auto value = [&](const Expr& e) { return reference(*schema, e, slot.value()); };
            const double want = penalised(value(profile.score), profile.penalties, value);
            RC_ASSERT((*scores)[slot.value()] == want);
            const bool open = std::ranges::all_of(
                profile.gates, [&](const Expr& gate) { return value(gate) != 0; });
            if (plain->gate) RC_ASSERT(scorer.gates(slots.size())[slot.value()] == (open ? 1 : 0));
            const auto explanation = explainer.explain(slot);
            double total = explanation->terms[0].value;
            for (std::size_t t = 1; t < explanation->terms.size(); ++t)
                total = std::clamp(total + explanation->terms[t].value, -1e300, 1e300);
            RC_ASSERT(total == want);
        }
    }
}

TEST(Evaluator, ExplainNamesTermsAndFeatures) {
    const auto schema = sample_schema();
    const Program program = compiled(
        *schema, "0.5 * log1p(sum(view, 24h)) - (year + price) / 2 + velocity(view, 24h)", true);
    InventedSource source(*schema);
    Evaluator evaluator(program, source, {});
    const auto explanation = evaluator.explain(Slot(1));
    ASSERT_TRUE(explanation.ok());
    std::string terms, features;
    for (const auto& term : explanation->terms) terms += term.text + "; ";
    for (const auto& f : explanation->features)
        features += f.text + (f.missing ? " missing; " : "; ");
    EXPECT_EQ(terms, "0.5 * log1p(sum(view, 24h)); -((year + price) / 2); velocity(view, 24h); ");
    EXPECT_EQ(features, "sum(view, 24h); year missing; price missing; velocity(view, 24h); ");
}

TEST(Evaluator, DomainRules) {
    const auto schema = sample_schema();
    const auto value = [&](const std::string& text) {
        const Program program = compiled(*schema, text);
        InventedSource source(*schema);
        Evaluator evaluator(program, source, {});
        const Slot slot(0);
        return (*evaluator.run({&slot, 1}))[0];
    };
    EXPECT_EQ(value("1 / 0"), 0);
    EXPECT_EQ(value("0 / 0"), 0);
    EXPECT_EQ(value("log(0)"), std::log(1e-9));
    EXPECT_EQ(value("log(-5)"), std::log(1e-9));
    EXPECT_EQ(value("log10(0)"), std::log10(1e-9));
    EXPECT_DOUBLE_EQ(value("log1p(-1)"), std::log1p(1e-9 - 1));
    EXPECT_EQ(value("sqrt(-1)"), 0);
    EXPECT_EQ(value("(-8)^(1/3)"), 0);
    EXPECT_EQ(value("0^-1"), 0);
    EXPECT_EQ(value("0^0"), 1);
    EXPECT_EQ(value("-2^2"), -4);
    EXPECT_EQ(value("2^3^2"), 512);
    EXPECT_EQ(value("8 - 4 - 2"), 2);
    EXPECT_EQ(value("8 / 4 / 2"), 1);
    EXPECT_EQ(value("exp(1000)"), 1e300);
    EXPECT_EQ(value("-exp(1000)"), -1e300);
    EXPECT_EQ(value("1e200 * 1e200"), 1e300);
    EXPECT_EQ(value("1e200^9"), 1e300);
    EXPECT_EQ(value("(-1e200)^9"), -1e300);
    EXPECT_EQ(value("1 / 1e-300 / 1e-300"), 1e300);
    EXPECT_EQ(value("sigmoid(-1e300)"), 0);
    EXPECT_EQ(value("sigmoid(0)"), 0.5);
    EXPECT_EQ(value("sign(-3) + sign(0) + sign(2) * 10"), 9);
    EXPECT_EQ(value("if(2 > 1, 3, 4) + if(0, 10, 20)"), 23);
    EXPECT_EQ(value("(1 < 1) + (1 <= 1) + (1 = 1) + (1 != 1) + (1 > 1) + (1 >= 1)"), 3);
    EXPECT_EQ(value("clamp(5, 0, 3) + min(4, 2, 3) + max(4, 2, 3)"), 9);
    EXPECT_EQ(value("wilson(0, 0)"), 0);
    EXPECT_EQ(value("wilson(0, 10)"), 0);
    EXPECT_NEAR(value("wilson(10, 10)"), 0.722467, 1e-6);
    EXPECT_NEAR(value("wilson(80, 100)"), 0.711170, 1e-5);
}

// What a text may say at most, costs at most this much for one block.
TEST(Evaluator, NoExpressionCostsMoreThanItsLimit) {
    const auto schema = sample_schema();
    const auto powers = [](int count) {
        std::string out = "year";
        for (int i = 0; i < count; ++i) out += " + price^" + std::to_string(i) + ".5";
        return out;
    };
    const Program worst = compiled(*schema, powers(200));
    EXPECT_LE(worst.cost, kCostMax);
    EXPECT_GT(worst.cost, kCostMax * 9 / 10);
    const std::string text = powers(204);
    const auto refused =
        compile({.score = *parse_expression(text), .definitions = {}, .source = text}, *schema,
                EntityKind::kItem);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason(), "expression_too_costly");
    EXPECT_EQ(refused.error().code(), ErrorCode::kTooLarge);
    for (const Program& program : {worst, compiled(*schema, "1"), compiled(*schema, powers(20))}) {
        EXPECT_GE(program.block_slots, 16u);
        EXPECT_LE(program.block_slots, kBlockSlots);
        EXPECT_LE(program.cost * program.block_slots, kBlockNanoseconds);
    }
    EXPECT_EQ(compiled(*schema, "year").block_slots, kBlockSlots);

    InventedSource source(*schema);
    Evaluator evaluator(worst, source, {.params = {}});
    const std::vector<Slot> slots(worst.block_slots, Slot(3));
    EXPECT_TRUE(evaluator.run(slots).ok());
}

// Sums of products are most of what people write; odd numbers are most of what could go wrong.
RC_GTEST_PROP(Evaluator, AddsProductsAsTheReferenceDoes, ()) {
    static const auto schema = sample_schema();
    const auto values = {"year",         "price",          "age_hours", "sum(view, 24h)",
                         "log1p(price)", "(year - price)", "2.5",       "param(x)"};
    const auto factors = {"", "0.5 * ", "-3 * ", "1e300 * ", "1e-300 * ", "param(y) * ", "0 * "};
    std::string text = *rc::gen::elementOf(std::vector<std::string>{"", "-"});
    const int terms = *rc::gen::inRange(1, 20);
    for (int i = 0; i < terms; ++i) {
        if (i > 0) text += *rc::gen::elementOf(std::vector<std::string>{" + ", " - ", " + -"});
        text += *rc::gen::elementOf(std::vector<std::string>(factors.begin(), factors.end()));
        text += *rc::gen::elementOf(std::vector<std::string>(values.begin(), values.end()));
    }
    const Program program = compiled(*schema, text), shown = compiled(*schema, text, true);
    InventedSource source(*schema);
    const auto params = param_values(program);
    Evaluator evaluator(program, source, {.params = params});
    Evaluator explainer(shown, source, {.params = params});
    const auto first = *rc::gen::inRange(0u, 1000u);
    const auto count = *rc::gen::inRange(1u, 70u);
    std::vector<Slot> slots;
    for (std::uint32_t s = 0; s < count; ++s) slots.push_back(Slot(first + s));
    const auto scores = evaluator.run(slots);
    RC_ASSERT(scores.ok());
    for (std::uint32_t s = 0; s < count; ++s) {
        const double want = reference(*schema, *parse_expression(text), first + s);
        RC_ASSERT(std::bit_cast<std::uint64_t>((*scores)[s]) == std::bit_cast<std::uint64_t>(want));
        const auto explanation = explainer.explain(slots[s]);
        RC_ASSERT(explanation.ok());
        double sum = explanation->terms[0].value;
        for (std::size_t t = 1; t < explanation->terms.size(); ++t)
            sum = std::clamp(sum + explanation->terms[t].value, -kMagnitudeMax, kMagnitudeMax);
        RC_ASSERT(sum == want);
    }
}

TEST(Evaluator, AddsProductsInOneInstruction) {
    const auto schema = sample_schema();
    const Program sum = compiled(*schema, "0.5 * year - 0.3 * price + age_hours");
    ASSERT_EQ(sum.code.size(), 4u);
    EXPECT_EQ(sum.code.back().op, Op::kSum);
    EXPECT_EQ(sum.block_slots, kBlockSlots);
    EXPECT_TRUE(sum.code[0].in_place && sum.code[1].in_place);
    EXPECT_FALSE(sum.code[2].in_place);  // No column has ages.
    // What something else reads too is computed once, in its register.
    const Program shared = compiled(*schema, "max(0.5 * year + price, price)");
    EXPECT_FALSE(shared.code[1].in_place);
    const Program terms = compiled(*schema, "0.5 * year + price", true);
    EXPECT_EQ(terms.sums.size(), 1u);
    EXPECT_FALSE(terms.sums[0][0].factor);
}

TEST(Evaluator, SharesWhatIsEqualAndReusesRegisters) {
    const auto schema = sample_schema();
    const Program program = compiled(
        *schema, "sum(view, 24h) * sum(view, 24h) + log1p(sum(view, 24h)) + velocity(view, 24h)");
    EXPECT_EQ(program.features.size(), 1u);
    EXPECT_EQ(compiled(*schema, "1 + 2 * 3 - log(4)").code.size(), 0u);
    std::string chain = "year";
    for (int i = 0; i < 250; ++i) chain += " + " + std::to_string(i % 7) + " * price";
    EXPECT_LE(compiled(*schema, chain).register_count, 20);
}

}  // namespace evaluator_test
}  // namespace tidal::ranking
