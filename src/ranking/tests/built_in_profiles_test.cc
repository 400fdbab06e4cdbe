// Every built-in profile against its formula in plain C++ over plain lists of events.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"
#include "ranking/table_features.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::ranking {
namespace built_in_profiles_test {

using schema::Window;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr UnixMillis kNow =
    1'767'225'600'000 + 17 * kHourMs + 1'234'567;  // 2026-01-01T17:20:34.567Z
constexpr std::uint64_t kSeed = 42;

/// What the formulas of the table are made of, for one item.
struct Facts {
    SampleShard& shard;
    EntityId id;
    UnixMillis created_at;

    double sum(const std::string& signal, Window w) const {
        return record::weight_to_double(shard.window(id, signal, w, kNow).sum);
    }
    double count(const std::string& signal, Window w) const {
        return static_cast<double>(shard.window(id, signal, w, kNow).count);
    }
    double positive(Window w) const { return sum("like", w) + sum("share", w) + sum("comment", w); }
    double negative(Window w) const { return sum("dislike", w) + sum("skip", w); }
    double pos() const { return positive(Window::kAll); }
    double neg() const { return negative(Window::kAll); }
    double engagement(Window w) const {
        return count("view", w) + count("like", w) + count("share", w) + count("comment", w);
    }
    double age_hours() const {
        return std::max(0.0, static_cast<double>(kNow - created_at) / 3.6e6);
    }
    double quality() const {
        const double n = pos() + neg(), z = 1.959963984540054;
        if (n <= 0) return 0;
        const double p = std::clamp(pos() / n, 0.0, 1.0);
        return std::max(0.0,
                        (p + z * z / (2 * n) - z * std::sqrt((p * (1 - p) + z * z / (4 * n)) / n)) /
                            (1 + z * z / n));
    }
};

double rising(const Facts& f) {
    const double v = f.engagement(Window::k1h);
    const double b = f.engagement(Window::k7d) / std::clamp(f.age_hours(), 1.0, 168.0);
    return (v - b) / std::sqrt(b + 1) * std::exp2(-f.age_hours() / 48);
}

double controversial(const Facts& f) {
    const double low = std::min(f.pos(), f.neg()), high = std::max(f.pos(), f.neg());
    return low <= 0 ? 0 : std::pow(f.pos() + f.neg(), low / high);
}

const std::map<std::string, std::function<double(const Facts&)>>& formulas() {
    using F = const Facts&;
    static const std::map<std::string, std::function<double(F)>> kFormulas{
        {"new", [](F f) { return static_cast<double>(f.created_at); }},
        {"old", [](F f) { return static_cast<double>(f.created_at); }},
        {"trending",
         [](F f) {
             const auto log1p = [](double x) { return std::log1p(std::max(x, 1e-9 - 1)); };
             return 0.5 * log1p(f.sum("share", Window::k24h)) +
                    0.3 * log1p(f.sum("view", Window::k24h)) +
                    0.2 * log1p(f.shard.users(f.id, "view"));
         }},
        {"hot",
         [](F f) {
             const double n = f.pos() - f.neg();
             return (n > 0) * std::log10(std::max(n, 1.0)) -
                    (n < 0) * std::log10(std::max(-n, 1.0)) +
                    static_cast<double>(f.created_at) / 1000 / 45000;
         }},
        {"rising", rising},
        {"top_hour", [](F f) { return f.positive(Window::k1h); }},
        {"top_day", [](F f) { return f.positive(Window::k24h); }},
        {"top_week", [](F f) { return f.positive(Window::k7d); }},
        {"top_month", [](F f) { return f.positive(Window::k30d); }},
        {"top_year", [](F f) { return f.positive(Window::k365d); }},
        {"top_all", [](F f) { return f.positive(Window::kAll); }},
        {"most_viewed", [](F f) { return f.sum("view", Window::kAll); }},
        {"most_liked", [](F f) { return f.sum("like", Window::kAll); }},
        {"most_shared", [](F f) { return f.sum("share", Window::kAll); }},
        {"most_commented", [](F f) { return f.sum("comment", Window::kAll); }},
        {"controversial", controversial},
        {"hidden_gems",
         [](F f) { return f.quality() / std::log10(f.sum("view", Window::kAll) + 10); }},
        {"shuffle", [](F f) { return random_of(f.id, kSeed) * std::sqrt(f.quality()); }},
    };
    return kFormulas;
}

/// Items of every age with events of every age, bursts among them, in two regions.
void fill(SampleShard& shard, std::vector<SampleItem>* items) {
    std::mt19937_64 random(7);
    const auto below = [&](std::int64_t n) {
        return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
    };
    constexpr std::int64_t kSpans[] = {kHourMs, 24 * kHourMs, 7 * 24 * kHourMs, 400 * 24 * kHourMs};
    const char* const kSignals[] = {"view", "like", "share", "comment", "dislike", "skip"};
    for (std::uint64_t i = 0; i < 300; ++i) {
        SampleItem item{.id = EntityId(i * 7919)};
        item.created_at = kNow - below(kSpans[i % 4]);
        if (i == 0) item.created_at = kNow + kHourMs;  // A clock somewhere runs ahead.
        if (i == 1) item.created_at = kNow;
        shard.put(item);
        items->push_back(item);
        const auto events = below(i % 5 == 0 ? 200 : 12);
        for (std::int64_t e = 0; e < events; ++e) {
            const char* signal = kSignals[below(i % 3 == 0 ? 6 : 4)];
            const double weight = below(4) == 0 ? static_cast<double>(below(64) - 16) / 8 : 1;
            shard.signal(item.id, signal, weight, kNow - below(kSpans[below(4)]),
                         static_cast<std::size_t>(below(2)));
        }
        for (std::int64_t u = below(9); u > 0; --u)
            shard.seen_by(item.id, "view", static_cast<std::uint64_t>(u));
    }
}

TEST(BuiltInProfiles, EqualTheirFormulas) {
    const auto schema = sample_schema();
    SampleShard shard(schema);
    std::vector<SampleItem> items;
    fill(shard, &items);
    const ProfileRegistry registry(*schema);
    const auto listed = registry.list(EntityKind::kItem);
    // The two orders by a text, `following`, `similar`, `related`, `notification`, `search`,
    // `suggest` and `cohort_trending` have no formula: query/tests, tests/process.
    ASSERT_EQ(std::ranges::count_if(listed, &ProfileListing::available),
              static_cast<std::ptrdiff_t>(formulas().size() + 9));
    const ShardView view = shard.view();
    TableFeatureSource source(view);
    for (const auto& [name, formula] : formulas()) {
        const auto profile = registry.find(name, EntityKind::kItem);
        ASSERT_TRUE(profile.ok()) << profile.error().to_string();
        EXPECT_EQ((*profile)->profile.order.descending, name != "old");
        EXPECT_TRUE((*profile)->program.warnings.empty()) << (*profile)->program.warnings[0];
        Evaluator evaluator((*profile)->program, source,
                            {.now_ms = kNow, .seed = kSeed, .params = {}});
        std::vector<Slot> slots;
        for (const auto& item : items) slots.push_back(*shard.entities().find(item.id));
        const auto scores = evaluator.run(slots);
        ASSERT_TRUE(scores.ok());
        int distinct = 0;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const double want = formula({shard, items[i].id, *items[i].created_at});
            ASSERT_NEAR((*scores)[i], want, 1e-12 * std::max(1.0, std::abs(want)))
                << name << " of item " << items[i].id.to_string();
            distinct += want != formula({shard, items[0].id, *items[0].created_at});
        }
        EXPECT_GT(distinct, 20) << name << ": the data does not exercise it";
    }
}

// Its usual hour was once counted over a fraction of an hour, which put new items below idle ones.
TEST(BuiltInProfiles, RisingPutsNoNewItemBelowAnIdleOne) {
    const auto schema = sample_schema();
    SampleShard shard(schema);
    const ProfileRegistry registry(*schema);
    const std::int64_t ages_ms[] = {0, kHourMs / 60, kHourMs / 3, kHourMs - 1};
    for (const std::int64_t age_ms : ages_ms) {
        SampleItem item{.id = EntityId(static_cast<std::uint64_t>(age_ms) + 1)};
        item.created_at = kNow - age_ms;
        shard.put(item);
        for (int i = 0; i < 30; ++i) shard.signal(item.id, "like", 1, kNow - age_ms / 2);
        const ShardView view = shard.view();
        TableFeatureSource source(view);
        const auto profile = registry.find("rising", EntityKind::kItem);
        Evaluator evaluator((*profile)->program, source, {.now_ms = kNow, .params = {}});
        const Slot slot = *shard.entities().find(item.id);
        EXPECT_EQ((*evaluator.run({&slot, 1}))[0], 0) << age_ms;
    }
}

TEST(BuiltInProfiles, FeaturesReadTheTables) {
    const auto schema = sample_schema();
    SampleShard shard(schema);
    std::vector<SampleItem> items;
    fill(shard, &items);
    const ShardView view = shard.view();
    TableFeatureSource source(view);
    const auto values = [&](const std::string& text) {
        const auto expr = parse_expression(text);
        const auto program = compile({.score = *expr, .definitions = {}, .source = text}, *schema,
                                     EntityKind::kItem);
        EXPECT_TRUE(program.ok()) << program.error().to_string();
        Evaluator evaluator(*program, source, {.now_ms = kNow, .seed = 1, .params = {}});
        std::vector<Slot> slots;
        for (const auto& item : items) slots.push_back(*shard.entities().find(item.id));
        const auto scores = evaluator.run(slots);
        return std::vector<double>(scores->begin(), scores->end());
    };
    const auto decay = values("decay(like)");
    const auto velocity = values("velocity(view, 7d)");
    const auto rate = values("rate(like, per view, 30d)");
    const auto quality = values("quality");
    const auto rolled = values("random(5)");
    for (std::size_t i = 0; i < items.size(); ++i) {
        const Facts f{shard, items[i].id, *items[i].created_at};
        EXPECT_NEAR(decay[i], shard.decayed(f.id, "like", kNow), 1e-8);
        EXPECT_NEAR(velocity[i], f.sum("view", Window::k7d) / (7 * 86400), 1e-12);
        EXPECT_NEAR(rate[i],
                    (f.count("like", Window::k30d) + 1) / (f.count("view", Window::k30d) + 20),
                    1e-12);
        EXPECT_EQ(quality[i], 0.5);  // Declared default: no item has the field.
        EXPECT_EQ(rolled[i], random_of(items[i].id, 5));
        EXPECT_TRUE(rolled[i] >= 0 && rolled[i] < 1);
    }
}

TEST(ProfileRegistry, SaysWhatASchemaCannotServe) {
    const auto schema = sample_schema(
        "signals:\n  view: {polarity: neutral, half_life: 1d}\n"
        "  like: {polarity: positive, half_life: 1d}\n"
        "  share: {polarity: positive, half_life: 1d}\n");
    const ProfileRegistry registry(*schema);
    std::string unavailable, warned;
    for (const auto& listing : registry.list(EntityKind::kItem)) {
        EXPECT_FALSE(listing.about.empty());
        EXPECT_FALSE(listing.text.empty());
        if (!listing.available) unavailable += listing.name + ": " + listing.reason + "\n";
        for (const auto& warning : listing.warnings) warned += listing.name + ": " + warning + "\n";
    }
    EXPECT_EQ(unavailable,
              "alphabetical_asc: unknown field `title`\n"
              "alphabetical_desc: unknown field `title`\n"
              "date_saved: unknown field `date_saved`\n"
              "for_you: `explore` counts the signal `impression`, which the schema lacks\n"
              "hybrid: there is no embedding slot\n"
              "live_viewers: unknown field `live_viewers`\n"
              "longest: unknown field `duration`\n"
              "most_commented: unknown signal `comment`\n"
              "shortest: unknown field `duration`\n"
              "similar: there is no embedding slot\n");
    EXPECT_EQ(warned,
              "cohort_trending: unique(view, 24h) is 0: the schema does not keep distinct users of "
              "this signal\n"
              "notification: state(seen) is 0: no signal of the schema sets it\n"
              "related: `ann(item)` is empty: there is no embedding slot\n"
              "trending: unique(view, 24h) is 0: the schema does not keep distinct users of this "
              "signal\n");
    const auto find = [&](std::string_view name, EntityKind kind = EntityKind::kItem) {
        const auto found = registry.find(name, kind);
        return found.ok() ? (*found)->profile.name_and_version()
                          : std::string(found.error().reason()) + ": " + found.error().to_string();
    };
    EXPECT_EQ(find("trending"), "trending@1");
    EXPECT_EQ(find("trending@1"), "trending@1");
    EXPECT_EQ(find("hot", EntityKind::kCreator), "hot@1");
    EXPECT_EQ(find("new", EntityKind::kUser), "new@1");
    EXPECT_EQ(find("trendign"),
              "unknown_profile: unknown profile `trendign` (field profile); did you "
              "mean `trending`?");
    EXPECT_EQ(find("trending@2"),
              "unknown_profile: unknown profile `trending@2` (field profile); "
              "versions of it: 1");
    EXPECT_EQ(find("trending@x"),
              "invalid_argument: a profile's version is a number (field profile); "
              "for example trending@1");
    EXPECT_EQ(find("most_commented"),
              "profile_unavailable: profile `most_commented` is not available: unknown signal "
              "`comment` (field profile); signals: view, like, share");
}

/// What an application does not send or keep is a part of 0, not an end of the profile.
TEST(ProfileRegistry, ForYouAndRelatedNeedNoSignalOfTheirOwnAndNoVectors) {
    const auto schema = sample_schema(
        "signals:\n  heart: {polarity: positive, half_life: 1d}\n"
        "  impression: {half_life: 7d}\n");
    const ProfileRegistry registry(*schema);
    for (const char* name : {"for_you", "related"}) {
        const auto profile = registry.find(name, EntityKind::kItem);
        EXPECT_TRUE(profile.ok()) << profile.error().to_string();
    }
    EXPECT_EQ((*registry.find("for_you", EntityKind::kItem))->program.warnings,
              (std::vector<std::string>{"nearest_disliked is 0: there is no embedding slot",
                                        "state(seen) is 0: no signal of the schema sets it",
                                        "state(liked) is 0: no signal of the schema sets it",
                                        "`ann(user)` is empty: there is no embedding slot"}));
    const auto score = [&](const std::string& text) {
        auto compiled = compile_profile(*parse_profile(text), *schema, EntityKind::kItem);
        return compiled.ok() ? std::string("ok") : std::string(compiled.error().reason());
    };
    EXPECT_EQ(score("profile p version 1 { score state(sen); }"), "unknown_state");
    EXPECT_EQ(score("profile p version 1 { candidates ann(item); score 1; }"), "unknown_slot");
    EXPECT_EQ(score("profile p version 1 { candidates union(recent, ann(cover, item)); score 1; }"),
              "unknown_slot");
}

TEST(ProfileRegistry, TheDefaultSchemaServesEveryBuiltInProfileWhoseInputsItHas) {
    const auto schema = schema::parse_schema(schema::default_schema_yaml());
    ASSERT_TRUE(schema.ok());
    std::string unavailable;
    for (const auto& listing : ProfileRegistry(*schema).list(EntityKind::kItem)) {
        if (!listing.available) unavailable += listing.name + ": " + listing.reason + "\n";
        EXPECT_TRUE(listing.warnings.empty()) << listing.name;
    }
    EXPECT_EQ(unavailable,
              "date_saved: unknown field `date_saved`\n"
              "for_you: `explore` counts the signal `impression`, which the schema lacks\n"
              "live_viewers: unknown field `live_viewers`\n"
              "longest: unknown field `duration`\n"
              "shortest: unknown field `duration`\n");
}

TEST(ProfileRegistry, FieldOrdersAppearWithTheirFields) {
    const auto schema = sample_schema(
        "items:\n  fields:\n    duration: duration\n    live_viewers: int\n"
        "    date_saved: timestamp\n");
    SampleShard shard(schema);
    for (const std::uint64_t i : {1, 2, 3})
        shard.put({.id = EntityId(i),
                   .fields = {{"duration", static_cast<std::int64_t>(10 * i)},
                              {"live_viewers", static_cast<std::int64_t>(20 * i)},
                              {"date_saved", static_cast<std::int64_t>(30 * i)}}});
    const ProfileRegistry registry(*schema);
    const ShardView view = shard.view();
    TableFeatureSource source(view);
    const auto score = [&](std::string_view name, bool descending) {
        const auto profile = registry.find(name, EntityKind::kItem);
        EXPECT_TRUE(profile.ok()) << name;
        EXPECT_EQ((*profile)->profile.order.descending, descending) << name;
        Evaluator evaluator((*profile)->program, source, {.now_ms = kNow, .params = {}});
        const Slot slot = *shard.entities().find(EntityId(2));
        return (*evaluator.run({&slot, 1}))[0];
    };
    EXPECT_EQ(score("shortest", false), 20);
    EXPECT_EQ(score("longest", true), 20);
    EXPECT_EQ(score("live_viewers", true), 40);
    EXPECT_EQ(score("date_saved", true), 60);
}

}  // namespace built_in_profiles_test
}  // namespace tidal::ranking
