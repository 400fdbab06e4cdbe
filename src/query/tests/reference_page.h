// query/tests/reference_page.h: where on a page things come, written a second time and as plainly
// as possible: pinned and buried, groups, exploration, diversity.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "query/tests/reference_world.h"

namespace tidal::query {

struct ReferenceItem {
    const ranking::SampleItem* item = nullptr;
    double score = 0;
    double key = 0;    ///< Greatest first.
    std::string text;  ///< In orders of texts.
    bool pinned = false, buried = false;
    bool explored = false;
    double draw = 0;
    bool outside = false;              ///< Of what may be explored: by creators new to the user.
    std::optional<std::string> group;  ///< With `group_by`.
};

struct ReferencePage {
    std::vector<ReferenceItem> items;
    std::size_t candidates = 0, matched = 0;
    bool satisfied = true;
    std::size_t held_back = 0;  ///< By their groups, of what would have come otherwise.
};

/// The group of an item by "category TOP 2"; nullopt = it is in none.
class ReferenceGroups {
public:
    explicit ReferenceGroups(const std::string& group_by) : by_(group_by) {
        const auto top = by_.find(" TOP ");
        if (top == by_.npos) return;
        top_ = std::stoul(by_.substr(top + 5));
        by_.resize(top);
    }
    std::optional<std::string> of(const ranking::SampleItem& item) const {
        if (by_.empty()) return std::nullopt;
        if (by_ == "creator_id")
            return item.creator ? std::optional(item.creator->to_string()) : std::nullopt;
        const auto found = item.fields.find(by_);
        if (found == item.fields.end()) return std::nullopt;
        if (const auto* text = std::get_if<std::string>(&found->second)) return *text;
        if (const auto* flag = std::get_if<bool>(&found->second)) return *flag ? "true" : "false";
        if (const auto* whole = std::get_if<std::int64_t>(&found->second))
            return std::to_string(*whole);
        char digits[32];
        const auto end = std::to_chars(std::begin(digits), std::end(digits),
                                       std::get<double>(found->second), std::chars_format::fixed);
        return std::string(digits, end.ptr);
    }
    bool has_room(const ReferenceItem& item) const {
        const auto found = item.group ? there_.find(*item.group) : there_.end();
        return item.pinned || found == there_.end() || found->second < top_;
    }
    void add(const ReferenceItem& item) {
        if (item.group) ++there_[*item.group];
    }

private:
    std::string by_;
    std::size_t top_ = 1;
    std::map<std::string, std::size_t> there_;
};

class ReferenceArrangement {
public:
    ReferenceArrangement(const ReferenceWorld& world, const ranking::Profile& profile,
                         const FeedRequest& request)
        : world_(world), profile_(profile), request_(request) {}

    /// @param sorted  By the order of the profile. @param drawn  What may be explored.
    void fill(std::vector<ReferenceItem> sorted, std::vector<ReferenceItem> drawn,
              std::size_t limit, ReferencePage* out) const {
        for (auto* items : {&sorted, &drawn})
            for (ReferenceItem& each : *items)
                each.group = ReferenceGroups(request_.group_by).of(*each.item);
        std::vector<ReferenceItem> shown = grouped(placed(sorted));
        out->held_back = sorted.size() - shown.size();
        if (profile_.explore_percent != 0) shown = explored(shown, std::move(drawn), limit);
        std::vector<ReferenceItem> last;
        while (!shown.empty() && shown.back().buried) {
            last.insert(last.begin(), shown.back());
            shown.pop_back();
        }
        diversify(shown, std::min(limit, shown.size()), out);
        for (std::size_t at = 0; at < last.size() && out->items.size() < limit; ++at)
            out->items.push_back(last[at]);
    }

private:
    using DiversityKind = ranking::DiversityKind;

    /// Pinned first and buried last, in the orders given.
    std::vector<ReferenceItem> placed(const std::vector<ReferenceItem>& sorted) const {
        std::vector<ReferenceItem> out;
        const auto put = [&](const EntityId& id, bool pinned) {
            for (const ReferenceItem& each : sorted)
                if (each.item->id == id) {
                    out.push_back(each);
                    (pinned ? out.back().pinned : out.back().buried) = true;
                }
        };
        const auto is_in = [](const std::vector<EntityId>& ids, const ReferenceItem& each) {
            return std::ranges::find(ids, each.item->id) != ids.end();
        };
        for (const EntityId& id : request_.pin) put(id, true);
        for (const ReferenceItem& each : sorted)
            if (!is_in(request_.pin, each) && !is_in(request_.bury, each)) out.push_back(each);
        for (const EntityId& id : request_.bury) put(id, false);
        return out;
    }
    std::vector<ReferenceItem> grouped(const std::vector<ReferenceItem>& items) const {
        ReferenceGroups groups(request_.group_by);
        std::vector<ReferenceItem> out;
        for (const ReferenceItem& each : items) {
            if (!groups.has_room(each)) continue;
            groups.add(each);
            out.push_back(each);
        }
        return out;
    }

    /// Places at which floor(place * share) rises go to the greatest draws of what few have seen,
    /// the page would not show anyhow and its group has room for; every second one, the first too,
    /// to what is by new creators where there is any. Pinned items keep theirs, and nothing comes
    /// behind what is buried. (Worlds are smaller than what is drawn from.)
    std::vector<ReferenceItem> explored(const std::vector<ReferenceItem>& shown,
                                        std::vector<ReferenceItem> drawn, std::size_t limit) const {
        for (std::size_t i = 0; i < std::min(limit, shown.size()); ++i)
            std::erase_if(drawn, [&](const auto& each) { return each.item == shown[i].item; });
        std::ranges::sort(drawn, [](const ReferenceItem& a, const ReferenceItem& b) {
            return a.draw != b.draw ? a.draw > b.draw : a.item->id < b.item->id;
        });
        ReferenceGroups groups(request_.group_by);
        std::set<EntityId> taken;
        std::vector<ReferenceItem> out;
        const auto places = [&](std::size_t rank) {
            return static_cast<std::size_t>(
                std::floor(static_cast<double>(rank) * profile_.explore_percent / 100));
        };
        const auto take = [&](const ReferenceItem& each) {
            taken.insert(each.item->id);
            groups.add(each);
            out.push_back(each);
        };
        const auto fill = [&] {
            while (out.size() < limit && places(out.size() + 1) > places(out.size()) &&
                   (out.empty() || !out.back().buried)) {
                std::vector<ReferenceItem> fitting;
                for (const ReferenceItem& each : drawn)
                    if (!taken.contains(each.item->id) && groups.has_room(each))
                        fitting.push_back(each);
                if (fitting.empty()) return;
                auto next = fitting.begin();
                if (places(out.size() + 1) % 2 == 1)
                    next = std::ranges::find_if(fitting,
                                                [](const auto& each) { return each.outside; });
                take(next == fitting.end() ? fitting.front() : *next);
            }
        };
        for (const ReferenceItem& item : shown) {
            if (!item.pinned) fill();
            if (!taken.contains(item.item->id) && groups.has_room(item)) take(item);
        }
        fill();
        // What is explored keeps its place before rules of relevance, whatever its score.
        for (std::size_t i = 1; i < out.size(); ++i)
            if (out[i].explored && !out[i - 1].pinned) out[i].key = out[i - 1].key;
        return out;
    }

    /// The next place goes to the best that breaks no rule, or to the most relevant of them; where
    /// nobody fits, the first rule left is given up. Rules never move what is pinned.
    void diversify(std::vector<ReferenceItem> shown, std::size_t places, ReferencePage* out) const {
        std::set<std::size_t> given_up;
        std::vector<ReferenceItem> all;
        for (const ReferenceItem& each : shown)
            if (!each.pinned) all.push_back(each);
        while (out->items.size() < places) {
            std::vector<std::size_t> fitting;
            for (std::size_t at = 0; at < shown.size(); ++at) {
                bool fits_all = true;
                for (std::size_t rule = 0; rule < profile_.diversity.size(); ++rule)
                    fits_all =
                        fits_all && (given_up.contains(rule) ||
                                     fits(profile_.diversity[rule], *shown[at].item, *out, places));
                if (fits_all || shown[at].pinned) fitting.push_back(at);
            }
            if (fitting.empty()) {
                std::size_t next = 0;
                while (given_up.contains(next) ||
                       profile_.diversity[next].kind == DiversityKind::kMmr)
                    ++next;
                given_up.insert(next);
                continue;
            }
            std::size_t best = fitting[0];
            for (const std::size_t at : fitting)
                if (!shown[best].pinned &&
                    relevance(shown[at], all, *out) > relevance(shown[best], all, *out))
                    best = at;
            out->items.push_back(shown[best]);
            shown.erase(shown.begin() + static_cast<std::ptrdiff_t>(best));
        }
        out->satisfied = given_up.empty();
    }
    /// Of all rules `mmr`, added up; 0 without one.
    double relevance(const ReferenceItem& item, const std::vector<ReferenceItem>& all,
                     const ReferencePage& page) const {
        const double range = all.front().key - all.back().key;
        const double score = range > 0 ? 1 - (all.front().key - item.key) / range : 1;
        double out = 0;
        for (const auto& rule : profile_.diversity) {
            if (rule.kind != DiversityKind::kMmr) continue;
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
        if (rule.kind == DiversityKind::kMaxPerCreator)
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
        if (rule.kind == DiversityKind::kMmr) return true;
        std::map<std::string, std::size_t> there;
        for (const auto& shown : page.items)
            for (const auto& value : values_of(rule, *shown.item)) ++there[value];
        const auto values = values_of(rule, item);
        if (rule.kind == DiversityKind::kMinDistinct) {
            const std::size_t wanted = std::min<std::size_t>(rule.count, places);
            if (there.size() >= wanted || wanted - there.size() < places - page.items.size())
                return true;
            return std::ranges::any_of(values, [&](const auto& v) { return !there.contains(v); });
        }
        std::size_t most = rule.count;
        if (rule.kind == DiversityKind::kMaxShare)
            most = std::max(1.0, std::floor(rule.percent / 100 * static_cast<double>(places)));
        return std::ranges::all_of(values, [&](const std::string& value) {
            return (rule.value && *rule.value != value) || there[value] < most;
        });
    }

    const ReferenceWorld& world_;
    const ranking::Profile& profile_;
    const FeedRequest& request_;
};

}  // namespace tidal::query
