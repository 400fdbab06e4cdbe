// api/internal/lag_clock.h: how old an entry of a group's log is, by when it was first seen.
#pragma once

#include <deque>
#include <map>
#include <mutex>

#include "base/ids.h"

namespace tidal::api {

/// Samples of how long each group's log was, and when. Times are this node's monotonic nanoseconds,
/// so that no clock of another node is believed. Threads: any.
class LagClock {
public:
    /// The log ends at `last` now. Called at least every kSampleNs while the group is led here.
    void sample(ShardId shard, LogIndex last, std::uint64_t now_ns);
    /// Seconds since an entry behind `has` was first seen; 0 = there is none.
    double lag_seconds(ShardId shard, LogIndex has, LogIndex last, std::uint64_t now_ns) const;

    static constexpr std::uint64_t kSampleNs = 200'000'000;

private:
    /// An hour at one sample a second; older ones are thinned out.
    static constexpr std::size_t kSamplesMax = 4096;
    struct Sample {
        LogIndex last;
        std::uint64_t ns = 0;
    };
    mutable std::mutex mutex_;
    std::map<ShardId, std::deque<Sample>> samples_;  ///< Rising.
};

}  // namespace tidal::api
