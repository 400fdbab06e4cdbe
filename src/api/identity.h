// api/identity.h: whose data a directory holds: the files CLUSTER and NODE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/runtime.h"

namespace tidal::api {

/// Versions of everything below data/; a directory of another one is refused.
inline constexpr std::uint32_t kClusterDirectoryFormat = 2;  ///< `directory` of a cluster's.
struct FormatVersions {
    std::uint32_t directory = 1;
    std::uint32_t log = 2;
    std::uint32_t pages = 1;
    std::uint32_t rows = 1;
    bool operator==(const FormatVersions&) const = default;
};

/// A directory's for life. Directories from before clusters are standalone.
enum class NodeMode : std::uint8_t { kStandalone, kCluster };
/// "standalone", "cluster".
std::string_view node_mode_name(NodeMode mode);

struct Identity {
    NodeMode mode = NodeMode::kStandalone;
    std::string cluster_id;   ///< 32 hex digits, random.
    std::string instance_id;  ///< 32 hex digits, random: a node that lost its disk is a new node.
    std::string secret;       ///< 64 hex digits: signs cursors. Shared by the nodes of a cluster.
    RegionId region = kFirstRegion;
    std::uint32_t node = 1;
    std::uint16_t shards = 1;  ///< Data shards, fixed when the directory is made.
    FormatVersions formats;
};

/// Reads both files. kNotFound when there are none and the directory is empty; kIncompatible saying
/// what differs for another format or a directory that is not tidalDB's; kCorruption for damage.
Result<Identity> read_identity(runtime::Disk& disk);
/// The same of a folder that is known to hold one; `prefix` is empty or ends with a slash.
Result<Identity> read_identity(runtime::Disk& disk, const std::string& prefix);
/// Ids and secret of a new cluster, nothing written.
Identity draw_identity(runtime::Random& random);
/// Makes a new identity and writes it. The directory must be empty but for a log (wal/new_log.h).
Result<Identity> create_identity(runtime::Runtime& runtime, std::uint16_t shards);
/// Both files, NODE last: with it the directory is a database, and must have a log.
Result<void> write_identity(runtime::Disk& disk, const Identity& identity);
std::string new_instance_id(runtime::Random& random);
/// The identity, or kIncompatible with what to run instead (reason "directory_of_cluster",
/// "directory_of_standalone").
Result<Identity> expect_mode(Identity identity, NodeMode mode);
/// False of an empty directory, and of one whose making was interrupted.
Result<bool> holds_database(runtime::Disk& disk);

}  // namespace tidal::api
