#include "wal/node_log.h"

#include <gmock/gmock.h>

#include "log_fixture.h"
#include "wal/internal/zstd.h"

namespace tidal::wal {
namespace node_log_test {

using runtime::SimDisk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NodeLog, ReplaysWhatWasAcknowledged) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 2));
    sim.append_and_run(batch_of(2, 1, 1, 0));
    sim.append_and_run(batch_of(1, 3, 1, 700));
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+2", "2:1+1", "1:3+1"));
    sim.close();
    disk.crash({.keep = runtime::CrashSpec::Keep::kNothing});

    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+2", "2:1+1", "1:3+1"));
    for (const auto& seen : sim.replayed)
        EXPECT_EQ(seen.payload, payload_of(seen.header.shard.value(),
                                           seen.header.first_index.value(), seen.payload.size()));
    EXPECT_EQ(sim.replayed[0].header.stamp, batch_of(1, 1, 2).header.stamp);
}

TEST(NodeLog, OneSyncForAllThatWait) {
    SimDisk disk;
    SimLog sim(disk, small_files(1 << 20));
    ASSERT_TRUE(sim.open());
    const auto syncs = disk.op_count(runtime::DiskOp::kSync);
    const auto writes = disk.op_count(runtime::DiskOp::kWrite);
    for (std::uint16_t shard = 1; shard <= 8; ++shard)
        for (std::uint64_t index = 1; index <= 100; ++index)
            ASSERT_TRUE(sim.append(batch_of(shard, index, 1)));
    EXPECT_THAT(sim.acknowledged, IsEmpty());
    sim.run();
    EXPECT_EQ(sim.acknowledged.size(), 800u);
    EXPECT_EQ(disk.op_count(runtime::DiskOp::kSync) - syncs, 1u);
    EXPECT_EQ(disk.op_count(runtime::DiskOp::kWrite) - writes, 1u);
    const auto stats = sim.log().stats();
    EXPECT_EQ(stats.batches, 800u);
    EXPECT_EQ(stats.syncs, 1u);
    EXPECT_EQ(stats.queue_bytes, 0u);
}

TEST(NodeLog, GoesOnToTheNextFileAndKeepsTheOrder) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    std::vector<std::string> expected;
    for (std::uint64_t index = 1; index <= 200; ++index) {
        expected.push_back("1:" + std::to_string(index) + "+1");
        ASSERT_TRUE(sim.append(batch_of(1, index, 1, index * 37 % 900)));
        if (index % 7 == 0) sim.run();
    }
    sim.run();
    EXPECT_EQ(sim.acknowledged, expected);
    EXPECT_GT(sim.log().stats().files, 20u);
    EXPECT_EQ(names_of(sim.read(1)), expected);
    ASSERT_TRUE(sim.open());
    EXPECT_EQ(names_of(sim.replayed), expected);
}

TEST(NodeLog, AppendsGoOnBehindWhatWasReplayed) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    std::vector<std::string> expected;
    for (std::uint64_t life = 1; life <= 60; ++life) {
        const auto opened = sim.open();
        ASSERT_TRUE(opened) << opened.error().to_string();
        ASSERT_EQ(names_of(sim.replayed), expected);
        sim.append_and_run(batch_of(1, life, 1, 300));
        expected.push_back("1:" + std::to_string(life) + "+1");
    }
}

TEST(NodeLog, LargestPayloadsFitAndLargerOnesAreRefused) {
    SimDisk disk;
    LogOptions options;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    for (std::uint64_t index = 1; index <= 3; ++index)
        ASSERT_TRUE(sim.append(batch_of(1, index, 1, kBatchPayloadBytesMax)));
    const auto refused = sim.append(batch_of(1, 4, 1, kBatchPayloadBytesMax + 1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kTooLarge);
    sim.run();
    EXPECT_EQ(sim.acknowledged.size(), 3u);
    EXPECT_EQ(sim.log().stats().files, 3u);
    ASSERT_TRUE(sim.open());
    ASSERT_EQ(sim.replayed.size(), 3u);
    EXPECT_EQ(sim.replayed[2].payload, payload_of(1, 3, kBatchPayloadBytesMax));
}

TEST(NodeLog, RefusesWhatIsNoBatch) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    EXPECT_EQ(sim.append(batch_of(1, 1, 0)).error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(sim.append(batch_of(1, 0, 1)).error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(sim.append(batch_of(1, 1, 1, 8100)).error().code(), ErrorCode::kTooLarge);
}

TEST(NodeLog, AFullQueueRefusesAndThenTakesAgain) {
    SimDisk disk;
    auto options = small_files();
    options.queue_bytes_max = 1000;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    ASSERT_TRUE(sim.append(batch_of(1, 1, 1, 800)));
    const auto refused = sim.append(batch_of(1, 2, 1, 100));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
    sim.run();
    sim.append_and_run(batch_of(1, 2, 1, 100));
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1", "1:2+1"));
}

TEST(NodeLog, StopWritesWhatIsQueuedThenRefuses) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    for (std::uint64_t index = 1; index <= 40; ++index)
        ASSERT_TRUE(sim.append(batch_of(1, index, 1, 500)));
    sim.log().stop();
    sim.log().stop();
    EXPECT_EQ(sim.acknowledged.size(), 40u);
    EXPECT_EQ(sim.append(batch_of(1, 41, 1)).error().code(), ErrorCode::kUnavailable);
    sim.close();
    disk.crash({.keep = runtime::CrashSpec::Keep::kNothing});
    ASSERT_TRUE(sim.open());
    EXPECT_EQ(sim.replayed.size(), 40u);
}

TEST(NodeLog, SupersededBatchesAreReplayedInLogOrder) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    for (auto [first, count] : {std::pair{1, 5}, {6, 2}, {4, 1}, {5, 1}})
        ASSERT_TRUE(sim.append(
            batch_of(1, static_cast<std::uint64_t>(first), static_cast<std::uint32_t>(count))));
    sim.run();
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+5", "1:6+2", "1:4+1", "1:5+1"));
    EXPECT_THAT(names_of(sim.read(1, 6)), ElementsAre("1:6+2"));
}

TEST(NodeLog, LargePayloadsAreCompressedWhenAskedAndWhenItPays) {
    SimDisk disk;
    auto options = small_files(1 << 20);
    options.compress_payload_bytes_min = 1000;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    auto squeezable = batch_of(1, 1, 1);
    squeezable.payload = std::string(50'000, 'x');
    sim.append_and_run(std::move(squeezable));
    EXPECT_LT(sim.log().stats().bytes_appended, 1000u);
    auto packed = batch_of(1, 2, 1);
    packed.payload = zstd_pack(payload_of(1, 2, 5000), 19);
    const auto packed_payload = packed.payload;
    const auto before = sim.log().stats().bytes_appended;
    sim.append_and_run(std::move(packed));
    EXPECT_EQ(sim.log().stats().bytes_appended - before, kBatchHeaderBytes + packed_payload.size());
    ASSERT_TRUE(sim.open());
    ASSERT_EQ(sim.replayed.size(), 2u);
    EXPECT_EQ(sim.replayed[1].payload, packed_payload);
    EXPECT_EQ(sim.replayed[0].payload, std::string(50'000, 'x'));
    EXPECT_EQ(sim.replayed[0].header.codec, BatchCodec::kPlain);
    EXPECT_EQ(sim.replayed[0].header.payload_bytes, 50'000u);
}

TEST(NodeLog, ReadsOneShardFromAnIndexOn) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    for (std::uint64_t index = 1; index <= 30; index += 3)
        for (std::uint16_t shard = 1; shard <= 3; ++shard)
            sim.append_and_run(batch_of(shard, index, 3, 200));
    EXPECT_EQ(sim.read(2).size(), 10u);
    // The batch that holds index 11 begins at 10.
    EXPECT_THAT(names_of(sim.read(2, 11)),
                ElementsAre("2:10+3", "2:13+3", "2:16+3", "2:19+3", "2:22+3", "2:25+3", "2:28+3"));
    EXPECT_THAT(sim.read(2, 31), IsEmpty());
    EXPECT_THAT(sim.read(4), IsEmpty());
}

TEST(NodeLog, ReadsOnlyWhatIsDurable) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1));
    ASSERT_TRUE(sim.append(batch_of(1, 2, 1)));
    EXPECT_THAT(names_of(sim.read(1)), ElementsAre("1:1+1"));
    sim.run();
    EXPECT_THAT(names_of(sim.read(1)), ElementsAre("1:1+1", "1:2+1"));
}

TEST(NodeLog, ReadsBetweenStamps) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    for (std::uint64_t index = 1; index <= 9; ++index) sim.append_and_run(batch_of(1, index, 1));
    std::vector<SeenBatch> seen;
    ReadRange range{.shard = ShardId(1)};
    range.stamp_min = HybridTime::from(1'700'000'000'003, 0);
    range.stamp_max = HybridTime::from(1'700'000'000'005, 0);
    ASSERT_TRUE(sim.log().read(range, collect_into(&seen)));
    // The batch behind the end may hold records before it.
    EXPECT_THAT(names_of(seen), ElementsAre("1:3+1", "1:4+1", "1:5+1", "1:6+1"));
}

TEST(NodeLog, AVisitorsErrorStopsTheStartAndTheRead) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    for (std::uint64_t index = 1; index <= 3; ++index) sim.append_and_run(batch_of(1, index, 1));
    const auto refuse_second = [](const BatchHeader& header, std::string_view) -> Result<void> {
        if (header.first_index < LogIndex(2)) return {};
        return Error(ErrorCode::kIncompatible, "not for me");
    };
    const auto read = sim.log().read(ShardId(1), LogIndex(1), refuse_second);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message(), "not for me");
    const auto opened = NodeLog::open(sim.node(), small_files(), refuse_second);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(opened.error().context().size(), 2u);  // File and offset.
}

TEST(NodeLog, RefusesImpossibleOptions) {
    SimDisk disk;
    for (const std::uint64_t bytes : {0ULL, 4095ULL, 5000ULL, (16ULL << 20) + 512}) {
        SimLog sim(disk, small_files(bytes));
        const auto opened = sim.open();
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
    }
}

}  // namespace node_log_test
}  // namespace tidal::wal
