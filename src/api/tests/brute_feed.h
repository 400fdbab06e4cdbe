// The formulas of the built-in profiles over plain lists of events: whole orders, computed item by
// item and event by event, without the code under test.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "signal/tests/brute_force.h"

namespace tidal::api {

enum BruteSignal : std::uint8_t { kView, kLike, kShare, kComment, kDislike, kBruteSignals };
inline constexpr const char* kBruteNames[] = {"view", "like", "share", "comment", "dislike"};

struct BruteEvent {
    std::uint64_t item = 0;  ///< Index of a BruteItem.
    BruteSignal signal = kView;
    UnixMillis at_ms = 0;
    double weight = 1;  ///< A multiple of 2^-10, so that sums are exact.
    std::uint64_t user = 0;
};
struct BruteItem {
    std::uint64_t id = 0;
    UnixMillis created_ms = 0;
    std::vector<BruteEvent> events;
};

/// What an item shows at a moment.
class BruteReading {
public:
    BruteReading(const BruteItem& item, UnixMillis now_ms) : item_(item), now_ms_(now_ms) {
        constexpr double kDayMs = 86'400'000;
        std::vector<std::pair<std::uint64_t, UnixMillis>> viewers;
        for (const BruteEvent& event : item.events) {
            for (std::size_t window = 0; window < kWindows; ++window) {
                if (!signal::brute_in_window(schema::Window(window), event.at_ms, now_ms)) continue;
                sums_[event.signal][window] += event.weight;
                counts_[event.signal][window] += 1;
            }
            if (event.signal != kView) continue;
            viewers.emplace_back(event.user, event.at_ms);
            viewed_ +=
                event.weight * std::exp2(-static_cast<double>(now_ms - event.at_ms) / kDayMs);
        }
        viewers_ = signal::brute_unique(viewers, 86'400'000, now_ms);
    }

    double sum(BruteSignal s, schema::Window w) const { return sums_[s][std::size_t(w)]; }
    double count(BruteSignal s, schema::Window w) const { return counts_[s][std::size_t(w)]; }
    double positive(schema::Window w) const {
        return sum(kLike, w) + sum(kShare, w) + sum(kComment, w);
    }
    double negative(schema::Window w) const { return sum(kDislike, w); }
    double engagement(schema::Window w) const {
        return count(kView, w) + count(kLike, w) + count(kShare, w) + count(kComment, w);
    }
    double viewed_decayed() const { return viewed_; }  ///< Half-life 1 d.
    double viewers() const { return static_cast<double>(viewers_); }
    double age_hours() const {
        return std::max(0.0, static_cast<double>(now_ms_ - item_.created_ms) / 3'600'000.0);
    }
    double created_ms() const { return static_cast<double>(item_.created_ms); }

private:
    static constexpr std::size_t kWindows = 6;
    const BruteItem& item_;
    const UnixMillis now_ms_;
    std::array<std::array<double, kWindows>, kBruteSignals> sums_{}, counts_{};
    double viewed_ = 0;
    std::size_t viewers_ = 0;
};

/// Wilson's lower bound at 95 %.
inline double brute_wilson(double positives, double trials) {
    if (trials <= 0) return 0;
    const double z = 1.959963984540054, p = positives / trials;
    return (p + z * z / (2 * trials) -
            z * std::sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))) /
           (1 + z * z / trials);
}

struct BruteProfile {
    std::string name;
    std::function<double(const BruteReading&)> score;
    std::function<bool(const BruteReading&)> shows = [](const BruteReading&) { return true; };
};

/// As semantics.md writes them down, and one profile of its own with kReplayedProfile's text.
inline const std::vector<BruteProfile>& brute_profiles() {
    using R = BruteReading;
    using W = schema::Window;
    static const std::vector<BruteProfile> kProfiles = {
        {"trending",
         [](const R& r) {
             return 0.5 * std::log1p(r.sum(kShare, W::k24h)) +
                    0.3 * std::log1p(r.sum(kView, W::k24h)) + 0.2 * std::log1p(r.viewers());
         }},
        {"hot",
         [](const R& r) {
             const double n = r.positive(W::kAll) - r.negative(W::kAll);
             const double sign = n > 0 ? 1 : n < 0 ? -1 : 0;
             return sign * std::log10(std::max(std::abs(n), 1.0)) + r.created_ms() / 1000 / 45000;
         }},
        {"rising",
         [](const R& r) {
             const double b = r.engagement(W::k7d) / std::max(1.0, std::min(168.0, r.age_hours()));
             return (r.engagement(W::k1h) - b) / std::sqrt(b + 1) * std::exp2(-r.age_hours() / 48);
         }},
        {"new", [](const R& r) { return r.created_ms(); }},
        {"top_hour", [](const R& r) { return r.positive(W::k1h); }},
        {"top_day", [](const R& r) { return r.positive(W::k24h); }},
        {"top_week", [](const R& r) { return r.positive(W::k7d); }},
        {"top_month", [](const R& r) { return r.positive(W::k30d); }},
        {"top_year", [](const R& r) { return r.positive(W::k365d); }},
        {"most_viewed", [](const R& r) { return r.sum(kView, W::kAll); }},
        {"most_liked", [](const R& r) { return r.sum(kLike, W::kAll); }},
        {"controversial",
         [](const R& r) {
             const double pos = r.positive(W::kAll), neg = r.negative(W::kAll);
             if (pos == 0 || neg == 0) return 0.0;
             return std::pow(pos + neg, std::min(pos, neg) / std::max(pos, neg));
         }},
        {"hidden_gems",
         [](const R& r) {
             const double pos = r.positive(W::kAll), neg = r.negative(W::kAll);
             return brute_wilson(pos, pos + neg) / std::log10(r.sum(kView, W::kAll) + 10);
         }},
        {"replayed",
         [](const R& r) {
             const double slow = r.sum(kView, W::k7d) / (7 * 86'400);
             const double fast = r.sum(kView, W::k24h) / 86'400;
             double score = 2 * std::log1p(r.viewed_decayed()) +
                            10 * (r.count(kLike, W::k365d) + 1) / (r.count(kView, W::k365d) + 20) +
                            (slow == 0 ? 0 : std::min(fast / slow, 5.0)) +
                            (r.age_hours() < 48 ? 0.25 : 0) - 0.5 * std::sqrt(r.negative(W::k30d));
             if (r.negative(W::kAll) > r.positive(W::kAll))
                 score = score > 0 ? score / 2 : score * 2;
             return score;
         },
         [](const R& r) { return r.count(kView, W::kAll) >= 2; }},
    };
    return kProfiles;
}
inline constexpr const char* kReplayedProfile = R"(profile replayed version 1 {
    require count(view, all) >= 2;
    let slow = velocity(view, 7d);
    score 2 * log1p(decay(view)) + 10 * rate(like, per view, 365d) + min(velocity(view, 24h) / slow, 5)
        + if(age_hours < 48, 0.25, 0) - 0.5 * sqrt(negative(30d));
    penalty 0.5 when negative(all) > positive(all);
})";

struct BruteScore {
    std::uint64_t id = 0;
    double score = 0;
};
/// All that are shown, the first `sorted` of them in order: best first, equal scores by id.
inline std::vector<BruteScore> brute_order(const BruteProfile& profile,
                                           const std::vector<BruteItem>& items,
                                           const std::vector<BruteReading>& readings,
                                           std::size_t sorted) {
    std::vector<BruteScore> out;
    for (std::size_t i = 0; i < items.size(); ++i)
        if (profile.shows(readings[i])) out.push_back({items[i].id, profile.score(readings[i])});
    const auto middle = out.begin() + static_cast<std::ptrdiff_t>(std::min(sorted, out.size()));
    std::ranges::partial_sort(out, middle, [](const BruteScore& a, const BruteScore& b) {
        return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    return out;
}

}  // namespace tidal::api
