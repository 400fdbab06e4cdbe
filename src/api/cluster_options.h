// api/cluster_options.h: what a member of a cluster is told at each start.
#pragma once

#include <cstdint>
#include <string>

#include "base/log.h"
#include "cluster/group_host.h"

namespace tidal::api {

struct ClusterOptions {
    std::string peer_listen = "127.0.0.1:9502";  ///< For other nodes; port 0 takes a free one.
    std::string peer_advertise;                  ///< Where they reach it; empty = where it listens.
    std::string http_address;  ///< Where clients reach this node, for redirects; empty = nowhere.
    cluster::GroupTiming timing;
    /// How often a leader looks whether its group's members, schema and configuration are what the
    /// metadata shard says; changes of the metadata are acted on at once.
    std::uint64_t reconcile_ms = 500;
    /// How often a node that serves reads of bounded staleness asks how far it is.
    std::uint64_t freshness_ms = 40;
    /// Certificates are not looked at: only for simulated networks, which show none.
    bool without_tls = false;
    Logger logger;
};

}  // namespace tidal::api
