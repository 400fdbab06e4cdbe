#include "query/diversity.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>

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
                break;
        }
    }

    /// Once false for an item, false for ever: what is on the page stays there.
    bool below_maximum(const RuleValues& values) const {
        if (rule_.kind == DiversityKind::kMinDistinct || rule_.kind == DiversityKind::kMmr)
            return true;
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

    bool may_go() const { return !given_up && rule_.kind != DiversityKind::kMmr; }
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

/// What the page holds so far, for rules that keep what is alike apart.
class Relevance {
public:
    /// @param first  The first item that is not pinned.
    Relevance(std::span<const DiversityRule> rules, std::span<const DiverseItem> items,
              std::size_t first)
        : items_(items) {
        for (const DiversityRule& rule : rules)
            if (rule.kind == DiversityKind::kMmr) lambdas_.push_back(rule.lambda);
        nearest_.assign(items.size() * lambdas_.size(), kNothing);
        compared_.assign(items.size(), 0);
        if (first >= items.size()) return;
        best_ = items[first].score;
        const std::size_t last = std::min(first + kMmrWindow, items.size()) - 1;
        const double range = best_ - items[last].score;
        if (range > 0 && std::isfinite(range)) range_ = range;
    }

    bool is_read() const { return !lambdas_.empty(); }
    void add(std::size_t chosen) { page_.push_back(chosen); }

    /// The greater, the sooner it is shown.
    double of(std::size_t item) {
        compare(item);
        // Not by one over the range, which may be too great a number.
        const double relevance = range_ > 0 ? 1 - (best_ - items_[item].score) / range_ : 1;
        double sum = 0;
        for (std::size_t rule = 0; rule < lambdas_.size(); ++rule) {
            const double nearest = nearest_[item * lambdas_.size() + rule];
            sum += lambdas_[rule] * relevance -
                   (1 - lambdas_[rule]) * (nearest == kNothing ? 0 : nearest);
        }
        return sum;
    }

private:
    static constexpr double kNothing = -2;  ///< Less than any likeness.

    /// With what came onto the page since it was last asked for.
    void compare(std::size_t item) {
        for (std::size_t& at = compared_[item]; at < page_.size(); ++at)
            for (std::size_t rule = 0; rule < lambdas_.size(); ++rule) {
                const RuleVector& a = items_[item].vectors[rule];
                const RuleVector& b = items_[page_[at]].vectors[rule];
                if (a.values.empty() || b.values.empty()) continue;
                double& nearest = nearest_[item * lambdas_.size() + rule];
                nearest = std::max(nearest, vector::likeness(a.metric, a.values, b.values));
            }
    }

    const std::span<const DiverseItem> items_;
    std::vector<double> lambdas_;        ///< By rule that is `mmr`.
    std::vector<double> nearest_;        ///< By item and rule.
    std::vector<std::size_t> compared_;  ///< By item: with so many of the page.
    std::vector<std::size_t> page_;
    double best_ = 0, range_ = 0;
};

class Pass {
public:
    Pass(std::span<const DiversityRule> rules, std::span<const DiverseItem> items,
         std::size_t page_size, std::size_t pinned)
        : items_(items), page_size_(page_size), relevance_(rules, items, pinned) {
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
        if (!relevance_.is_read()) return next_fitting(waiting_.begin());
        std::optional<std::ptrdiff_t> best;  // An index: what does not fit leaves `waiting_`.
        double greatest = 0;
        std::size_t seen = 0;
        for (Place at = next_fitting(waiting_.begin()); at != waiting_.end() && seen < kMmrWindow;
             at = next_fitting(at + 1), ++seen) {
            const double value = relevance_.of(*at);
            if (best && value <= greatest) continue;
            best = at - waiting_.begin();
            greatest = value;
        }
        return best ? waiting_.begin() + *best : waiting_.end();
    }
    Place next_fitting(Place at) {
        while (at != waiting_.end()) {
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
        relevance_.add(*at);
        waiting_.erase(at);
    }

    void give_up_one() {
        const auto rule = std::ranges::find_if(tallies_, &Tally::may_go);
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
    Relevance relevance_;
    DiversePage page_;
};

}  // namespace

bool reads_vectors(std::span<const DiversityRule> rules) {
    return std::ranges::any_of(
        rules, [](const DiversityRule& rule) { return rule.kind == DiversityKind::kMmr; });
}

DiversePage diversify(std::span<const DiversityRule> rules, std::span<const DiverseItem> items,
                      std::size_t limit, std::size_t pinned) {
    return Pass(rules, items, std::min(limit, items.size()), pinned).run(pinned);
}

}  // namespace tidal::query
