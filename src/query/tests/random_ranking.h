// query/tests/random_ranking.h: random profiles of all that the language has, and random requests
// of them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "query/feed.h"
#include "query/tests/random_search.h"
#include "query/tests/reference_feed.h"
#include "ranking/tests/random_expression.h"

namespace tidal::query {

/// Of which dot products, lengths and distances are exact, and many are equal.
inline std::vector<float> random_vector(const std::string& slot) {
    std::vector<float> out(4);
    if (slot == "cover" && die(4) == 0) {
        out[die(4)] = die(2) == 0 ? 2.0F : -2.0F;
        return out;
    }
    for (float& value : out)
        value = slot == "cover" ? (die(2) == 0 ? 1.0F : -1.0F) : static_cast<float>(die(4));
    return out;
}

/// By name: of fields and features, of what a profile may define, of ranks and of words.
inline ReferenceModels random_models() {
    ReferenceModels out;
    const std::vector<std::string> inputs[] = {{"year", "price", "age_hours", "popularity"},
                                               {"d1", "quality", "year", "created_s"},
                                               {"fused", "featured", "price"},
                                               {"bm25", "price"}};
    for (std::size_t i = 0; i < std::size(inputs); ++i)
        out.try_emplace("m" + std::to_string(i), inputs[i], 1 + static_cast<int>(die(3)), 3);
    return out;
}

class RandomRanking {
public:
    RandomRanking(std::size_t number, const ReferenceModels& models)
        : models_(models), searches_(die(4) == 0) {
        out_.name = "p" + std::to_string(number);
        out_.sources = sources();
        out_.rank_base = *rc::gen::element(60.0, 60.0, 0.0, 12.5);
        out_.params = {{"x", *rc::gen::element(2.5, -3.0, 0.0)}};
        if (die(2) == 0) out_.params.push_back({"y", *rc::gen::element(-3.0, 40.0)});
        leaves();
        definitions();
        for (std::size_t i = die(3); i > 0; --i)
            out_.gates.push_back(die(2) == 0 ? expression(2)
                                             : parsed("year > -1 - count(view, all)"));
        if (die(4) == 0) out_.gates.push_back(parsed("1 - state(seen)"));
        out_.order.descending = die(3) != 0;
        die(5) == 0 ? order_by_field() : score();
        out_.diversity = diversity();
        if (die(3) == 0) out_.explore_percent = *rc::gen::element(10.0, 34.0, 50.0, 100.0);
        if (die(6) == 0) cap();
    }
    ranking::Profile take() { return std::move(out_); }

private:
    using Source = ranking::Source;
    using SourceKind = ranking::SourceKind;
    using Anchor = ranking::Anchor;
    using DiversityKind = ranking::DiversityKind;

    static ranking::Expr parsed(const std::string& text) {
        auto out = ranking::parse_expression(text);
        EXPECT_TRUE(out.ok()) << text;
        return *std::move(out);
    }
    ranking::Expr expression(int depth) const {
        return ranking::RandomExpression::make(depth, leaves_);
    }
    bool is_ranked() const {
        return std::ranges::any_of(
            out_.sources, [](const auto& source) { return source.kind != SourceKind::kScan; });
    }
    /// What expressions may read beside signals and fields.
    void leaves() {
        for (const auto& source : out_.sources)
            if (source.kind != SourceKind::kScan)
                leaves_.push_back("rank(" + print_source(source) + ")");
        if (is_ranked()) leaves_.emplace_back("fused");
        if (searches_) leaves_.emplace_back("bm25");
        for (const char* leaf : {"popularity", "friends(watch)", "friends(finish)",
                                 "nearest_disliked(cover)", "nearest_disliked(flat)"})
            if (die(4) == 0) leaves_.emplace_back(leaf);
        models();
    }
    /// Those of which all inputs are known here.
    void models() {
        for (const auto& [name, model] : models_) {
            const std::string leaf = "model(" + name + ")";
            const bool usable = std::ranges::all_of(model.inputs, [&](const std::string& input) {
                const bool conditional = input == "d1" || input == "bm25" || input == "fused";
                return !conditional || std::ranges::find(leaves_, input) != leaves_.end();
            });
            if (!usable || std::ranges::find(leaves_, leaf) != leaves_.end()) continue;
            leaves_.push_back(leaf);
            usable_models_.push_back(leaf);
        }
    }
    /// Some have the name of a field, which they hide from there on.
    void definitions() {
        for (const char* name : {"d1", "year", "d2", "price"}) {
            if (die(3) != 0) continue;
            out_.definitions.push_back({name, expression(2)});
            leaves_.emplace_back(name);
            models();
        }
    }

    Source source() const {
        Source out;
        out.kind = *rc::gen::element(SourceKind::kScan, SourceKind::kRecent, SourceKind::kOrdered,
                                     SourceKind::kWindowTop, SourceKind::kPopular, SourceKind::kAnn,
                                     SourceKind::kFollows, SourceKind::kCoEngaged,
                                     SourceKind::kCohortTop, SourceKind::kCollection);
        if (searches_ && die(3) == 0) out.kind = SourceKind::kText;
        if (out.kind == SourceKind::kOrdered || out.kind == SourceKind::kWindowTop)
            out.name = *rc::gen::element<std::string>("view", "like", "share");
        if (out.kind == SourceKind::kWindowTop) out.window = static_cast<schema::Window>(die(6));
        if (out.kind == SourceKind::kCollection) out.name = "picks";
        if (out.kind == SourceKind::kAnn) {
            out.name = *rc::gen::element<std::string>("cover", "flat");
            out.anchor = *rc::gen::element(Anchor::kVector, Anchor::kItem, Anchor::kUser);
        }
        if (out.kind == SourceKind::kCoEngaged)
            out.anchor = *rc::gen::element(Anchor::kItem, Anchor::kUser);
        if (out.kind != SourceKind::kScan && die(4) != 0)
            out.limit = 1 + static_cast<std::uint32_t>(die(9));
        return out;
    }
    std::vector<Source> sources() const {
        std::vector<Source> out;
        for (std::size_t i = die(5); i > 0; --i) {
            Source next = source();
            next.weight = *rc::gen::element(1.0, 1.0, 0.3, 7.0);
            next.when_cold = next.kind != SourceKind::kScan && !out.empty() && die(4) == 0;
            if (std::ranges::none_of(out, [&](const auto& s) { return s.same_list(next); }))
                out.push_back(next);
        }
        if (out.empty()) out.emplace_back();
        if (out.size() == 1) out[0].weight = 1;  // The language has weights in unions.
        return out;
    }

    void score() {
        out_.score = die(3) == 0 ? parsed("sum(view, 24h) - price") : expression(3);
        if (is_ranked() && die(3) == 0) out_.score = parsed("count(view, all) / 1000 + fused");
        if (die(2) == 0) {
            std::string leaf = *rc::gen::element<std::string>(
                "follows(creator)", "affinity(creator)", "similarity(cover)", "similarity(flat)",
                "co_engagement", "cohort(count(view, 7d))", "state(seen)", "decay(like)",
                "friends(watch)", "friends(finish)", "nearest_disliked(cover)",
                "nearest_disliked(flat)", "days_since_last(positive)", "days_since_last(negative)");
            if (die(4) == 0) leaf = usable_models_[die(usable_models_.size())];
            if (searches_ && die(2) == 0) leaf = die(2) == 0 ? "bm25" : "model(m3)";
            out_.score = parsed("2 * " + leaf + " + (" + print_expression(out_.score) + ")");
        }
        for (std::size_t i = die(3); i > 0; --i)
            out_.penalties.push_back({*rc::gen::element(1e-6, 0.5, 1.0), expression(1)});
    }
    void order_by_field() {
        out_.order.by_field = true;
        out_.score.kind = ranking::ExprKind::kName;
        out_.score.name = *rc::gen::element<std::string>("created_at", "year", "price", "quality",
                                                         "released", "length", "title", "category");
    }
    static std::vector<ranking::DiversityRule> diversity() {
        std::vector<ranking::DiversityRule> out;
        const std::uint32_t few = 1 + static_cast<std::uint32_t>(die(3)),
                            many = 1 + static_cast<std::uint32_t>(die(5));
        const double percent = 10.0 + static_cast<double>(die(90));
        const ranking::DiversityRule rules[] = {
            {.count = few},
            {.kind = DiversityKind::kMaxShare, .name = "genres", .percent = percent},
            {.kind = DiversityKind::kMaxShare, .name = "category", .value = "jazz", .percent = 25},
            {.kind = DiversityKind::kMaxShare, .name = "featured", .percent = 60},
            {.kind = DiversityKind::kMinDistinct, .name = "category", .count = many}};
        for (const auto& rule : rules)
            if (die(4) == 0) out.push_back(rule);
        for (const char* slot : {"cover", "flat"}) {
            if (die(5) != 0) continue;
            const double lambda = *rc::gen::element(0.0, 0.25, 0.7, 1.0);
            out.insert(out.begin() + static_cast<std::ptrdiff_t>(die(out.size() + 1)),
                       {.kind = DiversityKind::kMmr, .name = slot, .lambda = lambda});
        }
        return out;
    }
    void cap() {
        out_.cap.emplace();
        if (die(2) == 0) {
            out_.cap->items = 1 + static_cast<double>(die(12));
            return;
        }
        out_.cap->param = "daily";
        out_.params.push_back({"daily", 1 + static_cast<double>(die(12))});
    }

    const ReferenceModels& models_;
    const bool searches_;
    std::vector<std::string> leaves_, usable_models_;
    ranking::Profile out_;
};

/// All that the profile needs, and some of what it may do without.
class RandomRequest {
public:
    RandomRequest(const ranking::Profile& profile, const ReferenceModels& models,
                  const ReferenceWorld& world)
        : profile_(profile), world_(world) {
        out_.profile = profile.name;
        out_.now_ms = kFilterNow;
        out_.limit = static_cast<std::uint32_t>(*rc::gen::element(1, 3, 10, 1000));
        if (die(5) == 0) sort();
        const ranking::Profile sorted = sorted_profile(profile, out_.sort);
        text_ = text_with_models(sorted, models);
        params();
        text_ += text_with_models(profile, models);  // What it needs is needed in any order.
        if (die(2) == 0) out_.seed = die(1000);
        for (std::size_t n = die(3); n > 0; --n) out_.exclude.push_back(EntityId(die(30)));
        const bool of_user = reads("follows") || reads("affinity(") || reads("state(") ||
                             reads("friends(") || reads("nearest_disliked(") ||
                             reads("days_since_last(") || profile.cap ||
                             alone(ranking::Anchor::kUser);
        if (of_user || die(4) != 0) user();
        if (reads("similarity(") || alone(ranking::Anchor::kVector) || die(4) != 0)
            out_.vector = random_vector("cover");
        const bool of_item = reads("co_engagement") && !out_.user;
        if (of_item || alone(ranking::Anchor::kItem) || die(3) == 0)
            out_.similar_to = world.items[die(world.items.size())].id;
        if (reads("cohort")) cohort();
        if (reads("bm25") || reads("text(query)") || die(8) == 0) {
            search_ = RandomSearch::make();
            out_.text = search_->text();
        }
        if (die(4) == 0) places();
        if (die(4) == 0) group();
    }
    const std::optional<ReferenceSearch>& search() const { return search_; }
    FeedRequest take() { return std::move(out_); }

private:
    bool reads(std::string_view what) const { return text_.find(what) != text_.npos; }
    /// The only source starts from it.
    bool alone(ranking::Anchor anchor) const {
        using ranking::SourceKind;
        const ranking::Source& first = profile_.sources[0];
        return profile_.sources.size() == 1 && first.anchor == anchor &&
               (first.kind == SourceKind::kAnn || first.kind == SourceKind::kCoEngaged);
    }

    void sort() {
        std::vector<std::string> defined;
        for (const auto& definition : profile_.definitions) defined.push_back(definition.name);
        out_.sort = die(2) == 0 ? ranking::print_expression(ranking::RandomExpression::make(
                                      static_cast<int>(die(3)), defined))
                                : *rc::gen::element<std::string>("year", "price", "title",
                                                                 "quality", "created_at");
        if (die(2) == 0) out_.sort += " desc";
    }
    /// Of items there are and one there is not, each once.
    void places() {
        std::vector<EntityId> ids{EntityId(999)};
        for (std::size_t n = 1 + die(5); n > 0; --n) {
            const EntityId id = world_.items[die(world_.items.size())].id;
            if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
        }
        for (const EntityId& id : ids) (die(2) == 0 ? out_.pin : out_.bury).push_back(id);
    }
    void group() {
        out_.group_by = *rc::gen::element<std::string>("category", "featured", "year", "price",
                                                       "released", "length", "creator_id");
        if (die(2) == 0) out_.group_by += " TOP " + std::to_string(1 + die(3));
    }

    /// Multiples of a half: degrees of distance_km() in random expressions are none.
    void params() {
        for (const char* name : {"x", "y"}) {
            const std::string read = std::string("param(") + name + ")";
            const bool declared = std::ranges::any_of(
                profile_.params, [&](const auto& param) { return param.name == name; });
            if (declared ? die(2) == 0 : reads(read))
                out_.params[name] = *rc::gen::element(7.0, -0.5, 0.0, 1.5);
        }
        if (profile_.cap && !profile_.cap->param.empty() && die(2) == 0)
            out_.params["daily"] = 1 + static_cast<double>(die(12));
    }
    void user() {
        Viewer& user = out_.user.emplace();
        user.id = kReader;
        for (std::uint64_t creator = 0; creator < 4; ++creator) {
            if (die(3) == 0) user.followed.insert(EntityId(creator));
            if (die(6) == 0) user.blocked.insert(EntityId(creator));
            if (die(5) == 0) user.muted.insert(EntityId(creator));
            if (die(3) == 0)
                user.affinities.emplace(EntityId(creator), static_cast<double>(die(9)) / 4 - 1);
        }
        for (std::uint64_t one = 0; one < 5; ++one)
            if (die(2) == 0) user.friends.push_back(friend_of_reader(one));
        for (std::size_t n = die(4); n > 0; --n)
            user.disliked.push_back(world_.items[die(world_.items.size())].id);
        // Also a moment ahead, and before 1970.
        for (auto* newest : {&user.newest_positive_ms, &user.newest_negative_ms})
            if (die(3) != 0)
                *newest = *rc::gen::elementOf(std::vector<UnixMillis>{
                    kFilterNow, kFilterNow + 60'000, kFilterNow - 5 * 86'400'000, 0, -1});
        // Nothing, or some items of which not more than one has vectors.
        if (die(3) == 0) return;
        bool has_vectors = false;
        std::set<EntityId> liked;
        for (std::size_t n = 1 + die(4); n > 0; --n) {
            const EntityId id = world_.items[die(world_.items.size())].id;
            const bool has = world_.vector_of(id, "cover") || world_.vector_of(id, "flat");
            if ((has && has_vectors) || !liked.insert(id).second) continue;
            has_vectors = has_vectors || has;
            user.liked.push_back(id);
        }
    }
    void cohort() {
        FeedCohort& cohort = out_.cohort.emplace();
        cohort.name = "fans";
        if (die(4) != 0) cohort.id = kFans;
        const auto& schema = world_.homes.begin()->second->items.schema();
        for (const char* signal : {"view", "like", "dislike"})
            cohort.signals.push_back(schema.find_signal(signal)->id);
    }

    const ranking::Profile& profile_;
    const ReferenceWorld& world_;
    std::string text_;
    std::optional<ReferenceSearch> search_;
    FeedRequest out_;
};

}  // namespace tidal::query
