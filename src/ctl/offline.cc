// paths, diagnostics and fsck: a data directory whose server is stopped.
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "api/identity.h"
#include "ctl/commands.h"
#include "runtime/real_runtime.h"
#include "storage/shard_store.h"
#include "storage/store_inspect.h"
#include "wal/log_inspect.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// The directory, locked so that no server starts meanwhile.
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
    TIDAL_ASSIGN(directory.lock, directory.runtime->disk().lock("LOCK"));
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

}  // namespace

Result<void> paths(const Options& options) {
    TIDAL_ASSIGN(const Directory directory, open(options));
    const std::pair<const char*, const char*> known[] = {
        {"CLUSTER", "identity of the cluster"},
        {"NODE", "identity of the node"},
        {"LOCK", "held while a process has the directory"},
        {"wal", "the log"},
        {"archive", "sealed log segments"},
        {"store", "checkpoints: rows and pages"}};
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
                           {"cluster_id", directory.identity.cluster_id},
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

Result<void> fsck(const Options& options) {
    TIDAL_ASSIGN(const Directory directory, open(options));
    runtime::Disk& disk = directory.runtime->disk();
    TIDAL_ASSIGN(const wal::LogReport log, wal::inspect_log(disk, "wal", "archive"));
    TIDAL_ASSIGN(const storage::StoreReport store, inspect_store(disk));
    std::size_t damaged = 0;
    for (const wal::LogDamage& damage : log.damage) {
        // A torn tail is what a crash leaves: the next start cuts it and loses nothing
        // acknowledged.
        damaged += damage.kind == wal::LogDamage::Kind::kTornTail ? 0 : 1;
        std::printf("%s: %s at offset %llu: %s\n",
                    std::string(wal::damage_kind_name(damage.kind)).c_str(), damage.path.c_str(),
                    static_cast<unsigned long long>(damage.offset), damage.what.c_str());
    }
    for (const storage::StoreDamage& damage : store.damage) {
        ++damaged;
        std::printf("store: %s at offset %llu: %s\n", damage.file.c_str(),
                    static_cast<unsigned long long>(damage.offset), damage.what.c_str());
    }
    std::printf("checked %zu log files, %zu archive segments, %zu shards: %zu damaged places\n",
                log.files.size(), log.segments.size(), store.shards.size(), damaged);
    if (damaged == 0) return {};
    return Error(ErrorCode::kCorruption, "the data directory is damaged")
        .with("places", damaged)
        .with_hint("restore a copy of it, or export what can be read");
}

}  // namespace tidal::ctl
