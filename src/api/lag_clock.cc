#include "api/internal/lag_clock.h"

#include <algorithm>

namespace tidal::api {

void LagClock::sample(ShardId shard, LogIndex last, std::uint64_t now_ns) {
    const std::lock_guard lock(mutex_);
    std::deque<Sample>& samples = samples_[shard];
    // A log that became shorter is another leader's: what was seen of its end never counts again.
    while (!samples.empty() && samples.back().last > last) samples.pop_back();
    if (!samples.empty() && samples.back().last == last) return;
    samples.push_back({last, now_ns});
    if (samples.size() <= kSamplesMax) return;
    // Every second one of the older half: long lags are told less finely.
    std::deque<Sample> kept;
    for (std::size_t i = 0; i < samples.size(); ++i)
        if (i >= samples.size() / 2 || i % 2 == 0) kept.push_back(samples[i]);
    samples = std::move(kept);
}

double LagClock::lag_seconds(ShardId shard, LogIndex has, LogIndex last,
                             std::uint64_t now_ns) const {
    if (has >= last) return 0;
    const std::lock_guard lock(mutex_);
    const auto found = samples_.find(shard);
    if (found == samples_.end()) return 0;
    // The first sample whose log was longer: the oldest missing entry came before it.
    const auto first = std::ranges::upper_bound(found->second, has, {}, &Sample::last);
    if (first == found->second.end()) return 0;
    return static_cast<double>(now_ns - std::min(first->ns, now_ns)) / 1e9;
}

}  // namespace tidal::api
