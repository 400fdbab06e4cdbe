// What the tests of the log share: batches that say what they are, and a log on a simulated node.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/sim_runtime.h"
#include "wal/node_log.h"

namespace tidal::wal {

struct SeenBatch {
    BatchHeader header;
    std::string payload;
};

/// A payload of `bytes` bytes without zeros, different for each shard and index.
std::string payload_of(std::uint16_t shard, std::uint64_t first, std::size_t bytes);
PendingBatch batch_of(std::uint16_t shard, std::uint64_t first, std::uint32_t count,
                      std::size_t payload_bytes = 40);
NodeLog::Visitor collect_into(std::vector<SeenBatch>* seen);
/// "3:17+2" for shard 3, first index 17, two records.
std::vector<std::string> names_of(const std::vector<SeenBatch>& seen);
/// The bytes of a *.hex file of testdata.
std::string read_hex(const std::string& name);
/// Small files, so that simulated disks stay small.
LogOptions small_files(std::uint64_t file_bytes = 8192);

/// A node with a log, on a disk that outlives it.
class SimLog {
public:
    explicit SimLog(runtime::SimDisk& disk, LogOptions options = small_files(),
                    std::uint64_t seed = 1);
    ~SimLog() { close(); }

    Result<void> open();
    /// Ends this life as a crash of the process would: nothing queued is written.
    void close();
    /// Queues the batch; its outcome ends up in `acknowledged` or `refused`.
    Result<void> append(PendingBatch batch);
    void append_and_run(PendingBatch batch);
    void run() { world_.run_until_idle(); }

    std::vector<SeenBatch> read(std::uint16_t shard, std::uint64_t from = 1);

    NodeLog& log() { return *log_; }
    runtime::SimRuntime& node() { return *node_; }
    runtime::SimWorld& world() { return world_; }

    std::vector<SeenBatch> replayed;
    std::vector<std::string> acknowledged, refused;  ///< In the order of the callbacks.

private:
    runtime::SimDisk& disk_;
    LogOptions options_;
    runtime::SimWorld world_;
    std::unique_ptr<runtime::SimRuntime> node_;
    std::unique_ptr<NodeLog> log_;
};

/// Replaces a file's bytes, durably, between two lives.
void overwrite(runtime::Disk& disk, const std::string& path, std::uint64_t offset,
               std::string_view bytes);
std::string contents(runtime::Disk& disk, const std::string& path);
inline const std::string kFirstFile = "wal/00000000000000000001.log";
inline const std::string kSecondFile = "wal/00000000000000000002.log";

}  // namespace tidal::wal
