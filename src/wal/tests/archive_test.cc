// Sealing of covered files, reading what was sealed, retention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "log_fixture.h"
#include "wal/archive_segment.h"
#include "wal/internal/archive.h"
#include "wal/internal/log_format.h"

namespace tidal::wal {
namespace archive_test {

using runtime::DiskOp;
using runtime::SimDisk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> files_in(SimDisk& disk, const std::string& folder) {
    auto names = disk.list(folder);
    return names ? *names : std::vector<std::string>();
}

/// 30 batches of two shards over several files.
void fill(SimLog& sim) {
    for (std::uint64_t index = 1; index <= 30; ++index)
        for (std::uint16_t shard = 1; shard <= 2; ++shard)
            sim.append_and_run(batch_of(shard, index, 1, 300));
}

void cover(SimLog& sim, std::uint64_t index) {
    for (std::uint16_t shard = 1; shard <= 2; ++shard)
        sim.log().checkpointed(ShardId(shard), Incarnation(1), LogIndex(index));
    sim.run();
}

TEST(Archive, CoveredFilesBecomeSegmentsAndReadAsBefore) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    fill(sim);
    const auto files = sim.log().stats().files;
    ASSERT_GE(files, 6u);
    const auto before = sim.read(1);

    sim.log().checkpointed(ShardId(1), Incarnation(1), LogIndex(30));
    sim.run();
    EXPECT_EQ(sim.log().stats().files, files) << "shard 2 still needs them";
    cover(sim, 12);
    const auto some = sim.log().stats();
    EXPECT_LT(some.files, files);
    EXPECT_GT(some.files, 2u);
    cover(sim, 30);
    EXPECT_EQ(sim.log().stats().files, 1u) << "the one being written stays";
    EXPECT_EQ(sim.log().stats().archive_failures, 0u);

    const auto after = sim.read(1);
    EXPECT_EQ(names_of(after), names_of(before));
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].payload, before[i].payload);
    EXPECT_THAT(sim.read(1, 25), SizeIs(6));
    const auto segments = files_in(disk, "archive");
    ASSERT_THAT(segments, SizeIs(sim.log().stats().archive_segments));
    EXPECT_EQ(segments[0], "r0001-s0001-00000000000000000001.seg");

    ASSERT_TRUE(sim.open());
    EXPECT_EQ(names_of(sim.read(1)), names_of(before));
    EXPECT_EQ(names_of(sim.read(2)).size(), 30u);
    EXPECT_LT(sim.replayed.size(), 20u);
    sim.append_and_run(batch_of(1, 31, 1));
    EXPECT_EQ(sim.read(1).size(), 31u);
}

TEST(Archive, AnEarlierIncarnationIsCoveredAndKeepsItsSegments) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    for (std::uint32_t incarnation = 1; incarnation <= 2; ++incarnation)
        for (std::uint64_t index = 1; index <= 12; ++index) {
            auto batch = batch_of(1, index, 1, 900);
            batch.header.incarnation = Incarnation(incarnation);
            sim.append_and_run(std::move(batch));
        }
    sim.log().checkpointed(ShardId(1), Incarnation(2), LogIndex(12));
    sim.run();
    EXPECT_EQ(sim.log().stats().files, 1u);
    EXPECT_THAT(files_in(disk, "archive"),
                ::testing::Contains("r0001-s0001-00000000000000000001-i00000002.seg"));
    const auto expect_both = [&] {
        const auto seen = sim.read(1);
        ASSERT_THAT(seen, SizeIs(24));
        for (std::size_t i = 0; i < 24; ++i) {
            EXPECT_EQ(seen[i].header.incarnation, Incarnation(i < 12 ? 1 : 2));
            EXPECT_EQ(seen[i].header.first_index, LogIndex(i % 12 + 1));
        }
    };
    expect_both();
    ASSERT_TRUE(sim.open());
    expect_both();
}

TEST(Archive, SupersededBatchesAreLeftOut) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    const auto put = [&](std::uint64_t first, std::uint64_t term) {
        auto batch = batch_of(1, first, 1, 900);
        batch.header.term = Term(term);
        sim.append_and_run(std::move(batch));
    };
    for (std::uint64_t index = 1; index <= 4; ++index) put(index, 1);  // Fills the first file.
    for (std::uint64_t index = 3; index <= 8; ++index) put(index, 2);  // From the second on.
    sim.log().checkpointed(ShardId(1), Incarnation(1), LogIndex(8));
    sim.run();
    std::vector<std::uint64_t> terms;
    std::vector<std::uint64_t> indexes;
    for (const auto& seen : sim.read(1)) {
        terms.push_back(seen.header.term.value());
        indexes.push_back(seen.header.first_index.value());
    }
    EXPECT_THAT(indexes, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
    EXPECT_THAT(terms, ElementsAre(1, 1, 2, 2, 2, 2, 2, 2));
}

TEST(Archive, AFullDiskOnlyDelaysSealing) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    fill(sim);
    const auto files = sim.log().stats().files;
    disk.set_capacity(disk.used_bytes());
    cover(sim, 30);
    EXPECT_EQ(sim.log().stats().files, files);
    EXPECT_GT(sim.log().stats().archive_failures, 0u);
    EXPECT_FALSE(sim.node().crashed());
    EXPECT_EQ(sim.read(1).size(), 30u);
    disk.set_capacity(~0ULL);
    cover(sim, 30);
    EXPECT_EQ(sim.log().stats().files, 1u);
    EXPECT_EQ(sim.read(1).size(), 30u);
}

TEST(Archive, AFailedFsyncOfASegmentIsFatal) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    fill(sim);
    disk.add_fault({.op = DiskOp::kSync, .path_contains = "archive"});
    cover(sim, 30);
    EXPECT_TRUE(sim.node().fatal_error().has_value());
}

TEST(Archive, TheOldestGoWhenThereAreTooManyBytes) {
    SimDisk disk;
    auto options = small_files(4096);
    options.archive_bytes_max = 8000;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    fill(sim);
    cover(sim, 30);
    const auto stats = sim.log().stats();
    EXPECT_LE(stats.archive_bytes, 8000u);
    EXPECT_GT(stats.archive_bytes, 4000u);
    const auto seen = sim.read(1);
    EXPECT_EQ(seen.back().header.first_index, LogIndex(30));
    EXPECT_GT(seen.front().header.first_index, LogIndex(1));
    for (std::size_t i = 1; i < seen.size(); ++i)
        EXPECT_EQ(seen[i].header.first_index, seen[i - 1].header.first_index.next());
}

TEST(Archive, WhatIsTooOldGoes) {
    SimDisk disk;
    auto options = small_files(4096);
    options.archive_age_max_ms = 1000;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    fill(sim);
    cover(sim, 30);
    EXPECT_GT(sim.log().stats().archive_segments, 0u);
    sim.node().jump_wall(5000);
    cover(sim, 30);
    EXPECT_EQ(sim.log().stats().archive_segments, 0u);
    EXPECT_THAT(files_in(disk, "archive"), IsEmpty());
}

TEST(Archive, RetentionSparesWhatIsBeingRead) {
    SimDisk disk;
    auto options = small_files(4096);
    options.archive_age_max_ms = 1000;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    fill(sim);
    cover(sim, 30);
    sim.node().jump_wall(5000);
    std::uint64_t seen = 0;
    ASSERT_TRUE(sim.log().read(ShardId(1), LogIndex(1),
                               [&](const BatchHeader&, std::string_view) -> Result<void> {
                                   if (seen++ == 0) cover(sim, 30);
                                   return {};
                               }));
    EXPECT_EQ(seen, 30u);
    cover(sim, 30);
    EXPECT_EQ(sim.log().stats().archive_segments, 0u);
}

TEST(Archive, LogFilesBeingReadStayUntilTheReaderIsDone) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    fill(sim);
    const auto files = sim.log().stats().files;
    std::uint64_t seen = 0;
    ASSERT_TRUE(sim.log().read(ShardId(1), LogIndex(1),
                               [&](const BatchHeader&, std::string_view) -> Result<void> {
                                   if (seen++ == 0) {
                                       cover(sim, 30);
                                       EXPECT_EQ(sim.log().stats().files, files);
                                   }
                                   return {};
                               }));
    EXPECT_EQ(seen, 30u);
    cover(sim, 30);
    EXPECT_EQ(sim.log().stats().files, 1u);
}

TEST(Archive, EveryFlippedBitOfASegmentIsFound) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    fill(sim);
    cover(sim, 30);
    const auto path = "archive/" + files_in(disk, "archive").front();
    const auto whole = contents(disk, path);
    for (std::uint64_t offset = 0; offset < whole.size(); ++offset) {
        const auto bit = static_cast<unsigned>(offset % 8);
        ASSERT_TRUE(disk.flip_bit(path, offset, bit));
        std::vector<SeenBatch> seen;
        const auto read = sim.log().read(ShardId(1), LogIndex(1), collect_into(&seen));
        ASSERT_FALSE(read) << offset;
        ASSERT_THAT(read.error().to_string(), HasSubstr(path));
        ASSERT_THAT(seen, IsEmpty());
        ASSERT_TRUE(disk.flip_bit(path, offset, bit));
    }
    EXPECT_EQ(sim.read(1).size(), 30u);
}

TEST(Archive, ADamagedSegmentDoesNotStopTheStartNorAnotherShard) {
    SimDisk disk;
    SimLog sim(disk, small_files(4096));
    ASSERT_TRUE(sim.open());
    fill(sim);
    cover(sim, 30);
    ASSERT_TRUE(disk.flip_bit("archive/r0001-s0001-00000000000000000001.seg", 9, 0));
    ASSERT_TRUE(sim.open());
    EXPECT_EQ(sim.log().stats().archive_damaged, 1u);
    EXPECT_FALSE(sim.log().read(ShardId(1), LogIndex(1), [](const BatchHeader&, std::string_view) {
        return Result<void>();
    }));
    EXPECT_EQ(sim.read(2).size(), 30u);
}

TEST(Archive, NamesOfSegments) {
    const ShardKey key{RegionId(1), ShardId(3), Incarnation(10)};
    EXPECT_EQ(segment_name(key, LogIndex(4096), false), "r0001-s0003-00000000000000004096.seg");
    EXPECT_EQ(segment_name(key, LogIndex(4096), true),
              "r0001-s0003-00000000000000004096-i0000000a.seg");
    for (const bool with_incarnation : {false, true}) {
        const auto parsed = parse_segment_name(segment_name(key, LogIndex(4096), with_incarnation));
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->region, key.region);
        EXPECT_EQ(parsed->shard, key.shard);
        EXPECT_EQ(parsed->first, LogIndex(4096));
    }
    for (const auto* name : {"", "r1", "r1-s1", "r1-s1-.seg", "r1-s1-7.sec", "r1-s1-7.seg.tmp",
                             "r99999-s1-7.seg", "r1-s1-99999999999999999999999.seg"})
        EXPECT_FALSE(parse_segment_name(name)) << name;
}

RC_GTEST_PROP(Archive, SegmentsRoundTrip, (std::uint64_t seed)) {
    runtime::SeededRandom random(seed);
    const ShardKey key{RegionId(1), ShardId(3), Incarnation(2)};
    SegmentBuilder builder(key, random.below(2) == 1);
    std::string expected;
    std::uint64_t index = 1 + random.below(1000);
    const auto first = index;
    const auto count = 1 + random.below(30);
    for (std::uint64_t i = 0; i < count; ++i) {
        auto batch = batch_of(3, index, 1 + static_cast<std::uint32_t>(random.below(5)),
                              random.below(20'000));
        batch.header.incarnation = key.incarnation;
        std::string bytes;
        encode_batch(batch.header, batch.payload, &bytes);
        builder.add(batch.header, bytes);
        expected += bytes;
        index += batch.header.count;
    }
    const auto file = builder.finish();
    const auto path = segment_name(key, LogIndex(first), false);
    SimDisk disk;
    RC_ASSERT(runtime::write_file(disk, path, file).ok());
    auto reader = SegmentReader::open(disk, path);
    RC_ASSERT(reader.ok());
    RC_ASSERT(reader->info() == builder.info());
    RC_ASSERT(reader->info().first == LogIndex(first));
    RC_ASSERT(reader->info().last == LogIndex(index - 1));
    RC_ASSERT(reader->info().batches == count);
    std::string read;
    for (const auto& block : reader->blocks()) {
        auto plain = reader->read_block(block);
        RC_ASSERT(plain.ok());
        read += *plain;
    }
    RC_ASSERT(read == expected);
}

TEST(Archive, ReadsTheGoldenSegment) {
    SimDisk disk;
    const std::string path = "r0001-s0003-00000000000000004096.seg";
    ASSERT_TRUE(runtime::write_file(disk, path, read_hex("segment_v1.hex")));
    auto reader = SegmentReader::open(disk, path);
    ASSERT_TRUE(reader) << reader.error().to_string();
    EXPECT_EQ(reader->info().key, (ShardKey{RegionId(1), ShardId(3), Incarnation(2)}));
    EXPECT_EQ(reader->info().first, LogIndex(4096));
    EXPECT_EQ(reader->info().last, LogIndex(4098));
    ASSERT_THAT(reader->blocks(), SizeIs(1));
    const auto plain = reader->read_block(reader->blocks()[0]);
    ASSERT_TRUE(plain) << plain.error().to_string();
    EXPECT_EQ(*plain, read_hex("batch_v2.hex"));
}

TEST(Archive, ReadsTheGoldenSealedSegment) {
    SimDisk disk;
    const std::string path = "r0001-s0003-00000000000000004096.seg";
    const std::string golden = read_hex("segment_v2.hex");
    ASSERT_TRUE(runtime::write_file(disk, path, golden));
    auto reader = SegmentReader::open(disk, path);
    ASSERT_TRUE(reader) << reader.error().to_string();
    EXPECT_TRUE(reader->info().sealed);
    const auto payloads = reader->read_block(reader->blocks()[0]);
    ASSERT_TRUE(payloads) << payloads.error().to_string();
    EXPECT_EQ(*payloads, read_hex("batch_v2.hex"));
    // Every byte lies under a checksum, or is the name.
    for (std::size_t at = 0; at < golden.size(); ++at) {
        std::string damaged = golden;
        damaged[at] = static_cast<char>(damaged[at] ^ 16);
        overwrite(disk, path, 0, damaged);
        auto again = SegmentReader::open(disk, path);
        EXPECT_FALSE(again.ok() && again->read_block(again->blocks()[0]).ok()) << at;
    }
}

}  // namespace archive_test
}  // namespace tidal::wal
