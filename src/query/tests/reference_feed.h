// query/tests/reference_feed.h: what a profile means, written a second time and as plainly as
// possible: every item by itself, whole lists, sorted.
#pragma once

#include <limits>

#include "query/tests/reference_page.h"
#include "query/tests/reference_search.h"
#include "ranking/tests/random_model.h"

namespace tidal::query {

inline void sort_by_key(std::vector<ReferenceItem>* items) {
    std::ranges::sort(*items, [](const ReferenceItem& a, const ReferenceItem& b) {
        return a.key != b.key ? a.key > b.key : a.item->id < b.item->id;
    });
}

/// Models by name, and what of the language they read.
using ReferenceModels = std::map<std::string, ranking::RandomModel>;
/// With what the models read that it calls.
inline std::string text_with_models(const ranking::Profile& profile,
                                    const ReferenceModels& models) {
    std::string out = ranking::print_profile(profile);
    const std::string written = out;
    for (const auto& [name, model] : models)
        if (written.find("model(" + name + ")") != written.npos)
            for (const std::string& input : model.inputs) out += " " + input;
    return out;
}

/// No stored value, though its name stands alone.
inline bool is_feature(const std::string& name) {
    return name == "age_hours" || name == "created_s" || name == "popularity";
}
/// With what a request's `sort` says in the place of score, penalties and order: a stored value, or
/// what it says of the definitions.
inline ranking::Profile sorted_profile(ranking::Profile profile, const std::string& sort) {
    if (sort.empty()) return profile;
    const bool descending = sort.ends_with(" desc");
    profile.score = *ranking::parse_expression(sort.substr(0, sort.size() - (descending ? 5 : 0)));
    profile.penalties.clear();
    const bool defined = std::ranges::any_of(
        profile.definitions, [&](const auto& each) { return each.name == profile.score.name; });
    const bool name = profile.score.kind == ranking::ExprKind::kName;
    profile.order = {.by_field = name && !defined && !is_feature(profile.score.name),
                     .descending = descending};
    return profile;
}

/// One profile, and what a request says of it.
class ReferenceFeed {
public:
    /// @param search  That the request's text says. @param answers  How well items answer it, as
    /// the
    ///                index rounds it.
    ReferenceFeed(const schema::Schema& schema, const ReferenceWorld& world,
                  const ranking::Profile& profile, const ReferenceModels& models,
                  const FeedRequest& request, const std::optional<ReferenceSearch>& search,
                  std::map<EntityId, double> answers)
        : schema_(schema),
          world_(world),
          profile_(sorted_profile(profile, request.sort)),
          models_(models),
          request_(request),
          search_(search),
          answers_(std::move(answers)),
          text_(text_with_models(profile_, models)),
          sources_(profile.sources) {
        text_alone_ = search && !has_source(SourceKind::kText);
        if (text_alone_) sources_.push_back({.kind = SourceKind::kText});
        for (const auto& param : profile.params) params_[param.name] = param.default_value;
        for (const auto& [name, value] : request.params) params_[name] = value;
    }

    ReferencePage page(const std::optional<FilterNode>& filter) {
        std::vector<const ranking::SampleItem*> open, accepted;
        for (const auto& item : world_.items) {
            if (!world_.open(item)) continue;
            open.push_back(&item);
            if (is_excluded(item) || (search_ && !search_->accepts(item))) continue;
            if (!filter || ReferenceFilter(item)(*filter) == Truth(true)) accepted.push_back(&item);
        }
        make_lists(accepted);
        ReferencePage out;
        std::vector<ReferenceItem> shown, drawn;
        for (const auto* item : open) out.candidates += is_candidate(*item);
        for (const auto* item : accepted)
            if (is_candidate(*item) && passes_gates(*item)) shown.push_back(placed(*item));
        out.matched = shown.size();
        sort(&shown);
        for (const auto* item : accepted)
            if (profile_.explore_percent != 0 && may_be_explored(*item))
                drawn.push_back(with_draw(*item));
        ReferenceArrangement(world_, profile_, request_)
            .fill(std::move(shown), std::move(drawn),
                  std::min<std::size_t>(request_.limit, cap().value_or(request_.limit)), &out);
        return out;
    }
    /// What a hit of a search tells.
    double text_score(const ranking::SampleItem& item) const { return answers_.at(item.id); }
    double fused_score(const ranking::SampleItem& item) const { return fused(item, sources_); }
    /// By the first source of what is near; nullopt = there is none, or no vector.
    std::optional<double> vector_score(const ranking::SampleItem& item) const {
        const auto near = std::ranges::find(sources_, SourceKind::kAnn, &Source::kind);
        return near == sources_.end() ? std::nullopt : nearness(*near, item);
    }
    std::optional<std::uint32_t> cap() const {
        if (!profile_.cap) return std::nullopt;
        return static_cast<std::uint32_t>(
            profile_.cap->param.empty() ? profile_.cap->items : params_.at(profile_.cap->param));
    }
    /// How many each source listed, for a look at what a test has reached.
    std::vector<std::size_t> listed() const {
        std::vector<std::size_t> out;
        for (const auto& list : ranks_) out.push_back(list.size());
        return out;
    }
    const std::vector<ranking::Source>& sources() const { return sources_; }

private:
    using Source = ranking::Source;
    using SourceKind = ranking::SourceKind;
    using Anchor = ranking::Anchor;
    using Definitions = std::map<std::string, double>;

    bool has_source(SourceKind kind) const {
        return std::ranges::any_of(profile_.sources,
                                   [&](const Source& source) { return source.kind == kind; });
    }

    bool reads(std::string_view what) const { return text_.find(what) != text_.npos; }
    bool is_excluded(const ranking::SampleItem& item) const {
        const auto& exclude = request_.exclude;
        if (std::ranges::find(exclude, item.id) != exclude.end()) return true;
        const bool from_item = std::ranges::any_of(profile_.sources, [](const Source& source) {
            return is_of_vectors_or_likes(source) && source.anchor == Anchor::kItem;
        });
        if (request_.similar_to == item.id && (from_item || reads("co_engagement") ||
                                               (reads("similarity(") && request_.vector.empty())))
            return true;
        if (!request_.user) return false;
        return world_.hidden.contains(item.id) ||
               (item.creator && request_.user->blocked.contains(*item.creator));
    }
    static bool is_of_vectors_or_likes(const Source& source) {
        return source.kind == SourceKind::kAnn || source.kind == SourceKind::kCoEngaged;
    }
    /// Not in a list at all, though it would be required of every candidate anyhow. What is
    /// searched for is found, seen or not.
    bool is_refused(const ranking::SampleItem& item) const {
        return !search_ && reads("require 1 - state(seen)") && world_.seen.contains(item.id);
    }

    void make_lists(const std::vector<const ranking::SampleItem*>& accepted) {
        const bool cold = !request_.user || request_.user->liked.empty();
        ranks_.assign(sources_.size(), {});
        scans_ = false;
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            const Source& source = sources_[i];
            scans_ = scans_ || source.kind == SourceKind::kScan;
            if (source.kind == SourceKind::kScan || (source.when_cold && !cold)) continue;
            std::vector<ReferenceItem> list;
            for (const auto* item : accepted)
                if (const auto key = key_of(source, *item); key && !is_refused(*item))
                    list.push_back({.item = item, .key = *key});
            sort_by_key(&list);
            for (std::size_t rank = 1;
                 rank <= std::min<std::size_t>(list.size(), source.limit_or_default()); ++rank)
                ranks_[i].emplace(list[rank - 1].item->id, rank);
        }
    }
    static std::optional<double> if_positive(double key) {
        return key > 0 ? std::optional(key) : std::nullopt;
    }
    /// nullopt = the source does not have it.
    std::optional<double> key_of(const Source& source, const ranking::SampleItem& item) const {
        const auto created = static_cast<double>(*item.created_at);
        switch (source.kind) {
            case SourceKind::kRecent:
                return created;
            case SourceKind::kFollows:
                if (!item.creator || !request_.user->followed.contains(*item.creator))
                    return std::nullopt;
                return created;
            case SourceKind::kOrdered:
                return if_positive(world_.decayed(item.id, source.name));
            case SourceKind::kPopular:
                return if_positive(world_.popularity(item.id));
            case SourceKind::kCoEngaged:
                return if_positive(world_.co_engaged(request_, item.id, source.anchor));
            case SourceKind::kWindowTop:
                return if_positive(
                    world_.window(item.id, source.name, schema::window_name(source.window), false));
            case SourceKind::kCollection: {
                const auto found = world_.collected.find(item.id);
                return found == world_.collected.end() ? std::nullopt
                                                       : std::optional(-found->second);
            }
            case SourceKind::kAnn:
                return nearness(source, item);
            case SourceKind::kText:
                // Conditions alone are met by the newest.
                return search_->parts.empty() ? std::optional(created)
                                              : if_positive(answers_.at(item.id));
            case SourceKind::kCohortTop:
                return if_positive(watched(item));
            default:
                ADD_FAILURE() << "no list";
                return std::nullopt;
        }
    }
    double watched(const ranking::SampleItem& item) const {
        double out = 0;
        for (const SignalTypeId signal : request_.cohort->signals) {
            const auto& spec = schema_.signals[signal.value()];
            if (spec.polarity != schema::Polarity::kNegative)
                out += world_.of_cohort(*request_.cohort, item.id, spec.name, "7d");
        }
        return out;
    }
    std::optional<double> nearness(const Source& source, const ranking::SampleItem& item) const {
        const auto start = world_.anchor(request_, source.name, source.anchor);
        const auto* const own = world_.vector_of(item.id, source.name);
        if (!start || own == nullptr) return std::nullopt;
        return world_.likeness(source.name, *start, *own);
    }
    bool is_pinned(const ranking::SampleItem& item) const {
        return std::ranges::find(request_.pin, item.id) != request_.pin.end();
    }
    bool is_candidate(const ranking::SampleItem& item) const {
        if (is_pinned(item)) return true;
        if (text_alone_) return ranks_.back().contains(item.id);
        return scans_ || std::ranges::any_of(
                             ranks_, [&](const auto& list) { return list.contains(item.id); });
    }

    double value(const ranking::Expr& expr, const ranking::SampleItem& item) const {
        Definitions known;
        for (const auto& definition : profile_.definitions) {
            const double defined = evaluator(item, known)(definition.value);
            known[definition.name] = defined;
        }
        return evaluator(item, known)(expr);
    }
    /// @param known  The definitions before what is evaluated.
    ranking::ReferenceEvaluator evaluator(const ranking::SampleItem& item,
                                          const Definitions& known) const {
        return {schema_, [&](const std::string& text) { return leaf(item, known, text); }, known};
    }
    double leaf(const ranking::SampleItem& item, const Definitions& known,
                const std::string& text) const {
        if (text == "fused") return fused(item, profile_.sources);
        if (text == "bm25") return answers_.at(item.id);
        if (text.starts_with("model(")) {
            const auto& model = models_.at(text.substr(6, text.size() - 7));
            std::vector<double> row;
            for (const std::string& input : model.inputs)
                row.push_back(evaluator(item, known)(*ranking::parse_expression(input)));
            return model.score(row);
        }
        if (!text.starts_with("rank(")) return world_.leaf(request_, params_, item, text);
        for (std::size_t i = 0; i < profile_.sources.size(); ++i)
            if (text == "rank(" + ranking::print_source(profile_.sources[i]) + ")")
                return rank(i, item);
        ADD_FAILURE() << text;
        return 0.0;
    }
    double rank(std::size_t source, const ranking::SampleItem& item) const {
        const auto found = ranks_[source].find(item.id);
        return found == ranks_[source].end()
                   ? 0
                   : 1 / (profile_.rank_base + static_cast<double>(found->second));
    }
    /// @param sources  The first of sources_.
    double fused(const ranking::SampleItem& item, const std::vector<Source>& sources) const {
        double out = 0;
        for (std::size_t i = 0; i < sources.size(); ++i)
            if (sources[i].kind != SourceKind::kScan) out += sources[i].weight * rank(i, item);
        return out;
    }
    static double tame(double x) { return std::isnan(x) ? 0 : std::clamp(x, -1e300, 1e300); }
    bool passes_gates(const ranking::SampleItem& item) const {
        return std::ranges::all_of(profile_.gates,
                                   [&](const auto& gate) { return value(gate, item) != 0; });
    }
    double score(const ranking::SampleItem& item) const {
        // A stored value, though a definition may have its name.
        if (profile_.order.by_field)
            return world_.leaf(request_, params_, item, profile_.score.name);
        double out = value(profile_.score, item);
        for (const auto& penalty : profile_.penalties) {
            if (value(penalty.when, item) == 0) continue;
            // What it was and what the penalty adds: so an explanation is a sum.
            const double changed = out < 0 ? out / penalty.factor : out * penalty.factor;
            out = tame(out + tame(tame(changed) - out));
        }
        if (!request_.user || !item.creator || !request_.user->muted.contains(*item.creator))
            return out;
        // A tenth of the way to the end of the order, as a term of its own likewise.
        const bool towards_zero = (out >= 0) == profile_.order.descending;
        return out + ((towards_zero ? out * 0.1 : out / 0.1) - out);
    }

    bool is_order_of_texts() const {
        return profile_.order.by_field &&
               (profile_.score.name == "title" || profile_.score.name == "category");
    }
    ReferenceItem placed(const ranking::SampleItem& item) const {
        const double sign = profile_.order.descending ? 1 : -1;
        ReferenceItem out{.item = &item};
        if (!is_order_of_texts()) {
            out.score = score(item);
            out.key = sign * out.score;
            const bool stored = !request_.sort.empty() && profile_.order.by_field &&
                                profile_.score.name != "created_at";
            if (stored && !item.fields.contains(profile_.score.name)) out.key = Pins::kMissing;
            return out;
        }
        const auto found = item.fields.find(profile_.score.name);
        if (found == item.fields.end()) {
            out.key = Pins::kMissing;  // Last in both directions.
            return out;
        }
        out.text = folded(std::get<std::string>(found->second));
        for (std::size_t i = 0; i < 6; ++i)
            out.score = out.score * 256 +
                        (i < out.text.size() ? static_cast<unsigned char>(out.text[i]) : 0);
        out.key = sign * out.score;
        return out;
    }
    void sort(std::vector<ReferenceItem>* items) const {
        if (!is_order_of_texts()) return sort_by_key(items);
        std::ranges::sort(*items, [&](const ReferenceItem& a, const ReferenceItem& b) {
            const bool a_has = a.key != Pins::kMissing, b_has = b.key != Pins::kMissing;
            if (a_has != b_has) return a_has;
            if (a.text != b.text) return (a.text > b.text) == profile_.order.descending;
            return a.item->id < b.item->id;
        });
    }

    bool may_be_explored(const ranking::SampleItem& item) const {
        // These have their places.
        if (is_pinned(item) || std::ranges::find(request_.bury, item.id) != request_.bury.end())
            return false;
        if (world_.window(item.id, "impression", "all", true) >= 100 || !passes_gates(item))
            return false;
        if (is_candidate(item)) return true;
        const bool about =
            search_ || std::ranges::any_of(sources_, [](const Source& source) {
                return source.kind == SourceKind::kCollection ||
                       (is_of_vectors_or_likes(source) && source.anchor != Anchor::kUser);
            });
        return !scans_ && !about && !is_refused(item);
    }
    bool is_outside(const ranking::SampleItem& item) const {
        return !request_.user || !item.creator ||
               (!request_.user->followed.contains(*item.creator) &&
                !request_.user->affinities.contains(*item.creator));
    }
    ReferenceItem with_draw(const ranking::SampleItem& item) const {
        ReferenceItem out = placed(item);
        out.key = (profile_.order.descending ? 1 : -1) * out.score;
        out.explored = true;
        out.outside = is_outside(item);
        const double impressions = world_.window(item.id, "impression", "all", true);
        double positives = 0;
        for (const auto& signal : schema_.signals)
            if (signal.polarity == schema::Polarity::kPositive)
                positives += world_.window(item.id, signal.name, "all", true);
        // exploration_test.cc checks that it is a draw from the posterior.
        out.draw = draw_rate(impressions, std::min(positives, impressions), item.id,
                             request_.seed.value_or(std::uint64_t{kFilterNow}));
        return out;
    }

    const schema::Schema& schema_;
    const ReferenceWorld& world_;
    const ranking::Profile profile_;
    const ReferenceModels& models_;
    const FeedRequest& request_;
    const std::optional<ReferenceSearch>& search_;
    const std::map<EntityId, double> answers_;
    const std::string text_;       ///< Of the profile.
    std::vector<Source> sources_;  ///< Where a search adds one, with that.
    bool text_alone_ = false;      ///< Which alone says what candidates are.
    std::map<std::string, double> params_;
    std::vector<std::map<EntityId, std::size_t>> ranks_;  ///< By source.
    bool scans_ = false;
};

}  // namespace tidal::query
