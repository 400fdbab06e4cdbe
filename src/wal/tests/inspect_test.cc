#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log_fixture.h"
#include "wal/internal/log_format.h"
#include "wal/log_inspect.h"

namespace tidal::wal {
namespace inspect_test {

using runtime::SimDisk;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Inspect : public ::testing::Test {
protected:
    void SetUp() override {
        SimLog sim(disk, small_files(4096));
        ASSERT_TRUE(sim.open());
        for (std::uint64_t index = 1; index <= 20; ++index)
            for (std::uint16_t shard = 1; shard <= 2; ++shard)
                sim.append_and_run(batch_of(shard, index, 1, 400));
        for (std::uint16_t shard = 1; shard <= 2; ++shard)
            sim.log().checkpointed(ShardId(shard), Incarnation(1), LogIndex(10));
        sim.run();
    }
    LogReport report() {
        const auto before = disk.content_hash();
        auto inspected = inspect_log(disk, "wal", "archive");
        EXPECT_TRUE(inspected) << inspected.error().to_string();
        EXPECT_EQ(disk.content_hash(), before);
        return inspected ? *inspected : LogReport();
    }
    bool starts() {
        auto copy = disk.survivor({.keep = runtime::CrashSpec::Keep::kAll});
        SimLog sim(*copy, small_files(4096));
        return sim.open().ok();
    }
    SimDisk disk;
};

TEST_F(Inspect, ASoundLogHasNoDamage) {
    const auto found = report();
    EXPECT_THAT(found.damage, IsEmpty());
    ASSERT_GE(found.files.size(), 3u);
    ASSERT_GE(found.segments.size(), 2u);
    std::uint64_t batches = 0;
    for (const auto& file : found.files) batches += file.batches;
    for (const auto& segment : found.segments) batches += segment.info.batches;
    EXPECT_EQ(batches, 40u);
    const auto& ranges = found.files.front().ranges;
    ASSERT_THAT(ranges, SizeIs(2));
    EXPECT_EQ(ranges.begin()->first, (ShardKey{kFirstRegion, ShardId(1), Incarnation(1)}));
}

TEST_F(Inspect, ListsAllDamageAndGoesOnBehindIt) {
    const auto sound = report();
    const auto& first = sound.files[0];
    const auto& second = sound.files[1];
    ASSERT_TRUE(disk.flip_bit(first.path, kFileHeaderBytes + 100, 0));       // A payload.
    ASSERT_TRUE(disk.flip_bit(first.path, kFileHeaderBytes + 464 + 20, 0));  // A header.
    ASSERT_TRUE(disk.flip_bit(second.path, second.used_bytes + 70, 0));
    ASSERT_TRUE(disk.flip_bit(sound.segments[1].path, 150, 0));
    const auto found = report();
    ASSERT_THAT(found.damage, SizeIs(::testing::Ge(4)));
    EXPECT_EQ(found.damage[0].path, first.path);
    EXPECT_EQ(found.damage[0].offset, kFileHeaderBytes);
    EXPECT_EQ(found.damage[1].offset, kFileHeaderBytes + 464);
    EXPECT_EQ(found.damage[0].kind, LogDamage::Kind::kStopsStart);
    EXPECT_EQ(found.damage.back().path, sound.segments[1].path);
    EXPECT_EQ(found.damage.back().kind, LogDamage::Kind::kArchive);
    EXPECT_EQ(found.files[0].batches, first.batches - 2);
    EXPECT_FALSE(starts());
}

TEST_F(Inspect, ATornTailIsToldFromDamage) {
    const auto sound = report();
    const auto& last =
        sound.files.back().used_bytes > 0 ? sound.files.back() : *std::prev(sound.files.end(), 2);
    ASSERT_GT(last.used_bytes, kFileHeaderBytes);
    const auto begin = last.used_bytes - 300;
    overwrite(disk, last.path, begin, std::string(4096 - begin, '\0'));
    const auto found = report();
    ASSERT_THAT(found.damage, SizeIs(1));
    EXPECT_EQ(found.damage[0].kind, LogDamage::Kind::kTornTail);
    EXPECT_EQ(damage_kind_name(found.damage[0].kind), "torn_tail");
    EXPECT_TRUE(starts());
}

TEST_F(Inspect, AMissingFileIsDamage) {
    ASSERT_TRUE(disk.remove(report().files[1].path));
    EXPECT_THAT(report().damage, SizeIs(::testing::Ge(1)));
    EXPECT_FALSE(starts());
}

/// fsck and a start agree: what it calls sound starts, what it says stops the start does.
TEST_F(Inspect, AgreesWithTheStartOnEveryFlippedByte) {
    const auto sound = report();
    for (const auto& file :
         {sound.files[0], sound.files[sound.files.size() - 2], sound.files.back()})
        for (std::uint64_t offset = 0; offset < file.file_bytes; offset += 17) {
            ASSERT_TRUE(disk.flip_bit(file.path, offset, 5));
            const auto found = report();
            ASSERT_THAT(found.damage, ::testing::Not(IsEmpty())) << file.path << " " << offset;
            const bool tail = found.damage[0].kind == LogDamage::Kind::kTornTail;
            ASSERT_EQ(tail, starts()) << file.path << " " << offset;
            ASSERT_TRUE(disk.flip_bit(file.path, offset, 5));
        }
}

}  // namespace inspect_test
}  // namespace tidal::wal
