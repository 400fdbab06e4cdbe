#include "query/diversity.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cassert>

namespace tidal::query {
namespace {

using ranking::DiversityKind;
using ranking::DiversityRule;

/// One rule and what the page holds so far.
class Tally {
public:
    Tally(const DiversityRule& rule, std::size_t page_size) : rule_(rule) {
        switch (rule.kind) {
            case DiversityKind::kMaxPerCreator:
                max_ = rule.count;
                break;
            case DiversityKind::kMaxShare:
                max_ = std::max<std::size_t>(
                    1,
                    static_cast<std::size_t>(rule.percent / 100 * static_cast<double>(page_size)));
                break;
            case DiversityKind::kMinDistinct:
                wanted_ = std::min<std::size_t>(rule.count, page_size);
                break;
            case DiversityKind::kMmr:
                assert(false && "needs vectors");
        }
    }

    /// Once false for an item, false for ever: what is on the page stays there.
    bool below_maximum(const RuleValues& values) const {
        if (rule_.kind == DiversityKind::kMinDistinct) return true;
        return std::ranges::all_of(values, [&](const std::string& value) {
            if (rule_.value && *rule_.value != value) return true;
            const auto found = counts_.find(value);
            return found == counts_.end() || found->second < max_;
        });
    }

    /// Whether every place left must bring a new value.
    bool is_pressing(std::size_t places_left) const {
        return wanted_ > counts_.size() && wanted_ - counts_.size() >= places_left;
    }
    bool brings_new(const RuleValues& values) const {
        return std::ranges::any_of(
            values, [&](const std::string& value) { return !counts_.contains(value); });
    }

    void add(const RuleValues& values) {
        for (const std::string& value : values) ++counts_[value];
    }

    bool given_up = false;

private:
    const DiversityRule& rule_;
    std::size_t max_ = 0;     ///< Of kMaxPerCreator and kMaxShare.
    std::size_t wanted_ = 0;  ///< Of kMinDistinct.
    absl::flat_hash_map<std::string, std::size_t> counts_;
};

class Pass {
public:
    Pass(std::span<const DiversityRule> rules, std::span<const DiverseItem> items,
         std::size_t page_size)
        : items_(items), page_size_(page_size) {
        for (const DiversityRule& rule : rules) tallies_.emplace_back(rule, page_size);
        waiting_.resize(items.size());
        for (std::size_t i = 0; i < items.size(); ++i) waiting_[i] = i;
    }

    DiversePage run(std::size_t pinned) {
        while (page_.chosen.size() < std::min(pinned, page_size_)) take(waiting_.begin());
        while (page_.chosen.size() < page_size_) {
            if (const auto at = next_fitting(); at != waiting_.end()) {
                take(at);
            } else {
                give_up_one();
            }
        }
        return std::move(page_);
    }

private:
    using Place = std::vector<std::size_t>::iterator;

    bool below_maxima(const DiverseItem& item) const {
        for (std::size_t rule = 0; rule < tallies_.size(); ++rule)
            if (!tallies_[rule].given_up && !tallies_[rule].below_maximum(item.values[rule]))
                return false;
        return true;
    }

    bool brings_what_presses(const DiverseItem& item) const {
        const std::size_t left = page_size_ - page_.chosen.size();
        for (std::size_t rule = 0; rule < tallies_.size(); ++rule)
            if (!tallies_[rule].given_up && tallies_[rule].is_pressing(left) &&
                !tallies_[rule].brings_new(item.values[rule]))
                return false;
        return true;
    }

    /// Items above a maximum are set aside, so that they are looked at once and not at every place.
    Place next_fitting() {
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (!below_maxima(items_[*at])) {
                aside_.push_back(*at);
                at = waiting_.erase(at);
            } else if (brings_what_presses(items_[*at])) {
                return at;
            } else {
                ++at;
            }
        }
        return waiting_.end();
    }

    void take(Place at) {
        for (std::size_t rule = 0; rule < tallies_.size(); ++rule)
            tallies_[rule].add(items_[*at].values[rule]);
        page_.chosen.push_back(*at);
        waiting_.erase(at);
    }

    void give_up_one() {
        const auto rule = std::ranges::find(tallies_, false, &Tally::given_up);
        assert(rule != tallies_.end() && "without rules the next item fits");
        rule->given_up = true;
        page_.given_up.push_back(static_cast<std::size_t>(rule - tallies_.begin()));
        waiting_.insert(waiting_.end(), aside_.begin(), aside_.end());
        aside_.clear();
        std::ranges::sort(waiting_);
    }

    const std::span<const DiverseItem> items_;
    const std::size_t page_size_;
    std::vector<Tally> tallies_;
    std::vector<std::size_t> waiting_;  ///< Best first.
    std::vector<std::size_t> aside_;
    DiversePage page_;
};

}  // namespace

DiversePage diversify(std::span<const DiversityRule> rules, std::span<const DiverseItem> items,
                      std::size_t limit, std::size_t pinned) {
    return Pass(rules, items, std::min(limit, items.size())).run(pinned);
}

}  // namespace tidal::query
