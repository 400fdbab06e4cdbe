// api/join_cluster.h: what `tidal-server join` does: asks a member of a cluster to be let in.
#pragma once

#include <string>
#include <vector>

#include "api/identity.h"
#include "base/log.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "wal/node_log.h"

namespace tidal::api {

struct JoinOptions {
    std::vector<std::string> seeds;      ///< host:port of members' peer ports, asked in turn.
    std::string token;                   ///< Text of a join token.
    std::string listen = "127.0.0.1:0";  ///< Where the answer is waited for.
    std::string peer_advertise;          ///< Where the new node will be reached by others...
    std::string http_address;            ///< ...and by clients.
    std::uint64_t timeout_ms = 60'000;
    wal::LogOptions log;  ///< As Database::open() is going to be given.
    Logger logger;
};

/// Asks, again and again until the timeout where nobody answers or the cluster has no leader, and
/// makes the data directory, which must be empty. Afterwards Database::open() runs it.
/// @param executor  Goes on there. Must not be stopped before the task has ended.
/// @return kUnauthenticated  the token is unknown, expired or not of this cluster;
///         kConflict         it was used; or the directory is in use;
///         kTimeout          nobody answered: whom was asked, and what was heard;
///         kInvalidArgument  the token is none.
runtime::Task<Result<Identity>> join_cluster(runtime::Runtime& runtime, runtime::Executor& executor,
                                             JoinOptions options);

}  // namespace tidal::api
