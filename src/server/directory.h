// server/directory.h: the data directory that a command runs: made, or refused with what would run
// it.
#pragma once

#include "api/cluster_options.h"
#include "base/log.h"
#include "base/result.h"
#include "runtime/runtime.h"
#include "server/settings.h"

namespace tidal::server {

/// init and join make it, which must be empty; the others look whether it is theirs.
/// @return kConflict    it is another command's, or in use: the hint names the command;
///         kNotFound    `start` of an empty one;
///         as api::init_cluster() and api::join_cluster().
Result<void> prepare_directory(const Settings& settings, runtime::Runtime& runtime,
                               const Logger& logger);

/// What a member is told at its start.
/// @return kInvalidArgument  an address that others cannot reach, and none that they can.
Result<api::ClusterOptions> cluster_options(const Settings& settings, const Logger& logger);

}  // namespace tidal::server
