// server/settings.h: what the operator chose: flags over environment over file over defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::server {

enum class Command : std::uint8_t {
    kStandalone,
    kDemo,
    kInit,   ///< Makes a cluster of one node, and serves.
    kJoin,   ///< Makes a member of a cluster, and serves.
    kStart,  ///< Serves a directory that init or join made.
};

struct Settings {
    Command command = Command::kStandalone;
    std::string listen = "127.0.0.1:9500";
    std::string data_dir = "./data";
    bool ephemeral = false;
    bool insecure = false;  ///< Listen beyond loopback without TLS and accounts.
    std::string schema;     ///< Path of a YAML file; empty = the stored or built-in schema.
    std::string sample = "examples";  ///< Demo: the folder with movielens/mapping.yaml and data/.
    std::uint16_t shards = 0;         ///< 0 = what the directory has, 1 for a new one.
    std::uint16_t executors = 1;
    std::uint16_t http_threads = 2;  ///< Parsing is the first work to fill a core.
    std::uint64_t checkpoint_interval_ms = 30'000;
    std::uint64_t memory_mib = 0;  ///< Of the process; 0 = no limit.
    std::uint64_t ledger_memory_mib = 4096;
    std::uint64_t writes_memory_mib = 256;  ///< Of each shard, for writes that are under way.
    // Of each data shard, for what it knows of users; 0 = what the directory has, a new one
    // record::MemoryBudgets:
    std::uint64_t user_states_memory_mib = 0;
    std::uint64_t tastes_memory_mib = 0;
    std::uint64_t co_engagement_memory_mib = 0;
    std::uint64_t cohorts_memory_mib = 0;
    std::uint64_t collections_memory_mib = 0;
    std::uint64_t graph_vectors_min = 8192;  ///< Of a slot of a shard, from which on it has graphs.
    std::string data_clock;  ///< Where the data's clock starts; empty = the world's time.
    std::string backup_dir;  ///< Where backups go; empty = there are none.
    std::uint64_t import_spool_mib = 16 * 1024;
    std::uint32_t degrade_1_ms = 20;    ///< Queries wait so long: they get less...
    std::uint32_t degrade_2_ms = 50;    ///< ...and less still...
    std::uint32_t shed_ms = 100;        ///< ...and are refused.
    std::uint32_t queries_running = 0;  ///< 0 = two for each executor that has a shard.
    bool require_keys = false;  ///< Every request names an API key, also before there is one.
    std::string log_level = "info";

    // A node of a cluster.
    std::string peer_listen = "127.0.0.1:9502";
    std::string peer_advertise;  ///< Where other nodes reach it; empty = where it listens.
    std::string http_advertise;  ///< Where their clients are sent to; empty = where it listens.
    std::uint32_t heartbeat_ms = 100;
    std::uint32_t election_ms_min = 1000;
    std::uint32_t election_ms_max = 2000;
    std::string seed;   ///< join: "host:port,host:port", any of them lets it in.
    std::string token;  ///< join: a secret; never printed.
    std::uint64_t join_timeout_ms = 60'000;

    bool print_config = false;
};

bool is_cluster(Command command);

/// What the command line asks for instead of serving; printed by the caller, with this exit code.
struct Answer {
    std::string text;
    int exit_code = 0;
};

/// @return an Answer for --help, --version and mistakes (which name what is wrong and the nearest
///         known name), else nullopt in `*answer` and the settings.
Result<Settings> read_settings(int argc, const char* const* argv, std::string_view version,
                               Answer* answer);

/// The effective settings as YAML, in the form that --config reads.
std::string print_settings(const Settings& settings);

}  // namespace tidal::server
