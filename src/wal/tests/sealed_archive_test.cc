// Segments whose payloads are a codec's: what waits stays in the log, what is read is as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/codec.h"
#include "log_fixture.h"
#include "wal/archive_segment.h"

namespace tidal::wal {
namespace sealed_archive_test {

using runtime::SimDisk;
using ::testing::SizeIs;

/// Turns every byte over, once it may; cuts what is longer than a batch may be.
class TurningCodec final : public ArchiveCodec {
public:
    bool ready = true;
    int asked = 0;

    Result<std::vector<Sealed>> seal(std::span<const Batch> batches) override {
        ++asked;
        if (!ready) return Error(ErrorCode::kUnavailable, "not yet");
        std::vector<Sealed> out;
        for (const Batch& batch : batches) out.push_back({batch.header, turned(batch.payload)});
        return out;
    }
    std::unique_ptr<Reader> reader() override { return std::make_unique<Turner>(); }

private:
    class Turner final : public Reader {
        Result<std::string> open(const BatchHeader&, std::string_view sealed) override {
            return turned(sealed);
        }
    };
    static std::string turned(std::string_view bytes) {
        std::string out(bytes);
        for (char& byte : out) byte = static_cast<char>(~byte);
        return out;
    }
};

struct SealedArchive : testing::Test {
    SealedArchive() {
        options = small_files(4096);
        options.archive_codec = &codec;
    }
    static void fill(SimLog& sim) {
        for (std::uint64_t index = 1; index <= 30; ++index) {
            auto batch = batch_of(1, index, 1, 300);
            if (index % 7 == 0) batch.header.flags = kBatchControl;
            sim.append_and_run(std::move(batch));
        }
    }
    static void cover(SimLog& sim) {
        sim.log().checkpointed(ShardId(1), Incarnation(1), LogIndex(30));
        sim.run();
    }
    static void expect_as_written(SimLog& sim) {
        const auto seen = sim.read(1);
        ASSERT_THAT(seen, SizeIs(30));
        for (std::size_t i = 0; i < seen.size(); ++i) {
            EXPECT_EQ(seen[i].header.first_index, LogIndex(i + 1));
            EXPECT_EQ(seen[i].header.control(), (i + 1) % 7 == 0);
            EXPECT_EQ(seen[i].header.payload_bytes, seen[i].payload.size());
            EXPECT_EQ(seen[i].payload, payload_of(1, i + 1, 300));
        }
    }
    /// All that the archive's blocks hold.
    std::string archived() {
        std::string out;
        const auto names = disk.list("archive");
        for (const auto& name : names ? *names : std::vector<std::string>()) {
            auto reader = SegmentReader::open(disk, "archive/" + name);
            EXPECT_TRUE(reader.ok());
            for (const auto& block : reader->blocks()) out += *reader->read_block(block);
        }
        return out;
    }

    SimDisk disk;
    TurningCodec codec;
    LogOptions options;
};

TEST_F(SealedArchive, ReadsAsItWasWritten) {
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    fill(sim);
    cover(sim);
    EXPECT_GT(sim.log().stats().archive_segments, 1u);
    expect_as_written(sim);
    ASSERT_TRUE(sim.open());
    expect_as_written(sim);
    EXPECT_EQ(archived().find(payload_of(1, 1, 300)), std::string::npos);
    EXPECT_NE(archived().find(payload_of(1, 7, 300)), std::string::npos) << "consensus' own";
}

TEST_F(SealedArchive, WhatTheCodecWaitsForStaysInTheLog) {
    codec.ready = false;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    fill(sim);
    const auto files = sim.log().stats().files;
    cover(sim);
    EXPECT_EQ(sim.log().stats().files, files);
    EXPECT_EQ(sim.log().stats().archive_failures, 0u);
    expect_as_written(sim);
    codec.ready = true;
    sim.log().resume_sealing();
    sim.run();
    EXPECT_EQ(sim.log().stats().files, 1u);
    expect_as_written(sim);
}

TEST_F(SealedArchive, SegmentsOfBeforeAreReadToo) {
    LogOptions before = options;
    before.archive_codec = nullptr;
    {
        SimLog sim(disk, before);
        ASSERT_TRUE(sim.open());
        fill(sim);
        cover(sim);
        EXPECT_EQ(codec.asked, 0);
    }
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    expect_as_written(sim);
}

TEST_F(SealedArchive, WithoutACodecItIsRefused) {
    {
        SimLog sim(disk, options);
        ASSERT_TRUE(sim.open());
        fill(sim);
        cover(sim);
    }
    options.archive_codec = nullptr;
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    const auto nothing = [](const BatchHeader&, std::string_view) { return Result<void>(); };
    const auto read = sim.log().read(ShardId(1), LogIndex(1), nothing);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code(), ErrorCode::kUnsupported);
    std::uint64_t batches = 0;
    const ReadRange headers{.shard = ShardId(1), .open_sealed = false};
    EXPECT_TRUE(sim.log().read(headers, [&](const BatchHeader&, std::string_view) {
        ++batches;
        return Result<void>();
    }));
    EXPECT_EQ(batches, 30u);
}

TEST_F(SealedArchive, HeldFilesStay) {
    SimLog sim(disk, options);
    ASSERT_TRUE(sim.open());
    fill(sim);
    const auto files = sim.log().stats().files;
    {
        const auto held = sim.log().hold_files();
        const auto again = sim.log().hold_files();
        cover(sim);
        EXPECT_EQ(sim.log().stats().files, files);
        EXPECT_EQ(sim.log().stats().archive_segments, 0u);
    }
    sim.run();
    EXPECT_EQ(sim.log().stats().files, 1u);
    expect_as_written(sim);
}

}  // namespace sealed_archive_test
}  // namespace tidal::wal
