// paths, diagnostics and fsck: a data directory whose server is stopped.
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "api/identity.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "runtime/real_runtime.h"
#include "storage/shard_store.h"
#include "storage/store_inspect.h"
#include "wal/log_inspect.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// The directory, locked so that no server starts meanwhile; nothing is written, so that it may lie
/// on a read-only file system.
struct Directory {
    std::unique_ptr<runtime::Runtime> runtime;
    std::unique_ptr<runtime::DiskLock> lock;
    api::Identity identity;
};

Result<Directory> open(const Options& options) {
    Directory directory;
    std::error_code error;
    if (!std::filesystem::is_directory(options.data_dir, error))
        return Error(ErrorCode::kNotFound, "no such data directory")
            .with("directory", options.data_dir)
            .with_hint("--data-dir names it");
    TIDAL_ASSIGN(directory.runtime, runtime::make_real_runtime({options.data_dir, {}}));
    // Without the file no server was ever here.
    auto lock = directory.runtime->disk().lock_to_read("LOCK");
    if (!lock.ok() && lock.error().code() != ErrorCode::kNotFound) return lock.take_error();
    if (lock.ok()) directory.lock = std::move(*lock);
    TIDAL_ASSIGN(directory.identity, api::read_identity(directory.runtime->disk()));
    return directory;
}

Result<storage::StoreReport> inspect_store(runtime::Disk& disk) {
    TIDAL_ASSIGN(auto rows, storage::open_rocksdb_rows_read_only(disk.native_path("store/rows")));
    return storage::inspect_store(disk, *rows, "store");
}

json::object shard_json(const storage::ShardReport& shard) {
    return {{"shard", shard.shard.value()},
            {"checkpoint_index", shard.checkpoint_index.value()},
            {"rows", shard.rows},
            {"pages", shard.pages},
            {"page_files", shard.page_files}};
}

/// Where bytes are not what they should be, of the log or of the store.
struct Place {
    std::string kind, path;
    std::uint64_t offset;
    std::string what;
    /// A torn tail is what a crash leaves: the next start cuts it and loses nothing acknowledged.
    bool harmless;
};

std::vector<Place> damaged_places(const wal::LogReport& log, const storage::StoreReport& store) {
    std::vector<Place> places;
    for (const wal::LogDamage& damage : log.damage)
        places.push_back({std::string(wal::damage_kind_name(damage.kind)), damage.path,
                          damage.offset, damage.what,
                          damage.kind == wal::LogDamage::Kind::kTornTail});
    for (const storage::StoreDamage& damage : store.damage)
        places.push_back({"store", damage.file, damage.offset, damage.what, false});
    return places;
}

void print_fsck_json(const wal::LogReport& log, const storage::StoreReport& store,
                     const std::vector<Place>& places, std::size_t damaged) {
    json::array damage, shards;
    for (const Place& place : places)
        damage.push_back(json::object{{"kind", place.kind},
                                      {"path", place.path},
                                      {"offset", place.offset},
                                      {"what", place.what},
                                      {"harmless", place.harmless}});
    for (const auto& shard : store.shards) shards.push_back(shard_json(shard));
    const json::object out{{"status", damaged == 0 ? "ok" : "damaged"},
                           {"log_files", log.files.size()},
                           {"archive_segments", log.segments.size()},
                           {"shards", shards},
                           {"damaged_places", damaged},
                           {"damage", damage}};
    std::printf("%s\n", json::serialize(out).c_str());
}

}  // namespace

Result<void> paths(const Options& options) {
    TIDAL_ASSIGN(const Directory directory, open(options));
    const std::pair<const char*, const char*> known[] = {
        {"CLUSTER", "identity of the cluster"},
        {"NODE", "identity of the node"},
        {"PEERS", "where others were at joining (a cluster's)"},
        {"tls", "certificates and keys of a cluster's member"},
        {"LOCK", "held while a process has the directory"},
        {"wal", "the log"},
        {"archive", "sealed log segments"},
        {"store", "checkpoints: rows and pages"},
        {"snapshots", "states that other nodes send (a cluster's)"},
        {"snapshots-out", "states for other nodes (a cluster's)"}};
    json::array out;
    for (const auto& [name, what] : known) {
        TIDAL_ASSIGN(const bool exists, directory.runtime->disk().exists(name));
        if (options.json) {
            out.push_back(json::object{
                {"path", options.data_dir + "/" + name}, {"what", what}, {"exists", exists}});
        } else {
            std::printf("%-40s %s%s\n", (options.data_dir + "/" + name).c_str(), what,
                        exists ? "" : " (absent)");
        }
    }
    if (options.json) std::printf("%s\n", json::serialize(out).c_str());
    return {};
}

Result<void> diagnostics(const Options& options) {
    TIDAL_ASSIGN(const Directory directory, open(options));
    runtime::Disk& disk = directory.runtime->disk();
    TIDAL_ASSIGN(const wal::LogReport log, wal::inspect_log(disk, "wal", "archive"));
    TIDAL_ASSIGN(const storage::StoreReport store, inspect_store(disk));
    TIDAL_ASSIGN(const std::uint64_t free_bytes, disk.free_bytes());
    std::uint64_t used = 0, batches = 0;
    for (const auto& file : log.files) {
        used += file.used_bytes;
        batches += file.batches;
    }
    json::array shards;
    for (const auto& shard : store.shards) shards.push_back(shard_json(shard));
    const json::object out{{"data_dir", options.data_dir},
                           {"mode", api::node_mode_name(directory.identity.mode)},
                           {"cluster_id", directory.identity.cluster_id},
                           {"node", directory.identity.node},
                           {"instance_id", directory.identity.instance_id},
                           {"region", directory.identity.region.value()},
                           {"shards_declared", directory.identity.shards},
                           {"free_bytes", free_bytes},
                           {"log", json::object{{"files", log.files.size()},
                                                {"used_bytes", used},
                                                {"batches", batches},
                                                {"archive_segments", log.segments.size()},
                                                {"damaged_places", log.damage.size()}}},
                           {"shards", shards},
                           {"store_damaged_places", store.damage.size()}};
    std::printf("%s\n", json::serialize(out).c_str());
    return {};
}

Result<Verdict> fsck(const Options& options) {
    TIDAL_ASSIGN(const Directory directory, open(options));
    runtime::Disk& disk = directory.runtime->disk();
    TIDAL_ASSIGN(const wal::LogReport log, wal::inspect_log(disk, "wal", "archive"));
    TIDAL_ASSIGN(const storage::StoreReport store, inspect_store(disk));
    const std::vector<Place> places = damaged_places(log, store);
    const auto damaged = static_cast<std::size_t>(std::count_if(
        places.begin(), places.end(), [](const Place& place) { return !place.harmless; }));
    if (options.json) {
        print_fsck_json(log, store, places, damaged);
    } else {
        for (const Place& place : places)
            std::printf("%s: %s at offset %llu: %s\n", place.kind.c_str(), place.path.c_str(),
                        static_cast<unsigned long long>(place.offset), place.what.c_str());
        std::printf("checked %zu log files, %zu archive segments, %zu shards: %zu damaged places\n",
                    log.files.size(), log.segments.size(), store.shards.size(), damaged);
    }
    if (damaged == 0) return Verdict::kSound;
    print_error(Error(ErrorCode::kCorruption, "the data directory is damaged")
                    .with("places", damaged)
                    .with_hint("restore a copy of it, or export what can be read"));
    return Verdict::kFailed;
}

}  // namespace tidal::ctl
