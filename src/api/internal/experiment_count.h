// api/internal/experiment_count.h: a count of what came of an experiment, on its way through the
// logs of all shards.
#pragma once

#include <optional>
#include <vector>

#include "api/internal/distinct_users.h"
#include "api/internal/export_position.h"
#include "api/internal/shown_join.h"
#include "ranking/experiment.h"

namespace tidal::api {

/// All that is kept of an arm, however much it was shown.
struct ArmCount {
    DistinctUsers users;
    std::uint64_t impressions = 0, open = 0, positive = 0;
    double reward = 0, reward_squared = 0;  ///< Sums.
};

struct ExperimentCount {
    explicit ExperimentCount(ExportPosition begin) : position(std::move(begin)) {}

    ranking::Experiment experiment;
    ShownJoinOptions options;
    bool gaps = false;
    std::size_t turn_records = 100'000;  ///< Read in one turn.
    ExportPosition position;             ///< Where the log is read on.
    std::size_t shards_read = 0;
    std::optional<ShownJoin> join;          ///< Of the shard that is read.
    std::vector<JoinedImpression> settled;  ///< Not yet in `arms`.
    std::vector<ArmCount> arms;             ///< As the experiment's.
    std::uint64_t others = 0;
};

}  // namespace tidal::api
