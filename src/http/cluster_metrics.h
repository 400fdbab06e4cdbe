// http/cluster_metrics.h: a node's view of its cluster as numbers for /metrics.
#pragma once

#include "api/cluster_status.h"
#include "base/metrics.h"

namespace tidal::http {

/// Sets tidal_cluster_* and the tidal_shard_* of consensus.
void set_cluster_gauges(Metrics& metrics, const api::ClusterStatus& status);

}  // namespace tidal::http
