// What a start makes of damaged logs: cluster.md, "Log and consensus", and docs/formats/wal.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "log_fixture.h"
#include "wal/internal/log_format.h"

namespace tidal::wal {
namespace recovery_test {

using runtime::CrashSpec;
using runtime::SimDisk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// One group commit of one batch, then one group of three of which nothing says that it was synced.
/// Offsets: 64, then 64 + kFirst, ...
constexpr std::size_t kFirstBytes = 64 + 1000;
constexpr std::size_t kTailPayloads[] = {900, 300, 1500};

std::unique_ptr<SimDisk> disk_with_two_groups() {
    auto disk = std::make_unique<SimDisk>();
    SimLog sim(*disk, small_files(4608));
    EXPECT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1, kFirstBytes - 64));
    std::uint64_t index = 2;
    for (const auto bytes : kTailPayloads) EXPECT_TRUE(sim.append(batch_of(1, index++, 1, bytes)));
    sim.run();
    EXPECT_EQ(sim.acknowledged.size(), 4u);
    return disk;
}

constexpr std::uint64_t kTailBegin = kFileHeaderBytes + kFirstBytes;
constexpr std::uint64_t kTailEnd = kTailBegin + 3 * 64 + 900 + 300 + 1500;

void expect_refused(SimDisk& disk, std::uint64_t offset, const std::string& what) {
    SimLog sim(disk);
    const auto before = disk.content_hash();
    const auto opened = sim.open();
    ASSERT_FALSE(opened) << what;
    EXPECT_EQ(opened.error().code(), ErrorCode::kCorruption);
    const auto text = opened.error().to_string();
    EXPECT_THAT(text, HasSubstr(kFirstFile));
    EXPECT_THAT(text, HasSubstr(what));
    EXPECT_THAT(text, HasSubstr(std::to_string(offset)));
    EXPECT_THAT(text, HasSubstr("restore this node from a replica or a backup"));
    sim.close();
    EXPECT_EQ(disk.content_hash(), before) << "a refused start changes nothing";
}

/// A process that was killed between the rename of a new file and the sync of its folder leaves a
/// name that the next one sees, and that the next loss of power takes away.
TEST(Recovery, AFileThatIsFoundHasItsNameForGood) {
    SimDisk disk;
    ASSERT_TRUE(disk.create_directories("wal"));
    {
        const auto file = disk.open("wal/made.tmp", runtime::OpenMode::kCreate);
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->write_at(0, std::string(4608, '\0')));
        ASSERT_TRUE((*file)->sync());
    }
    ASSERT_TRUE(disk.rename("wal/made.tmp", kFirstFile));
    {
        SimLog sim(disk, small_files(4608));
        ASSERT_TRUE(sim.open());
        sim.append_and_run(batch_of(1, 1, 1, 100));
        ASSERT_EQ(sim.acknowledged.size(), 1u);
        sim.close();
    }
    disk.crash({.keep = CrashSpec::Keep::kNothing});
    SimLog again(disk, small_files(4608));
    ASSERT_TRUE(again.open());
    EXPECT_THAT(names_of(again.replayed), ElementsAre("1:1+1"));
}

TEST(Recovery, EverySectorOfTheLastGroupMayBeMissing) {
    const auto disk = disk_with_two_groups();
    const auto whole = contents(*disk, kFirstFile);
    const std::uint64_t ends[] = {kTailBegin + 964, kTailBegin + 964 + 364, kTailEnd};
    // Any subset of the unsynced sectors may be lost; the first one keeps what was synced before.
    const auto first_sector = kTailBegin / kSectorBytes;
    const auto sectors = (kTailEnd - 1) / kSectorBytes - first_sector + 1;
    ASSERT_LT(sectors, 10u);
    for (std::uint64_t lost = 1; lost < (1ULL << sectors); ++lost) {
        auto torn = whole;
        std::uint64_t first_loss = kTailEnd;
        for (std::uint64_t sector = 0; sector < sectors; ++sector) {
            if ((lost >> sector & 1) == 0) continue;
            const auto begin = std::max((first_sector + sector) * kSectorBytes, kTailBegin);
            const auto end = (first_sector + sector + 1) * kSectorBytes;
            first_loss = std::min(first_loss, begin);
            torn.replace(begin, end - begin, end - begin, '\0');
        }
        overwrite(*disk, kFirstFile, 0, torn);
        SimLog sim(*disk);
        const auto opened = sim.open();
        ASSERT_TRUE(opened) << lost << ": " << opened.error().to_string();
        std::vector<std::string> expected = {"1:1+1"};
        for (std::size_t i = 0; i < 3 && ends[i] <= first_loss; ++i)
            expected.push_back("1:" + std::to_string(2 + i) + "+1");
        ASSERT_EQ(names_of(sim.replayed), expected) << lost;
        // The cut is durable before anything else: nothing of the tail can come back.
        sim.close();
        disk->crash({.keep = CrashSpec::Keep::kNothing});
        const auto end = expected.size() == 1 ? kTailBegin : ends[expected.size() - 2];
        ASSERT_TRUE(all_zero(contents(*disk, kFirstFile).substr(end))) << lost;
    }
}

TEST(Recovery, AppendsAfterACutAreNotFollowedByRemnants) {
    const auto disk = disk_with_two_groups();
    // The first batch of the group is lost, the other two are whole behind it.
    overwrite(*disk, kFirstFile, 1536, std::string(512, '\0'));
    SimLog sim(*disk);
    ASSERT_TRUE(sim.open());
    EXPECT_GT(sim.log().stats().cut_bytes, 0u);
    sim.append_and_run(batch_of(1, 2, 1, 900));
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1", "1:2+1"));
}

TEST(Recovery, DamageBeforeTheLastSyncedPositionStopsTheStart) {
    const auto disk = disk_with_two_groups();
    // Looks like a tear, but the second group says that the first was synced.
    overwrite(*disk, kFirstFile, 512, std::string(512, '\0'));
    expect_refused(*disk, kFileHeaderBytes, "before the last position known synced");
}

TEST(Recovery, DamageBehindItThatIsNoTearStopsTheStart) {
    const auto disk = disk_with_two_groups();
    ASSERT_TRUE(disk->flip_bit(kFirstFile, kTailEnd - 10, 3));
    expect_refused(*disk, kTailEnd - 1564, "not by a torn write");
}

/// Flips every bit of a small log in turn: never is a wrong byte believed, and nothing that a
/// header says was synced is ever cut.
TEST(Recovery, EveryFlippedBitIsCutAsATearOrRefused) {
    const auto disk = disk_with_two_groups();
    const auto whole = contents(*disk, kFirstFile);
    std::vector<SeenBatch> all;
    {
        SimLog sim(*disk);
        ASSERT_TRUE(sim.open());
        all = sim.replayed;
    }
    std::size_t cuts = 0;
    std::size_t refusals = 0;
    for (std::uint64_t offset = 0; offset < whole.size(); ++offset) {
        auto flipped = whole;
        flipped[offset] = static_cast<char>(flipped[offset] ^ (1 << (offset % 8)));
        SimDisk copy;
        ASSERT_TRUE(copy.create_directories("wal"));
        ASSERT_TRUE(runtime::write_file(copy, kFirstFile, flipped));
        SimLog sim(copy);
        if (const auto opened = sim.open(); !opened) {
            ++refusals;
            ASSERT_EQ(opened.error().code(), ErrorCode::kCorruption);
            continue;
        }
        ++cuts;
        // Only the zeros behind the end may have been "torn": all batches are there.
        ASSERT_GE(offset, kTailEnd);
        ASSERT_EQ(sim.replayed.size(), all.size());
        for (std::size_t i = 0; i < all.size(); ++i) {
            ASSERT_EQ(sim.replayed[i].header, all[i].header);
            ASSERT_EQ(sim.replayed[i].payload, all[i].payload);
        }
        sim.close();
        ASSERT_EQ(contents(copy, kFirstFile), whole) << "the flipped zero is a zero again";
    }
    EXPECT_GE(refusals, kTailEnd);
    EXPECT_GT(cuts, 300u);
}

TEST(Recovery, AFileThatLostItsEndStopsTheStart) {
    const auto disk = disk_with_two_groups();
    auto file = disk->open(kFirstFile, runtime::OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->truncate(kTailEnd - 100));
    expect_refused(*disk, kTailEnd - 100, "not the size");
}

class ManyFiles : public ::testing::Test {
protected:
    void SetUp() override {
        SimLog sim(disk, small_files(4096));
        ASSERT_TRUE(sim.open());
        for (std::uint64_t index = 1; index <= 20; ++index)
            sim.append_and_run(batch_of(1, index, 1, 900));
        ASSERT_GE(sim.log().stats().files, 5u);
    }
    Error open_error() {
        SimLog sim(disk, small_files(4096));
        const auto opened = sim.open();
        EXPECT_FALSE(opened);
        return opened ? Error(ErrorCode::kInternal, "opened") : opened.error();
    }
    SimDisk disk;
};

TEST_F(ManyFiles, AMissingFileIsNamed) {
    ASSERT_TRUE(disk.remove(kSecondFile));
    EXPECT_THAT(open_error().to_string(), HasSubstr(kSecondFile));
}

TEST_F(ManyFiles, AnEarlierFileWithoutItsLastBatchIsDamage) {
    auto bytes = contents(disk, kSecondFile);
    const auto last = bytes.rfind("TIDL\x02");
    bytes.replace(last, bytes.size() - last, bytes.size() - last, '\0');
    overwrite(disk, kSecondFile, 0, bytes);
    const auto error = open_error();
    EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    EXPECT_THAT(error.to_string(), HasSubstr("ends elsewhere"));
    EXPECT_THAT(error.to_string(), HasSubstr(kSecondFile));
}

TEST_F(ManyFiles, AnEarlierFileOfZerosIsDamage) {
    overwrite(disk, kSecondFile, 0, std::string(4096, '\0'));
    EXPECT_THAT(open_error().to_string(), HasSubstr("before the last position known synced"));
}

TEST_F(ManyFiles, ExchangedFilesAreDamage) {
    const auto first = contents(disk, kFirstFile);
    overwrite(disk, kFirstFile, 0, contents(disk, kSecondFile));
    overwrite(disk, kSecondFile, 0, first);
    EXPECT_THAT(open_error().to_string(), HasSubstr("another file's sequence number"));
}

TEST_F(ManyFiles, AForeignFileIsNamed) {
    ASSERT_TRUE(runtime::write_file(disk, "wal/notes.txt", "hello"));
    EXPECT_THAT(open_error().to_string(), HasSubstr("wal/notes.txt"));
}

TEST(Recovery, AFilePreparedButNotUsedIsUsedNext) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1, 2500));  // Beyond the half: the next file is made.
    EXPECT_TRUE(*disk.exists(kSecondFile));
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1"));
    const auto creates = disk.op_count(runtime::DiskOp::kCreate);
    sim.append_and_run(batch_of(1, 2, 1, 1500));
    EXPECT_EQ(disk.op_count(runtime::DiskOp::kCreate), creates);
    ASSERT_TRUE(sim.open());
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("1:1+1", "1:2+1"));
}

/// A node whose fatal() ends the process but not the machine: its cache lives on.
class ProcessEnds final : public runtime::Runtime {
public:
    explicit ProcessEnds(runtime::Runtime& inner) : inner_(inner) {}
    runtime::Clock& clock() override { return inner_.clock(); }
    runtime::Random& random() override { return inner_.random(); }
    runtime::Disk& disk() override { return inner_.disk(); }
    runtime::ExecutorFactory& executors() override { return inner_.executors(); }
    runtime::Network& network() override { return inner_.network(); }
    runtime::Memory& memory() override { return inner_.memory(); }
    void fatal(const Error&) override { ended = true; }
    bool ended = false;

private:
    runtime::Runtime& inner_;
};

TEST(Recovery, WhatAFailedFsyncLeftInTheCacheIsWrittenAgain) {
    SimDisk disk;
    runtime::SimWorld world;
    const auto node = world.create_node("node", disk);
    std::vector<SeenBatch> replayed;
    const auto open = [&](runtime::Runtime& process) {
        replayed.clear();
        auto log = NodeLog::open(process, small_files(), collect_into(&replayed));
        EXPECT_TRUE(log) << log.error().to_string();
        return std::move(*log);
    };
    ProcessEnds first(*node);
    auto log = open(first);
    disk.add_fault({.op = runtime::DiskOp::kSync, .path_contains = ".log"});
    ASSERT_TRUE(log->append(batch_of(1, 1, 1, 2000)));
    world.run_until_idle();
    ASSERT_TRUE(first.ended);
    // The kernel reported the failure once and now takes the pages for clean.
    ProcessEnds second(*node);
    log = open(second);
    EXPECT_THAT(names_of(replayed), ElementsAre("1:1+1"));
    ASSERT_TRUE(log->append(batch_of(1, 2, 1, 100)));
    world.run_until_idle();
    log.reset();
    ASSERT_FALSE(second.ended);
    // What was replayed counts as durable from then on.
    const auto survivor = disk.survivor({.keep = CrashSpec::Keep::kNothing});
    SimLog after(*survivor);
    const auto opened = after.open();
    ASSERT_TRUE(opened) << opened.error().to_string();
    EXPECT_THAT(names_of(after.replayed), ElementsAre("1:1+1", "1:2+1"));
}

TEST(Recovery, ReadsTheGoldenFile) {
    SimDisk disk;
    auto bytes = read_hex("log_v2.hex");
    bytes.resize(kLogFileBytes);
    ASSERT_TRUE(disk.create_directories("wal"));
    ASSERT_TRUE(runtime::write_file(disk, kFirstFile, bytes));
    SimLog sim(disk, LogOptions());
    const auto opened = sim.open();
    ASSERT_TRUE(opened) << opened.error().to_string();
    EXPECT_THAT(names_of(sim.replayed), ElementsAre("0:1+1", "1:1+2", "3:10+1"));
    EXPECT_EQ(sim.replayed[0].payload,
              "\x0e"
              "from version 1");
    EXPECT_EQ(sim.replayed[0].header.region, RegionId(0));
    EXPECT_EQ(sim.replayed[1].payload,
              "\x01"
              "a"
              "\x01"
              "b");
    EXPECT_EQ(sim.replayed[2].payload, "\xd8\x04" + std::string(600, 'x'));
    EXPECT_EQ(sim.log().stats().durable.offset, read_hex("log_v2.hex").size());
}

TEST(Recovery, WritesTheGoldenFileHeader) {
    SimDisk disk;
    SimLog sim(disk, LogOptions());
    ASSERT_TRUE(sim.open());
    sim.append_and_run(batch_of(1, 1, 1));
    EXPECT_EQ(contents(disk, kFirstFile).substr(0, kFileHeaderBytes),
              read_hex("log_v2.hex").substr(0, kFileHeaderBytes));
}

/// Random groups on a random disk, a crash that keeps random sectors, several lives.
RC_GTEST_PROP(Recovery, EveryAcknowledgedBatchIsThereAfterAnyCrash, (std::uint64_t seed)) {
    runtime::SeededRandom random(seed);
    SimDisk disk({.seed = seed});
    const std::uint64_t file_bytes = 4096 << random.below(3);
    SimLog sim(disk, small_files(file_bytes), seed);
    std::uint64_t next[4] = {1, 1, 1, 1};
    for (int life = 0; life < 5; ++life) {
        if (random.below(4) == 0) disk.set_crash_after(1 + random.below(8));
        const auto opened = sim.open();
        if (!opened) {
            if (!disk.dead()) RC_FAIL(opened.error().to_string());
            sim.close();
            disk.crash({.seed = random.u64()});
            continue;  // A crash during recovery.
        }
        const auto replayed = names_of(sim.replayed);
        // What was acknowledged in earlier lives, in order, with maybe unacknowledged ones between.
        auto at = replayed.begin();
        for (const auto& name : sim.acknowledged) {
            at = std::find(at, replayed.end(), name);
            RC_ASSERT(at != replayed.end());
            ++at;
        }
        for (auto& index : next)
            index += 1000;  // Whatever survives of the last life keeps its names.
        const auto batches = 1 + random.below(30);
        if (random.below(2) == 0) disk.set_crash_after(1 + random.below(2 * batches));
        for (std::uint64_t i = 0; i < batches; ++i) {
            const auto shard = static_cast<std::uint16_t>(random.below(4));
            if (!sim.append(batch_of(shard, next[shard]++, 1, random.below(1500)))) break;
            if (random.below(3) == 0) sim.run();
        }
        sim.close();
        disk.crash({.seed = random.u64()});
    }
}

}  // namespace recovery_test
}  // namespace tidal::wal
