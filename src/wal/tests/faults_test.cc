// Full disks and broken ones.
#include <gmock/gmock.h>

#include "log_fixture.h"

namespace tidal::wal {
namespace faults_test {

using runtime::CrashSpec;
using runtime::DiskOp;
using runtime::SimDisk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Faults, AFullDiskRefusesAppendsAndWorksAgainWithSpace) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    disk.set_capacity(disk.used_bytes());
    sim.append_and_run(batch_of(1, 1, 1, 3000));  // There is room in the file.
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1"));
    ASSERT_TRUE(sim.append(batch_of(1, 2, 1, 2000)));
    ASSERT_TRUE(sim.append(batch_of(1, 3, 1, 10)));
    ASSERT_TRUE(sim.append(batch_of(2, 1, 1, 10)));
    sim.run();
    EXPECT_THAT(sim.refused, ElementsAre("1:2+1", "1:3+1", "2:1+1"));
    EXPECT_FALSE(sim.node().crashed());
    EXPECT_EQ(sim.log().stats().refused_disk_full, 3u);
    EXPECT_EQ(sim.log().stats().queue_bytes, 0u);

    disk.set_capacity(~0ULL);
    sim.append_and_run(batch_of(1, 2, 1, 2000));
    sim.append_and_run(batch_of(2, 1, 1, 10));
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1", "1:2+1", "2:1+1"));
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1", "1:2+1", "2:1+1"));
}

TEST(Faults, NoBatchPassesARefusedOneOfItsShard) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    disk.set_capacity(disk.used_bytes());
    sim.append_and_run(batch_of(1, 1, 1, 3000));
    sim.append_and_run(batch_of(1, 2, 1, 2000));
    disk.set_capacity(~0ULL);
    // Queued before the shard heard of the refusal.
    sim.append_and_run(batch_of(1, 3, 1, 10));
    sim.append_and_run(batch_of(2, 1, 1, 10));
    EXPECT_THAT(sim.refused, ElementsAre("1:2+1", "1:3+1"));
    sim.append_and_run(batch_of(1, 2, 1, 10));
    sim.append_and_run(batch_of(1, 3, 1, 10));
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1", "2:1+1", "1:2+1", "1:3+1"));
}

TEST(Faults, NoSpaceInTheMiddleOfAFileTakesTheGroupBack) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1));
    // A copy-on-write file system may refuse even this; a prefix of the group is written.
    disk.add_fault({.op = DiskOp::kWrite, .code = ErrorCode::kDiskFull});
    ASSERT_TRUE(sim.append(batch_of(1, 2, 1, 600)));
    ASSERT_TRUE(sim.append(batch_of(1, 3, 1, 600)));
    sim.run();
    EXPECT_THAT(sim.refused, ElementsAre("1:2+1", "1:3+1"));
    sim.close();
    // Not even a crash that keeps everything brings back what was refused.
    disk.crash({.keep = CrashSpec::Keep::kAll});
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1"));
    sim.append_and_run(batch_of(1, 2, 1, 5));
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1", "1:2+1"));
}

TEST(Faults, ARefusalWaitsUntilTheGroupIsTakenBack) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1));
    disk.add_fault({.op = DiskOp::kWrite, .times = 4, .code = ErrorCode::kDiskFull});
    sim.append_and_run(batch_of(1, 2, 1, 600));
    EXPECT_THAT(sim.refused, IsEmpty()) << "part of it may be in the log";
    sim.append_and_run(batch_of(1, 3, 1, 10));
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1"));
    ASSERT_TRUE(sim.world().run_until([&] { return sim.refused.size() == 2; }));
    sim.append_and_run(batch_of(1, 2, 1, 5));
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1", "1:2+1"));
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1", "1:2+1"));
}

TEST(Faults, AFullDiskAtTheFirstStartIsAnError) {
    SimDisk disk({.capacity_bytes = 1000});
    SimLog sim(disk);
    const auto opened = sim.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::kDiskFull);
    disk.set_capacity(1 << 20);
    EXPECT_TRUE(sim.open());
}

void expect_fatal(SimLog& sim, SimDisk& disk) {
    for (std::uint64_t index = 2; index <= 4; ++index)
        ASSERT_TRUE(sim.append(batch_of(1, index, 1, 100)));
    sim.run();
    EXPECT_TRUE(sim.node().fatal_error().has_value());
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1"));
    disk.clear_faults();
    const auto ops = disk.mutating_ops();
    const auto after = sim.append(batch_of(1, 5, 1));
    EXPECT_FALSE(after.ok());
    sim.run();
    sim.log().stop();
    EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1"));
    EXPECT_THAT(sim.refused, IsEmpty()) << "it may be in the log";
    EXPECT_EQ(disk.mutating_ops(), ops) << "nothing is tried again";
}

TEST(Faults, AFailedFsyncIsFatal) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1));
    disk.add_fault({.op = DiskOp::kSync, .path_contains = ".log"});
    expect_fatal(sim, disk);
}

TEST(Faults, AFailedWriteIsFatal) {
    SimDisk disk;
    SimLog sim(disk);
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1));
    disk.add_fault({.op = DiskOp::kWrite, .path_contains = ".log"});
    expect_fatal(sim, disk);
}

TEST(Faults, AFailureToMakeTheNextFileIsFatal) {
    for (const auto op :
         {DiskOp::kCreate, DiskOp::kSync, DiskOp::kRename, DiskOp::kSyncDirectory}) {
        SimDisk disk;
        SimLog sim(disk, small_files(4096));
        ASSERT_TRUE(sim.open());
        disk.add_fault({.op = op, .path_contains = op == DiskOp::kSync ? "tmp" : "wal"});
        sim.append_and_run(batch_of(1, 1, 1, 3000));
        EXPECT_FALSE(sim.node().fatal_error().has_value()) << "only when the file is needed";
        ASSERT_TRUE(sim.append(batch_of(1, 2, 1, 3000)));
        sim.run();
        EXPECT_TRUE(sim.node().fatal_error().has_value()) << disk_op_name(op);
        EXPECT_THAT(sim.acknowledged, ElementsAre("1:1+1"));
    }
}

/// A short trace of several shards over several files, with checkpoints, crashed within each of its
/// operations; at each, several choices of what survives.
TEST(Faults, EveryCrashPointKeepsWhatWasAcknowledged) {
    const auto run_trace = [](SimLog& sim) {
        std::uint64_t index = 0;
        for (int group = 0; group < 8; ++group) {
            ++index;
            for (std::uint16_t shard = 1; shard <= 3; ++shard)
                if (!sim.append(batch_of(shard, index, 1, 150 + 350 * shard))) return;
            sim.run();
            if (group == 5)
                for (std::uint16_t shard = 1; shard <= 3; ++shard)
                    sim.log().checkpointed(ShardId(shard), Incarnation(1), LogIndex(3));
            sim.run();
        }
    };
    std::uint64_t operations = 0;
    {
        SimDisk disk;
        SimLog sim(disk, small_files(4096));
        ASSERT_TRUE(sim.open());
        run_trace(sim);
        ASSERT_EQ(sim.acknowledged.size(), 24u);
        ASSERT_GT(sim.log().stats().archive_segments, 0u);
        operations = disk.mutating_ops();
    }
    std::uint64_t ends = 0;
    for (std::uint64_t point = 1; point <= operations; ++point) {
        SimDisk disk;
        SimLog sim(disk, small_files(4096));
        disk.set_crash_after(point);
        if (sim.open()) run_trace(sim);
        const auto acknowledged = sim.acknowledged;
        sim.close();
        std::vector<CrashSpec> specs = {{.keep = CrashSpec::Keep::kNothing},
                                        {.keep = CrashSpec::Keep::kAll}};
        for (std::uint64_t sectors = 0; sectors <= disk.unsynced_sectors(); ++sectors)
            specs.push_back({.keep = CrashSpec::Keep::kPrefix, .sectors = sectors});
        for (std::uint64_t seed = 1; seed <= 10; ++seed) specs.push_back({.seed = seed});
        for (const auto& spec : specs) {
            ++ends;
            const auto survivor = disk.survivor(spec);
            SimLog after(*survivor, small_files(4096));
            const auto opened = after.open();
            ASSERT_TRUE(opened) << "point " << point << ": " << opened.error().to_string();
            for (std::uint16_t shard = 1; shard <= 3; ++shard) {
                // Log and archive together hold 1, 2, 3, ... without a gap or a repetition.
                const auto read = names_of(after.read(shard));
                const auto prefix = std::to_string(shard) + ":";
                const auto wanted = static_cast<std::size_t>(
                    std::count_if(acknowledged.begin(), acknowledged.end(),
                                  [&](const auto& name) { return name.starts_with(prefix); }));
                ASSERT_GE(read.size(), wanted) << "point " << point;
                for (std::size_t i = 0; i < read.size(); ++i)
                    ASSERT_EQ(read[i], prefix + std::to_string(i + 1) + "+1") << "point " << point;
            }
            after.append_and_run(batch_of(9, 1, 1));
            ASSERT_THAT(after.acknowledged, ElementsAre("9:1+1"));
        }
    }
    EXPECT_GT(ends, operations * 10);
}

}  // namespace faults_test
}  // namespace tidal::wal
