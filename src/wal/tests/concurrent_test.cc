// The log on real threads and files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <latch>
#include <thread>

#include "log_fixture.h"
#include "runtime/real_runtime.h"

namespace tidal::wal {
namespace concurrent_test {

class RealLog : public ::testing::Test {
protected:
    void SetUp() override {
        root_ =
            std::filesystem::temp_directory_path() /
            ("tidal_wal_test_" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
             "_" + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
        auto made = runtime::make_real_runtime({.root = root_.string()});
        ASSERT_TRUE(made) << made.error().to_string();
        runtime = std::move(*made);
    }
    void TearDown() override {
        log.reset();
        runtime.reset();
        std::filesystem::remove_all(root_);
    }
    void open(const LogOptions& options) {
        replayed.clear();
        log.reset();
        auto opened = NodeLog::open(*runtime, options, collect_into(&replayed));
        ASSERT_TRUE(opened) << opened.error().to_string();
        log = std::move(*opened);
    }
    std::filesystem::path root_;
    std::unique_ptr<runtime::Runtime> runtime;
    std::unique_ptr<NodeLog> log;
    std::vector<SeenBatch> replayed;
};

TEST_F(RealLog, ReadsWhileOthersAppendAndFilesAreSealed) {
    constexpr std::uint64_t kBatches = 1500;
    constexpr std::uint16_t kShards = 3;
    auto options = small_files(64 << 10);
    options.archive_age_max_ms = 1LL << 50;  // The stamps of the batches are years old.
    open(options);
    std::atomic<std::uint64_t> durable[kShards + 1] = {};
    std::atomic<int> writing = kShards;
    std::vector<std::thread> threads;
    for (std::uint16_t shard = 1; shard <= kShards; ++shard)
        threads.emplace_back([&, shard] {
            for (std::uint64_t index = 1; index <= kBatches; ++index) {
                auto batch = batch_of(shard, index, 1, 100);
                batch.on_durable = [&, shard, index](const Result<void>& outcome) {
                    ASSERT_TRUE(outcome);
                    ASSERT_EQ(durable[shard].exchange(index), index - 1)
                        << "in the order of the log";
                };
                ASSERT_TRUE(log->append(std::move(batch)));
                if (index % 100 != 0) continue;
                while (durable[shard] + 50 < index) std::this_thread::yield();
                log->checkpointed(ShardId(shard), Incarnation(1), LogIndex(durable[shard]));
            }
            --writing;
        });
    for (int reader = 0; reader < 2; ++reader)
        threads.emplace_back([&] {
            do {
                for (std::uint16_t shard = 1; shard <= kShards; ++shard) {
                    const std::uint64_t known = durable[shard];
                    std::uint64_t seen = 0;
                    const auto read = log->read(
                        ShardId(shard), LogIndex(1),
                        [&](const BatchHeader& header, std::string_view payload) -> Result<void> {
                            ++seen;
                            EXPECT_EQ(header.first_index, LogIndex(seen));
                            EXPECT_EQ(payload, payload_of(shard, seen, 100));
                            return {};
                        });
                    ASSERT_TRUE(read) << read.error().to_string();
                    ASSERT_GE(seen, known);
                }
            } while (writing > 0);
        });
    for (auto& thread : threads) thread.join();
    log->stop();
    EXPECT_EQ(log->stats().batches, kBatches * kShards);
    EXPECT_GT(log->stats().archive_segments, 0u);
    open(options);
    for (std::uint16_t shard = 1; shard <= kShards; ++shard) {
        std::vector<SeenBatch> seen;
        ASSERT_TRUE(log->read(ShardId(shard), LogIndex(1), collect_into(&seen)));
        EXPECT_EQ(seen.size(), kBatches);
    }
}

/// Seals nothing until it is let go.
class WaitingCodec final : public ArchiveCodec {
public:
    std::latch asked{1}, let_go{1};

    Result<std::vector<Sealed>> seal(std::span<const Batch>) override {
        if (!asked.try_wait()) asked.count_down();
        let_go.wait();
        return Error(ErrorCode::kUnavailable, "not yet");
    }
    std::unique_ptr<Reader> reader() override { return nullptr; }
};

TEST_F(RealLog, WritersDoNotWaitForAFileThatIsSealed) {
    WaitingCodec codec;
    auto options = small_files(64 << 10);
    options.archive_codec = &codec;
    open(options);
    std::atomic<std::uint64_t> durable = 0;
    std::uint64_t index = 0;
    const auto write = [&](std::uint64_t batches) {
        for (std::uint64_t left = batches; left > 0; --left) {
            auto batch = batch_of(1, ++index, 1, 1000);
            batch.on_durable = [&](const Result<void>& outcome) {
                durable += outcome.ok() ? 1 : 0;
            };
            ASSERT_TRUE(log->append(std::move(batch)));
        }
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (durable < index && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
    };
    write(100);
    ASSERT_EQ(durable, index);
    log->checkpointed(ShardId(1), Incarnation(1), LogIndex(index));
    codec.asked.wait();
    const auto files = log->stats().files;
    write(500);
    EXPECT_EQ(durable, index) << "while a file is sealed";
    EXPECT_GE(log->stats().files, files + 5);
    codec.let_go.count_down();
    log->stop();
}

TEST_F(RealLog, FullSizeFilesRollAndReplay) {
    open(LogOptions());
    std::atomic<int> done = 0;
    for (std::uint64_t index = 1; index <= 40; ++index) {
        auto batch = batch_of(1, index, 1, 1 << 20);
        batch.on_durable = [&](const Result<void>& outcome) { done += outcome.ok() ? 1 : 0; };
        ASSERT_TRUE(log->append(std::move(batch)));
    }
    log->stop();
    EXPECT_EQ(done, 40);
    EXPECT_EQ(log->stats().files, 3u);
    EXPECT_EQ(std::filesystem::file_size(root_ / kFirstFile), kLogFileBytes);
    open(LogOptions());
    ASSERT_EQ(replayed.size(), 40u);
    EXPECT_EQ(replayed[39].payload, payload_of(1, 40, 1 << 20));
}

TEST_F(RealLog, DestructionWithoutStopDropsWhatIsQueued) {
    open(LogOptions());
    std::atomic<int> acknowledged = 0;
    for (std::uint64_t index = 1; index <= 1000; ++index) {
        auto batch = batch_of(1, index, 1, 1000);
        batch.on_durable = [&](const Result<void>&) { ++acknowledged; };
        ASSERT_TRUE(log->append(std::move(batch)));
    }
    open(LogOptions());
    EXPECT_GE(replayed.size(), static_cast<std::size_t>(acknowledged));
}

}  // namespace concurrent_test
}  // namespace tidal::wal
