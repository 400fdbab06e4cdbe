// What the simulated disk does that a real one only threatens.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "runtime/sim_disk.h"

namespace tidal::runtime {
namespace sim_disk_test {

constexpr CrashSpec kNothing{.keep = CrashSpec::Keep::kNothing};
constexpr CrashSpec kAll{.keep = CrashSpec::Keep::kAll};
constexpr CrashSpec prefix(std::uint64_t sectors) {
    return {.keep = CrashSpec::Keep::kPrefix, .sectors = sectors};
}
constexpr CrashSpec seeded(std::uint64_t seed) {
    return {.seed = seed};
}

std::unique_ptr<File> create(Disk& disk, std::string_view path) {
    return std::move(disk.open(path, OpenMode::kCreate)).value();
}

/// A file whose name and bytes are on the medium.
std::unique_ptr<File> create_synced(Disk& disk, std::string_view path, std::string_view bytes) {
    auto file = create(disk, path);
    EXPECT_TRUE(file->write_at(0, bytes).ok());
    EXPECT_TRUE(file->sync().ok());
    EXPECT_TRUE(disk.sync_directory("").ok());
    return file;
}

std::string content(Disk& disk, std::string_view path) {
    auto bytes = read_file(disk, path);
    return bytes.ok() ? *bytes : "(" + std::string(error_info(bytes.error().code()).name) + ")";
}

template <typename T>
ErrorCode code_of(const Result<T>& result) {
    return result.ok() ? ErrorCode::kInternal : result.error().code();
}

TEST(SimDisk, UnsyncedBytesAreLost) {
    SimDisk disk;
    auto file = create_synced(disk, "a", "kept");
    ASSERT_TRUE(file->write_at(0, "LOST and more").ok());
    disk.crash(kNothing);
    EXPECT_EQ(content(disk, "a"), "kept");
}

TEST(SimDisk, AKilledProcessLosesNothingButAPowerCutAfterItMay) {
    SimDisk disk;
    auto file = create_synced(disk, "a", "old");
    ASSERT_TRUE(file->write_at(0, "new").ok());
    disk.crash(kAll);
    EXPECT_EQ(content(disk, "a"), "new");
    disk.crash(kNothing);
    EXPECT_EQ(content(disk, "a"), "old");
}

TEST(SimDisk, AnAppendTearsAtSectors) {
    SimDisk disk;
    auto file = create_synced(disk, "a", std::string(700, 'o'));
    ASSERT_TRUE(file->write_at(700, std::string(1500, 'n')).ok());
    EXPECT_EQ(disk.unsynced_sectors(), 4U);  // The shared one and three new ones.
    EXPECT_EQ(content(*disk.survivor(prefix(0)), "a"), std::string(700, 'o'));
    EXPECT_EQ(content(*disk.survivor(prefix(1)), "a"),
              std::string(700, 'o') + std::string(324, 'n'));
    EXPECT_EQ(content(*disk.survivor(prefix(2)), "a"),
              std::string(700, 'o') + std::string(836, 'n'));
    EXPECT_EQ(content(*disk.survivor(prefix(4)), "a"),
              std::string(700, 'o') + std::string(1500, 'n'));
    EXPECT_EQ(content(disk, "a").size(), 2200U) << "survivor() left this disk alone";
}

TEST(SimDisk, AnOverwriteMixesOldAndNewSectorsInAnyCombination) {
    SimDisk disk;
    auto file = create_synced(disk, "a", std::string(4 * kSectorBytes, 'o'));
    ASSERT_TRUE(file->write_at(0, std::string(4 * kSectorBytes, 'n')).ok());
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        const auto bytes = content(*disk.survivor(seeded(seed)), "a");
        ASSERT_EQ(bytes.size(), 4 * kSectorBytes);
        std::string shape;
        for (std::size_t sector = 0; sector < 4; ++sector) {
            const auto part = bytes.substr(sector * kSectorBytes, kSectorBytes);
            ASSERT_EQ(part, std::string(kSectorBytes, part[0])) << "a sector is old or new, whole";
            shape += part[0];
        }
        seen.insert(shape);
    }
    EXPECT_EQ(seen.size(), 16U);
}

TEST(SimDisk, AGrownFileMaySurviveWithHolesOfZeros) {
    SimDisk disk;
    auto file = create_synced(disk, "a", "");
    ASSERT_TRUE(file->write_at(0, std::string(3 * kSectorBytes, 'n')).ok());
    bool hole = false, shorter = false;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const auto bytes = content(*disk.survivor(seeded(seed)), "a");
        hole |= bytes.size() == 3 * kSectorBytes && bytes.front() == '\0' && bytes.back() == 'n';
        shorter |= bytes == std::string(kSectorBytes, 'n');
    }
    EXPECT_TRUE(hole);
    EXPECT_TRUE(shorter);
}

TEST(SimDisk, AnUnsyncedTruncationMayComeBackWithTheOldBytes) {
    SimDisk disk;
    auto file = create_synced(disk, "a", std::string(2000, 'o'));
    ASSERT_TRUE(file->truncate(100).ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "a"), std::string(2000, 'o'));
    EXPECT_EQ(content(*disk.survivor(kAll), "a"), std::string(100, 'o'));
    ASSERT_TRUE(file->sync().ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "a"), std::string(100, 'o'));
}

TEST(SimDisk, NamesAreLostUntilTheirFolderIsSynced) {
    SimDisk disk;
    auto a = create(disk, "a");
    ASSERT_TRUE(a->write_at(0, "A").ok());
    ASSERT_TRUE(a->sync().ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "a"), "(not_found)");
    ASSERT_TRUE(disk.sync_directory("").ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "a"), "A");
    ASSERT_TRUE(disk.rename("a", "b").ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "a"), "A");
    EXPECT_EQ(content(*disk.survivor(kAll), "b"), "A");
    ASSERT_TRUE(disk.sync_directory("").ok());
    ASSERT_TRUE(disk.remove("b").ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "b"), "A");
    ASSERT_TRUE(disk.sync_directory("").ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "b"), "(not_found)");
}

TEST(SimDisk, SyncingOneFolderSaysNothingOfAnother) {
    SimDisk disk;
    ASSERT_TRUE(disk.create_directories("x/y").ok());
    create(disk, "x/1");
    create(disk, "x/y/2");
    ASSERT_TRUE(disk.sync_directory("x").ok());
    const auto left = disk.survivor(kNothing);
    EXPECT_TRUE(*left->exists("x/1"));
    EXPECT_FALSE(*left->exists("x/y/2"));
    EXPECT_TRUE(*left->exists("x/y"));
}

TEST(SimDisk, UnsyncedNameChangesSurviveInAnyCombination) {
    SimDisk disk;
    create_synced(disk, "1", "");
    create_synced(disk, "2", "");
    ASSERT_TRUE(disk.remove("1").ok());
    ASSERT_TRUE(disk.remove("2").ok());
    std::set<std::vector<std::string>> seen;
    for (std::uint64_t seed = 0; seed < 100; ++seed)
        seen.insert(*disk.survivor(seeded(seed))->list(""));
    EXPECT_EQ(seen.size(), 4U);
}

TEST(SimDisk, WriteFileIsOldOrNewAtEveryCrashPoint) {
    for (std::uint64_t point = 1;; ++point) {
        SimDisk disk;
        ASSERT_TRUE(write_file(disk, "NODE", std::string(1000, 'o')).ok());
        disk.set_crash_after(point);
        const bool acknowledged = write_file(disk, "NODE", std::string(1300, 'n')).ok();
        ASSERT_EQ(acknowledged, !disk.dead());
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            const auto bytes = content(*disk.survivor(seeded(seed)), "NODE");
            const bool is_new = bytes == std::string(1300, 'n');
            ASSERT_TRUE(is_new || (!acknowledged && bytes == std::string(1000, 'o'))) << point;
        }
        if (acknowledged) {
            EXPECT_EQ(point, 6U) << "create, write, sync, rename, sync of the folder";
            break;
        }
    }
}

TEST(SimDisk, NothingReachesTheMediumAfterTheCrashPoint) {
    SimDisk disk;
    auto file = create_synced(disk, "a", "old");
    disk.set_crash_after(2);
    ASSERT_TRUE(file->write_at(0, "new").ok());
    EXPECT_EQ(code_of(file->sync()), ErrorCode::kIo);
    EXPECT_TRUE(disk.dead());
    const auto ops = disk.mutating_ops();
    EXPECT_EQ(code_of(file->write_at(0, "xxx")), ErrorCode::kIo);
    EXPECT_EQ(code_of(file->sync()), ErrorCode::kIo);
    EXPECT_EQ(code_of(file->size()), ErrorCode::kIo);
    EXPECT_EQ(code_of(disk.remove("a")), ErrorCode::kIo);
    EXPECT_EQ(code_of(disk.open("a", OpenMode::kRead)), ErrorCode::kIo);
    EXPECT_EQ(code_of(disk.list("")), ErrorCode::kIo);
    EXPECT_EQ(code_of(disk.lock("LOCK")), ErrorCode::kIo);
    EXPECT_EQ(disk.mutating_ops(), ops);
    disk.crash(kNothing);
    EXPECT_EQ(content(disk, "a"), "old");
}

TEST(SimDisk, HandlesAndSessionsOfAnEarlierLifeAreDead) {
    SimDisk disk;
    const auto session = disk.session();
    auto file = create_synced(*session, "a", "old");
    auto lock = std::move(session->lock("LOCK")).value();
    disk.crash(kNothing);
    EXPECT_EQ(code_of(file->write_at(0, "new")), ErrorCode::kIo);
    EXPECT_EQ(code_of(file->sync()), ErrorCode::kIo);
    EXPECT_EQ(code_of(session->remove("a")), ErrorCode::kIo);
    EXPECT_EQ(content(disk, "a"), "old");
    auto next = disk.lock("LOCK");
    ASSERT_TRUE(next.ok());
    lock.reset();
    EXPECT_EQ(code_of(disk.lock("LOCK")), ErrorCode::kConflict)
        << "the next life still holds its own";
}

TEST(SimDisk, FillsUpAndTakesWritesAgainOnceThereIsSpace) {
    SimDisk disk({.capacity_bytes = 1000});
    auto a = create_synced(disk, "a", std::string(600, 'a'));
    auto b = create(disk, "b");
    EXPECT_EQ(*disk.free_bytes(), 400U);
    EXPECT_EQ(code_of(b->write_at(0, std::string(500, 'b'))), ErrorCode::kDiskFull);
    EXPECT_EQ(content(disk, "b"), std::string(400, 'b')) << "a prefix was written";
    EXPECT_TRUE(a->write_at(0, std::string(600, 'A')).ok()) << "overwriting needs no space";
    EXPECT_EQ(code_of(b->truncate(401)), ErrorCode::kDiskFull);
    ASSERT_TRUE(disk.remove("a").ok());
    EXPECT_EQ(*disk.free_bytes(), 600U);
    EXPECT_TRUE(b->write_at(0, std::string(500, 'b')).ok());
    disk.set_capacity(100);
    EXPECT_EQ(*disk.free_bytes(), 0U);
    EXPECT_EQ(code_of(b->write_at(500, "x")), ErrorCode::kDiskFull);
    disk.set_capacity(10'000);
    EXPECT_TRUE(b->write_at(500, "x").ok());
    EXPECT_EQ(disk.used_bytes(), 501U);
}

TEST(SimDisk, AFailedSyncLosesItsBytesThoughTheNextOneSucceeds) {
    SimDisk disk;
    auto file = create_synced(disk, "a", std::string(600, 'o'));
    ASSERT_TRUE(file->write_at(0, std::string(2000, 'n')).ok());
    disk.add_fault({.op = DiskOp::kSync});
    EXPECT_EQ(code_of(file->sync()), ErrorCode::kIo);
    ASSERT_TRUE(file->sync().ok());
    const auto left = content(*disk.survivor(kNothing), "a");
    EXPECT_EQ(left.find('n'), std::string::npos);
    EXPECT_EQ(left.substr(0, 600), std::string(600, 'o'));
    // Written again, they are dirty again, and the sync after that keeps them.
    ASSERT_TRUE(file->write_at(0, std::string(2000, 'n')).ok());
    ASSERT_TRUE(file->sync().ok());
    EXPECT_EQ(content(*disk.survivor(kNothing), "a"), std::string(2000, 'n'));
}

TEST(SimDisk, FaultsHitTheOperationAskedForAndNoOther) {
    SimDisk disk;
    auto file = create(disk, "wal.log");
    disk.add_fault({.op = DiskOp::kWrite,
                    .path_contains = "wal",
                    .nth = 2,
                    .times = 2,
                    .code = ErrorCode::kDiskFull});
    auto other = create(disk, "other");
    EXPECT_TRUE(other->write_at(0, "x").ok());
    EXPECT_TRUE(file->write_at(0, "x").ok());
    EXPECT_EQ(code_of(file->write_at(1, "y")), ErrorCode::kDiskFull);
    EXPECT_EQ(code_of(file->write_at(1, "y")), ErrorCode::kDiskFull);
    EXPECT_TRUE(file->write_at(1, "y").ok());
    disk.add_fault({.op = DiskOp::kRead, .times = 100});
    char byte;
    EXPECT_EQ(code_of(file->read_at(0, std::span(&byte, 1))), ErrorCode::kIo);
    disk.clear_faults();
    EXPECT_TRUE(file->read_at(0, std::span(&byte, 1)).ok());
    disk.add_fault({.nth = 2});
    EXPECT_TRUE(file->sync().ok());
    EXPECT_EQ(code_of(disk.rename("wal.log", "b")), ErrorCode::kIo);
    EXPECT_TRUE(*disk.exists("wal.log"));
}

TEST(SimDisk, AFlippedBitSurvivesEveryCrash) {
    SimDisk disk;
    auto file = create_synced(disk, "a", "AAAA");
    ASSERT_TRUE(disk.flip_bit("a", 2, 1).ok());
    EXPECT_EQ(content(disk, "a"), "AACA");
    disk.crash(kNothing);
    EXPECT_EQ(content(disk, "a"), "AACA");
    EXPECT_EQ(code_of(disk.flip_bit("a", 4, 0)), ErrorCode::kInvalidArgument);
    EXPECT_EQ(code_of(disk.flip_bit("b", 0, 0)), ErrorCode::kNotFound);
}

// A model that keeps whole copies instead of old sectors: whatever the history, a crash that keeps
// nothing gives the bytes of the last sync, and one that keeps all gives the bytes a reader saw.
RC_GTEST_PROP(SimDiskProperty, SyncedBytesSurviveAnyHistory, ()) {
    SimDisk disk;
    auto file = create_synced(disk, "a", "");
    std::string live, synced;
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::arbitrary<std::uint32_t>());
    for (const auto step : steps) {
        const std::uint64_t offset = (step >> 4) % 3000;
        switch (step % 4) {
            case 0:
            case 1: {
                const std::string bytes((step >> 16) % 1500, static_cast<char>('a' + step % 26));
                RC_ASSERT(file->write_at(offset, bytes).ok());
                if (!bytes.empty() && live.size() < offset + bytes.size())
                    live.resize(offset + bytes.size());
                live.replace(bytes.empty() ? 0 : offset, bytes.size(), bytes);
                break;
            }
            case 2:
                RC_ASSERT(file->truncate(offset).ok());
                live.resize(offset);
                break;
            case 3:
                RC_ASSERT(file->sync().ok());
                synced = live;
                break;
        }
        RC_ASSERT(content(disk, "a") == live);
        RC_ASSERT(content(*disk.survivor(kNothing), "a") == synced);
        RC_ASSERT(content(*disk.survivor(kAll), "a") == live);
        RC_ASSERT(content(*disk.survivor(prefix(disk.unsynced_sectors())), "a") == live);
        // Whatever is drawn, a sector unchanged since the sync is whole.
        const auto drawn = content(*disk.survivor(seeded(step)), "a");
        for (std::size_t at = 0; at < std::min({drawn.size(), live.size(), synced.size()});
             at += kSectorBytes) {
            const auto was = synced.substr(at, kSectorBytes), is = live.substr(at, kSectorBytes);
            if (was == is && drawn.size() >= at + was.size())
                RC_ASSERT(drawn.substr(at, was.size()) == was);
        }
    }
}

std::uint64_t busy_life(std::uint64_t seed) {
    SimDisk disk({.seed = seed});
    for (int life = 0; life < 5; ++life) {
        auto file = std::move(disk.open("f" + std::to_string(life), OpenMode::kCreate)).value();
        disk.set_crash_after(10);
        for (std::uint64_t i = 0; !disk.dead(); ++i) {
            if (!file->write_at(i * 300, std::string(700, 'x')).ok() || !file->sync().ok()) break;
        }
        disk.crash();
    }
    return disk.content_hash() ^ disk.trace_hash();
}

TEST(SimDisk, ASurvivorIsWhatTheCrashLeaves) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SimDisk disk;
        create_synced(disk, "clean", "clean");
        for (const std::string name : {"a", "b", "c"}) {
            auto file = create_synced(disk, name, std::string(2000, 'o'));
            ASSERT_TRUE(file->write_at(500, std::string(3000, 'n')).ok());
        }
        ASSERT_TRUE(disk.remove("b").ok());
        ASSERT_TRUE(disk.rename("c", "d").ok());
        const auto left = disk.survivor(seeded(seed));
        disk.crash(seeded(seed));
        EXPECT_EQ(left->content_hash(), disk.content_hash());
        EXPECT_EQ(left->used_bytes(), disk.used_bytes());
        EXPECT_EQ(disk.unsynced_sectors(), 0U);
    }
}

TEST(SimDisk, TheSameSeedLivesTheSameLife) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        EXPECT_EQ(busy_life(seed), busy_life(seed));
        seen.insert(busy_life(seed));
    }
    EXPECT_GT(seen.size(), 10U);
}

}  // namespace sim_disk_test
}  // namespace tidal::runtime
