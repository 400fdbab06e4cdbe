// http/cluster_json.h: what a node knows of its cluster, as /cluster/* show it.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "api/cluster_status.h"

namespace tidal::http {

boost::json::object cluster_object(const api::ClusterStatus& status);
std::string cluster_status_json(const api::ClusterStatus& status);
std::string cluster_nodes_json(const api::ClusterStatus& status);
std::string cluster_shards_json(const api::ClusterStatus& status);

}  // namespace tidal::http
