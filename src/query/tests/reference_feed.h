// query/tests/reference_feed.h: what a profile means, written a second time and as plainly as
// possible: every item by itself, whole lists, sorted.
#pragma once

#include <limits>

#include "query/tests/reference_world.h"

namespace tidal::query {

struct ReferenceItem {
    const ranking::SampleItem* item = nullptr;
    double score = 0;
    double key = 0;    ///< Greatest first.
    std::string text;  ///< In orders of texts.
    bool explored = false;
    double draw = 0;
};
inline void sort_by_key(std::vector<ReferenceItem>* items) {
    std::ranges::sort(*items, [](const ReferenceItem& a, const ReferenceItem& b) {
        return a.key != b.key ? a.key > b.key : a.item->id < b.item->id;
    });
}

struct ReferencePage {
    std::vector<ReferenceItem> items;
    std::size_t candidates = 0, matched = 0;
    bool satisfied = true;
};

/// One profile, and what a request says of it.
class ReferenceFeed {
public:
    ReferenceFeed(const schema::Schema& schema, const ReferenceWorld& world,
                  const ranking::Profile& profile, const FeedRequest& request)
        : schema_(schema),
          world_(world),
          profile_(profile),
          request_(request),
          text_(ranking::print_profile(profile)) {
        for (const auto& param : profile.params) params_[param.name] = param.default_value;
        for (const auto& [name, value] : request.params) params_[name] = value;
    }

    ReferencePage page(const std::optional<FilterNode>& filter) {
        std::vector<const ranking::SampleItem*> open, accepted;
        for (const auto& item : world_.items) {
            if (!world_.open(item)) continue;
            open.push_back(&item);
            if (is_excluded(item)) continue;
            if (!filter || ReferenceFilter(item)(*filter) == Truth(true)) accepted.push_back(&item);
        }
        make_lists(accepted);
        ReferencePage out;
        std::vector<ReferenceItem> shown;
        for (const auto* item : open) out.candidates += is_candidate(*item);
        for (const auto* item : accepted)
            if (is_candidate(*item) && passes_gates(*item)) shown.push_back(placed(*item));
        out.matched = shown.size();
        sort(&shown);
        const std::size_t limit =
            std::min<std::size_t>(request_.limit, cap().value_or(request_.limit));
        if (profile_.explore_percent != 0) shown = explore(shown, accepted, limit);
        make_page(shown, std::min(limit, shown.size()), &out);
        return out;
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

private:
    using Source = ranking::Source;
    using SourceKind = ranking::SourceKind;
    using Anchor = ranking::Anchor;

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
    /// Not in a list at all, though it would be required of every candidate anyhow.
    bool is_refused(const ranking::SampleItem& item) const {
        return reads("require 1 - state(seen)") && world_.seen.contains(item.id);
    }

    void make_lists(const std::vector<const ranking::SampleItem*>& accepted) {
        const bool cold = !request_.user || request_.user->liked.empty();
        ranks_.assign(profile_.sources.size(), {});
        scans_ = false;
        for (std::size_t i = 0; i < profile_.sources.size(); ++i) {
            const Source& source = profile_.sources[i];
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
            case SourceKind::kAnn: {
                const auto start = world_.anchor(request_, source.name, source.anchor);
                const auto* const own = world_.vector_of(item.id, source.name);
                if (!start || own == nullptr) return std::nullopt;
                return world_.likeness(source.name, *start, *own);
            }
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
    bool is_candidate(const ranking::SampleItem& item) const {
        return scans_ || std::ranges::any_of(
                             ranks_, [&](const auto& list) { return list.contains(item.id); });
    }

    double value(const ranking::Expr& expr, const ranking::SampleItem& item) const {
        return ranking::ReferenceEvaluator(schema_, [&](const std::string& text) {
            if (text == "fused") return fused(item);
            if (!text.starts_with("rank(")) return world_.leaf(request_, params_, item, text);
            for (std::size_t i = 0; i < profile_.sources.size(); ++i)
                if (text == "rank(" + ranking::print_source(profile_.sources[i]) + ")")
                    return rank(i, item);
            ADD_FAILURE() << text;
            return 0.0;
        })(expr);
    }
    double rank(std::size_t source, const ranking::SampleItem& item) const {
        const auto found = ranks_[source].find(item.id);
        return found == ranks_[source].end()
                   ? 0
                   : 1 / (profile_.rank_base + static_cast<double>(found->second));
    }
    double fused(const ranking::SampleItem& item) const {
        double out = 0;
        for (std::size_t i = 0; i < profile_.sources.size(); ++i)
            if (profile_.sources[i].kind != SourceKind::kScan)
                out += profile_.sources[i].weight * rank(i, item);
        return out;
    }
    static double tame(double x) { return std::isnan(x) ? 0 : std::clamp(x, -1e300, 1e300); }
    bool passes_gates(const ranking::SampleItem& item) const {
        return std::ranges::all_of(profile_.gates,
                                   [&](const auto& gate) { return value(gate, item) != 0; });
    }
    double score(const ranking::SampleItem& item) const {
        double out = value(profile_.score, item);
        for (const auto& penalty : profile_.penalties) {
            if (value(penalty.when, item) == 0) continue;
            // What it was and what the penalty adds: so an explanation is a sum.
            const double changed = out < 0 ? out / penalty.factor : out * penalty.factor;
            out = tame(out + tame(tame(changed) - out));
        }
        if (profile_.order.by_field || !request_.user || !item.creator ||
            !request_.user->muted.contains(*item.creator))
            return out;
        // A tenth of the way to the end of the order, as a term of its own likewise.
        const bool towards_zero = (out >= 0) == profile_.order.descending;
        return out + ((towards_zero ? out * 0.1 : out / 0.1) - out);
    }

    bool is_order_of_texts() const {
        return profile_.order.by_field &&
               (profile_.score.name == "title" || profile_.score.name == "category");
    }
    /// Without the difference of upper and lower case, in the letters that the worlds have.
    static std::string folded(std::string text) {
        for (std::size_t at = 0; at < text.size(); ++at)
            if (text[at] >= 'A' && text[at] <= 'Z')
                text[at] = static_cast<char>(text[at] - 'A' + 'a');
            else if (text.compare(at, 2, "\xC3\x89") == 0)  // É
                text[at + 1] = '\xA9';                      // é
        return text;
    }
    ReferenceItem placed(const ranking::SampleItem& item) const {
        const double sign = profile_.order.descending ? 1 : -1;
        ReferenceItem out{.item = &item};
        if (!is_order_of_texts()) {
            out.score = score(item);
            out.key = sign * out.score;
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

    /// Places at which floor(place * share) rises go to the greatest draws of what few have seen
    /// and the page would not show anyhow; every second one, the first too, to what is by new
    /// creators where there is any. (Worlds are smaller than what is drawn from.)
    std::vector<ReferenceItem> explore(const std::vector<ReferenceItem>& shown,
                                       const std::vector<const ranking::SampleItem*>& accepted,
                                       std::size_t limit) const {
        std::set<EntityId> on_page, taken;
        for (std::size_t i = 0; i < std::min(limit, shown.size()); ++i)
            on_page.insert(shown[i].item->id);
        std::vector<ReferenceItem> drawn;
        for (const auto* item : accepted)
            if (may_be_explored(*item) && !on_page.contains(item->id))
                drawn.push_back(with_draw(*item));
        std::ranges::sort(drawn, [](const ReferenceItem& a, const ReferenceItem& b) {
            return a.draw != b.draw ? a.draw > b.draw : a.item->id < b.item->id;
        });
        std::vector<ReferenceItem> out;
        const auto places = [&](std::size_t rank) {
            return static_cast<std::size_t>(
                std::floor(static_cast<double>(rank) * profile_.explore_percent / 100));
        };
        const auto fill = [&] {
            while (out.size() < limit && !drawn.empty() &&
                   places(out.size() + 1) > places(out.size())) {
                auto next = drawn.begin();
                if (places(out.size() + 1) % 2 == 1)
                    next = std::ranges::find_if(
                        drawn, [&](const auto& each) { return is_outside(*each.item); });
                if (next == drawn.end()) next = drawn.begin();
                taken.insert(next->item->id);
                out.push_back(*next);
                drawn.erase(next);
            }
        };
        for (const ReferenceItem& item : shown) {
            fill();
            if (!taken.contains(item.item->id)) out.push_back(item);
        }
        fill();
        // What is explored keeps its place before rules of relevance, whatever its score.
        for (std::size_t i = 1; i < out.size(); ++i)
            if (out[i].explored) out[i].key = out[i - 1].key;
        return out;
    }
    bool may_be_explored(const ranking::SampleItem& item) const {
        if (world_.window(item.id, "impression", "all", true) >= 100 || !passes_gates(item))
            return false;
        if (is_candidate(item)) return true;
        const bool about = std::ranges::any_of(profile_.sources, [](const Source& source) {
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

    /// The next place goes to the best that breaks no rule, or to the most relevant of them; where
    /// nobody fits, the first rule left is given up.
    void make_page(std::vector<ReferenceItem> shown, std::size_t places, ReferencePage* out) const {
        std::set<std::size_t> given_up;
        const std::vector<ReferenceItem> all = shown;
        while (out->items.size() < places) {
            std::vector<std::size_t> fitting;
            for (std::size_t at = 0; at < shown.size(); ++at) {
                bool fits_all = true;
                for (std::size_t rule = 0; rule < profile_.diversity.size(); ++rule)
                    fits_all =
                        fits_all && (given_up.contains(rule) ||
                                     fits(profile_.diversity[rule], *shown[at].item, *out, places));
                if (fits_all) fitting.push_back(at);
            }
            if (fitting.empty()) {
                std::size_t next = 0;
                while (given_up.contains(next) ||
                       profile_.diversity[next].kind == ranking::DiversityKind::kMmr)
                    ++next;
                given_up.insert(next);
                continue;
            }
            std::size_t best = fitting[0];
            for (const std::size_t at : fitting)
                if (relevance(shown[at], all, *out) > relevance(shown[best], all, *out)) best = at;
            out->items.push_back(shown[best]);
            shown.erase(shown.begin() + static_cast<std::ptrdiff_t>(best));
        }
        out->satisfied = given_up.empty();
    }
    /// Of all rules `mmr`, added up; 0 without one.
    double relevance(const ReferenceItem& item, const std::vector<ReferenceItem>& all,
                     const ReferencePage& page) const {
        const double range = all.front().key - all.back().key;
        const double score = range > 0 ? 1 - (all.front().key - item.key) * (1 / range) : 1;
        double out = 0;
        for (const auto& rule : profile_.diversity) {
            if (rule.kind != ranking::DiversityKind::kMmr) continue;
            std::optional<double> nearest;
            const auto* const own = world_.vector_of(item.item->id, rule.name);
            for (const ReferenceItem& shown : page.items) {
                const auto* const other = world_.vector_of(shown.item->id, rule.name);
                if (own == nullptr || other == nullptr) continue;
                nearest = std::max(nearest.value_or(-2), world_.likeness(rule.name, *own, *other));
            }
            out += rule.lambda * score - (1 - rule.lambda) * nearest.value_or(0);
        }
        return out;
    }
    static std::set<std::string> values_of(const ranking::DiversityRule& rule,
                                           const ranking::SampleItem& item) {
        if (rule.kind == ranking::DiversityKind::kMaxPerCreator)
            return item.creator ? std::set{item.creator->to_string()} : std::set<std::string>();
        const auto found = item.fields.find(rule.name);
        if (found == item.fields.end()) return {};
        if (const auto* text = std::get_if<std::string>(&found->second)) return {*text};
        if (const auto* flag = std::get_if<bool>(&found->second)) return {*flag ? "true" : "false"};
        const auto& list = std::get<std::vector<std::string>>(found->second);
        return {list.begin(), list.end()};
    }
    static bool fits(const ranking::DiversityRule& rule, const ranking::SampleItem& item,
                     const ReferencePage& page, std::size_t places) {
        if (rule.kind == ranking::DiversityKind::kMmr) return true;
        std::map<std::string, std::size_t> there;
        for (const auto& shown : page.items)
            for (const auto& value : values_of(rule, *shown.item)) ++there[value];
        const auto values = values_of(rule, item);
        if (rule.kind == ranking::DiversityKind::kMinDistinct) {
            const std::size_t wanted = std::min<std::size_t>(rule.count, places);
            if (there.size() >= wanted || wanted - there.size() < places - page.items.size())
                return true;
            return std::ranges::any_of(values, [&](const auto& v) { return !there.contains(v); });
        }
        std::size_t most = rule.count;
        if (rule.kind == ranking::DiversityKind::kMaxShare)
            most = std::max(1.0, std::floor(rule.percent / 100 * static_cast<double>(places)));
        return std::ranges::all_of(values, [&](const std::string& value) {
            return (rule.value && *rule.value != value) || there[value] < most;
        });
    }

    const schema::Schema& schema_;
    const ReferenceWorld& world_;
    const ranking::Profile& profile_;
    const FeedRequest& request_;
    const std::string text_;  ///< Of the profile.
    std::map<std::string, double> params_;
    std::vector<std::map<EntityId, std::size_t>> ranks_;  ///< By source.
    bool scans_ = false;
};

}  // namespace tidal::query
