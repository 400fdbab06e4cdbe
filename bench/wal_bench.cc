// bench/wal_bench.cc: durable batches per second through the node's log, closed loop.
//
//     wal_bench [seconds per row = 3] [payload bytes = 100] [directory = /tmp/wal_bench]
//
// One row per number of batches in flight (50 connections x depth 16 = 800). Prints batches/s, the
// mean group, and p50 and p99 from append() to the callback; beside it, in turn, p50 and p99 of one
// write and fdatasync of a group of that size into a file filled with zeros: what the disk can do.
// Then the time to replay the log. The directory is made and removed.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/real_runtime.h"
#include "wal/node_log.h"

namespace tidal {
namespace {

using Clock = std::chrono::steady_clock;

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}
void must(Result<void> result) {
    if (result.ok()) return;
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Percentiles {
    double p50_us = 0, p99_us = 0;
};
Percentiles percentiles(std::vector<float>& micros) {
    if (micros.empty()) return {};
    std::sort(micros.begin(), micros.end());
    return {micros[micros.size() / 2], micros[micros.size() * 99 / 100]};
}

struct Load {
    std::uint64_t in_flight = 1;
    std::size_t payload_bytes = 100;
    double seconds = 3;
};
struct Measured {
    std::uint64_t batches = 0, syncs = 0;
    double seconds = 0;
    Percentiles latency;
};

/// Keeps `in_flight` batches of eight shards in the log.
class Client {
public:
    Client(wal::NodeLog& log, const Load& load) : log_(log), load_(load) {}

    Measured run() {
        const auto before = log_.stats();
        const auto begin = Clock::now();
        std::uint64_t submitted = 0;
        while (seconds_since(begin) < load_.seconds) {
            for (auto done = completed_.load(); submitted - done < load_.in_flight; ++submitted)
                submit(submitted);
            completed_.wait(submitted - load_.in_flight);
        }
        for (auto done = completed_.load(); done < submitted; done = completed_.load())
            completed_.wait(done);
        const auto after = log_.stats();
        return {submitted, after.syncs - before.syncs, seconds_since(begin), percentiles(micros_)};
    }

private:
    void submit(std::uint64_t number) {
        wal::PendingBatch batch;
        batch.header.region = kFirstRegion;
        batch.header.shard = ShardId(static_cast<std::uint16_t>(1 + number % 8));
        batch.header.first_index = LogIndex(++next_index_);
        batch.header.count = 1;
        batch.payload.assign(load_.payload_bytes, static_cast<char>('a' + number % 26));
        batch.on_durable = [this, queued = Clock::now()](const Result<void>& outcome) {
            if (!outcome) std::exit(1);
            micros_.push_back(
                std::chrono::duration<float, std::micro>(Clock::now() - queued).count());
            completed_.fetch_add(1);
            completed_.notify_one();
        };
        must(log_.append(std::move(batch)));
    }

    wal::NodeLog& log_;
    const Load load_;
    std::uint64_t next_index_ = 0;
    std::vector<float> micros_;  ///< The log's thread's own until run() has seen all completed.
    std::atomic<std::uint64_t> completed_ = 0;
};

Percentiles measure_disk(runtime::Disk& disk, std::size_t group_bytes) {
    const std::string path = "peer.bin";
    auto file = must(disk.open(path, runtime::OpenMode::kCreate));
    must(file->write_at(0, std::string(16 << 20, '\0')));
    must(file->sync());
    const std::string group(group_bytes, 'x');
    std::vector<float> micros;
    std::uint64_t offset = 0;
    const auto begin = Clock::now();
    while (seconds_since(begin) < 1 && offset + group_bytes <= 16 << 20) {
        const auto start = Clock::now();
        must(file->write_at(offset, group));
        must(file->sync());
        micros.push_back(std::chrono::duration<float, std::micro>(Clock::now() - start).count());
        offset += group_bytes;
    }
    file.reset();
    must(disk.remove(path));
    return percentiles(micros);
}

Result<void> ignore(const wal::BatchHeader&, std::string_view) {
    return {};
}

void run(const Load& base, const std::string& directory) {
    std::filesystem::remove_all(directory);
    auto runtime = must(runtime::make_real_runtime({.root = directory}));
    std::printf("payload %zu B, %.0f s per row\n", base.payload_bytes, base.seconds);
    std::printf("%9s %12s %8s %10s %10s | %12s %10s\n", "in flight", "batches/s", "group", "p50 us",
                "p99 us", "disk p50 us", "p99 us");
    std::uint64_t total = 0;
    for (const std::uint64_t in_flight : {1, 16, 64, 256, 800, 3200}) {
        auto load = base;
        load.in_flight = in_flight;
        auto log = must(wal::NodeLog::open(*runtime, {}, ignore));
        const auto measured = Client(*log, load).run();
        log->stop();
        const auto group = measured.batches / std::max<std::uint64_t>(measured.syncs, 1);
        const auto disk =
            measure_disk(runtime->disk(), std::max<std::size_t>(1, group) *
                                              (base.payload_bytes + wal::kBatchHeaderBytes));
        std::printf("%9llu %12.0f %8llu %10.0f %10.0f | %12.0f %10.0f\n",
                    static_cast<unsigned long long>(in_flight),
                    static_cast<double>(measured.batches) / measured.seconds,
                    static_cast<unsigned long long>(group), measured.latency.p50_us,
                    measured.latency.p99_us, disk.p50_us, disk.p99_us);
        total += measured.batches;
    }
    std::uint64_t replayed = 0;
    const auto begin = Clock::now();
    auto log = must(wal::NodeLog::open(
        *runtime, {}, [&](const wal::BatchHeader&, std::string_view) -> Result<void> {
            ++replayed;
            return {};
        }));
    std::printf("replay: %llu batches in %.2f s\n", static_cast<unsigned long long>(replayed),
                seconds_since(begin));
    log->stop();
    log.reset();
    runtime.reset();
    std::filesystem::remove_all(directory);
    if (replayed != total) std::exit(1);
}

}  // namespace
}  // namespace tidal

int main(int argc, char** argv) {
    tidal::Load load;
    if (argc > 1) load.seconds = std::atof(argv[1]);
    if (argc > 2) load.payload_bytes = static_cast<std::size_t>(std::atoll(argv[2]));
    tidal::run(load, argc > 3 ? argv[3] : "/tmp/wal_bench");
}
