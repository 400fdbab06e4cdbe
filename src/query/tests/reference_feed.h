// query/tests/reference_feed.h: what a profile means, written a second time and as plainly as
// possible: every item by itself, whole lists, sorted.
#pragma once

#include <cmath>
#include <limits>

#include "query/feed.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/reference_evaluator.h"

namespace tidal::query {

/// Items over any number of shards, and all that is asked of them by brute force.
struct ReferenceWorld {
    std::vector<ranking::SampleItem> items;
    std::map<EntityId, ranking::SampleShard*> homes;

    bool open(const ranking::SampleItem& item) const {
        return (!item.publish_at || *item.publish_at <= kFilterNow) &&
               (!item.expires_at || *item.expires_at > kFilterNow);
    }
    double leaf(const ranking::SampleItem& item, const std::string& text) const {
        if (text == "created_at") return static_cast<double>(*item.created_at);
        if (text == "age_hours")
            return static_cast<double>(kFilterNow - *item.created_at) / 3'600'000.0;
        const auto open = text.find('('), comma = text.find(", ");
        if (open == text.npos) return field(item, text);
        const std::string what = text.substr(0, open);
        if (what == "param") return text == "param(x)" ? 2.5 : -3;
        const std::string signal = text.substr(open + 1, comma - open - 1);
        if (what == "distance_km") return distance_km(item, text);
        if (what == "unique") return homes.at(item.id)->users(item.id, signal);
        const std::string name = text.substr(comma + 2, text.size() - comma - 3);
        const auto value =
            homes.at(item.id)->window(item.id, signal, *schema::window_from_name(name), kFilterNow);
        return what == "count" ? static_cast<double>(value.count)
                               : static_cast<double>(value.sum) / 1048576.0;
    }

private:
    /// Haversine; distance_test.cc checks it by another formula.
    static double distance_km(const ranking::SampleItem& item, const std::string& text) {
        const auto place = item.fields.find("place");
        if (place == item.fields.end()) return 0;
        const auto comma = text.find(", "), second = text.find(", ", comma + 2);
        const auto degrees = [](const std::string& from) {
            return from.starts_with("param(x)")   ? 2.5
                   : from.starts_with("param(y)") ? -3.0
                                                  : std::stod(from);
        };
        constexpr double kRadians = 3.14159265358979323846 / 180;
        const double latitude = degrees(text.substr(comma + 2)),
                     longitude = degrees(text.substr(second + 2));
        const auto& at = std::get<record::GeoPoint>(place->second);
        const double north = std::sin((at.latitude - latitude) * kRadians / 2),
                     east = std::sin((at.longitude - longitude) * kRadians / 2);
        const double h = north * north + std::cos(latitude * kRadians) *
                                             std::cos(at.latitude * kRadians) * (east * east);
        return 2 * 6371.0088 * std::asin(std::sqrt(std::clamp(h, 0.0, 1.0)));
    }
    static double field(const ranking::SampleItem& item, const std::string& name) {
        const auto found = item.fields.find(name);
        if (found == item.fields.end()) return name == "quality" ? 0.5 : 0;
        if (const bool* flag = std::get_if<bool>(&found->second)) return *flag;
        if (const double* number = std::get_if<double>(&found->second)) return *number;
        return static_cast<double>(std::get<std::int64_t>(found->second));
    }
};

struct ReferenceItem {
    const ranking::SampleItem* item = nullptr;
    double score = 0;
};
/// Greatest first, or least; equal ones by id.
inline void sort_by_score(std::vector<ReferenceItem>* items, bool descending = true) {
    std::ranges::sort(*items, [&](const ReferenceItem& a, const ReferenceItem& b) {
        if (a.score != b.score) return descending ? a.score > b.score : a.score < b.score;
        return a.item->id < b.item->id;
    });
}

struct ReferencePage {
    std::vector<ReferenceItem> items;
    std::size_t candidates = 0, matched = 0;
    bool satisfied = true;
};

class ReferenceFeed {
public:
    ReferenceFeed(const schema::Schema& schema, const ReferenceWorld& world,
                  const ranking::Profile& profile)
        : schema_(schema), world_(world), profile_(profile) {}

    ReferencePage page(const std::optional<FilterNode>& filter, const std::set<EntityId>& exclude,
                       std::size_t limit) {
        std::vector<const ranking::SampleItem*> open, accepted;
        for (const auto& item : world_.items) {
            if (!world_.open(item)) continue;
            open.push_back(&item);
            if (exclude.contains(item.id)) continue;
            if (!filter || ReferenceFilter(item)(*filter) == Truth(true)) accepted.push_back(&item);
        }
        make_lists(accepted);
        ReferencePage out;
        std::vector<ReferenceItem> shown;
        for (const auto* item : open) out.candidates += is_candidate(*item);
        for (const auto* item : accepted) {
            if (!is_candidate(*item) || !passes_gates(*item)) continue;
            shown.push_back({item, score(*item)});
        }
        out.matched = shown.size();
        sort_by_score(&shown, profile_.order.descending);
        make_page(shown, std::min(limit, shown.size()), &out);
        return out;
    }

private:
    using Source = ranking::Source;
    using SourceKind = ranking::SourceKind;

    void make_lists(const std::vector<const ranking::SampleItem*>& accepted) {
        ranks_.assign(profile_.sources.size(), {});
        scans_ = false;
        for (std::size_t i = 0; i < profile_.sources.size(); ++i) {
            const Source& source = profile_.sources[i];
            scans_ = scans_ || source.kind == SourceKind::kScan;
            if (source.kind == SourceKind::kScan) continue;
            std::vector<ReferenceItem> list;
            for (const auto* item : accepted) {
                const double key = key_of(source, *item);
                if (source.kind == SourceKind::kRecent || key > 0) list.push_back({item, key});
            }
            sort_by_score(&list);
            for (std::size_t rank = 1;
                 rank <= std::min<std::size_t>(list.size(), source.limit_or_default()); ++rank)
                ranks_[i].emplace(list[rank - 1].item->id, rank);
        }
    }
    double key_of(const Source& source, const ranking::SampleItem& item) const {
        if (source.kind == SourceKind::kRecent) return static_cast<double>(*item.created_at);
        const auto* home = world_.homes.at(item.id);
        if (source.kind == SourceKind::kOrdered)
            return home->decayed(item.id, source.name, kFilterNow);
        return static_cast<double>(
            home->window(item.id, source.name, source.window, kFilterNow).sum);
    }
    bool is_candidate(const ranking::SampleItem& item) const {
        return scans_ || std::ranges::any_of(
                             ranks_, [&](const auto& list) { return list.contains(item.id); });
    }

    double value(const ranking::Expr& expr, const ranking::SampleItem& item) const {
        return ranking::ReferenceEvaluator(schema_, [&](const std::string& text) {
            if (text == "fused") return fused(item);
            if (!text.starts_with("rank(")) return world_.leaf(item, text);
            for (std::size_t i = 0; i < profile_.sources.size(); ++i)
                if (text == "rank(" + ranking::print_source(profile_.sources[i]) + ")")
                    return rank(i, item);
            ADD_FAILURE() << text;
            return 0.0;
        })(expr);
    }
    double rank(std::size_t source, const ranking::SampleItem& item) const {
        const auto found = ranks_[source].find(item.id);
        return found == ranks_[source].end() ? 0 : 1 / (60 + static_cast<double>(found->second));
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
        return out;
    }

    /// The next place goes to the best that breaks no rule; where nobody fits, the first rule left
    /// is given up.
    void make_page(std::vector<ReferenceItem> shown, std::size_t places, ReferencePage* out) const {
        std::size_t given_up = 0;
        while (out->items.size() < places) {
            const auto fitting = std::ranges::find_if(shown, [&](const ReferenceItem& item) {
                for (std::size_t rule = given_up; rule < profile_.diversity.size(); ++rule)
                    if (!fits(profile_.diversity[rule], *item.item, *out, places)) return false;
                return true;
            });
            if (fitting == shown.end()) {
                ++given_up;
                continue;
            }
            out->items.push_back(*fitting);
            shown.erase(fitting);
        }
        out->satisfied = given_up == 0;
    }
    static std::set<std::string> values_of(const ranking::DiversityRule& rule,
                                           const ranking::SampleItem& item) {
        if (rule.kind == ranking::DiversityKind::kMaxPerCreator)
            return item.creator ? std::set{item.creator->to_string()} : std::set<std::string>();
        const auto found = item.fields.find(rule.name);
        if (found == item.fields.end()) return {};
        if (const auto* text = std::get_if<std::string>(&found->second)) return {*text};
        const auto& list = std::get<std::vector<std::string>>(found->second);
        return {list.begin(), list.end()};
    }
    static bool fits(const ranking::DiversityRule& rule, const ranking::SampleItem& item,
                     const ReferencePage& page, std::size_t places) {
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
    std::vector<std::map<EntityId, std::size_t>> ranks_;  ///< By source.
    bool scans_ = false;
};

}  // namespace tidal::query
