// api/cluster_directory.h: makes the data directory of a member of a cluster
// (docs/decisions/0031-joining-by-token.md).
//
//     CLUSTER  mode cluster, format_directory 2    tls/authority.pem    the cluster's authority
//     NODE     this node's number and instance     tls/authority.key    and its key (mode 0600)
//     PEERS    where others were at joining        tls/node.pem, node.key
//     SCHEMA   of node 1, where one was given: the first there is, until it is in the log
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/identity.h"
#include "cluster/join.h"
#include "runtime/runtime.h"
#include "wal/node_log.h"

namespace tidal::api {

struct InitOptions {
    std::uint16_t shards = 8;  ///< Data shards, 1 to 256; fixed for the cluster's life.
    wal::LogOptions log;       ///< As Database::open() is going to be given.
    std::optional<std::string> schema = {};  ///< YAML; the built-in one without.
};

/// Makes the directory of node 1 of a new cluster. The directory must be empty.
/// @return kConflict, kIncompatible  the directory is in use: nothing was changed. Likewise of a
/// schema that cannot be read.
Result<Identity> init_cluster(runtime::Runtime& runtime, const InitOptions& options);

/// Makes the directory of a node that was let in. Must be empty.
/// @param key  Private half of the request's public key, PEM.
/// @param log  As Database::open() is going to be given.
Result<Identity> write_joined(runtime::Runtime& runtime, const cluster::JoinAccepted& accepted,
                              const std::string& key, const wal::LogOptions& log);

/// What a member has in tls/. kCorruption, kNotFound with the file that is missing.
struct ClusterFiles {
    std::string authority, authority_key;  ///< PEM.
    std::string certificate, key;          ///< PEM, of this node.
};
Result<ClusterFiles> read_cluster_files(runtime::Disk& disk);
/// What init_cluster() was given. The metadata shard has the newest, once it has any.
Result<std::optional<std::string>> read_first_schema(runtime::Disk& disk);
/// PEERS; empty for the first node. Addresses may be old: the metadata shard has the newest.
Result<std::vector<cluster::JoinPeer>> read_joined_peers(runtime::Disk& disk);

}  // namespace tidal::api
