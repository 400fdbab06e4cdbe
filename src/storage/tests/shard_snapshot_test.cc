// A shard's checkpoint goes through one file and comes out the same; nothing of what stood there
// before stays, and no damaged file is believed.
#include "storage/shard_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "storage/store_inspect.h"
#include "storage/tests/random_store.h"
#include "storage/tests/rocks_directory.h"

namespace tidal::storage {
namespace shard_snapshot_test {

constexpr std::string_view kOther = "other/s0001";
const std::string kPath = "snapshot";

using Rows = std::map<std::string, std::string>;

Rows read_all(RowEngine& rows) {
    Rows found;
    must(rows.scan("", "", [&](std::string_view key, std::string_view value) {
        found.emplace(key, value);
        return true;
    }));
    return found;
}

struct Kind {
    const char* name;
    int histories;
    bool rocksdb;
};

class ShardSnapshot : public testing::TestWithParam<Kind> {
protected:
    /// An engine of its own: "rows", "rows2" ...
    std::unique_ptr<RowEngine> open_rows(const std::string& name) {
        if (GetParam().rocksdb) return must(open_rocksdb_rows(rocks_.root() + "/" + name));
        return must(open_simple_rows(disk_, name));
    }
    std::unique_ptr<ShardStore> open_store(RowEngine& rows, std::string_view directory,
                                           ShardId shard = kTestShard) {
        return must(ShardStore::open(disk_, rows, shard, directory));
    }
    ShardSnapshotInfo write(RowEngine& rows) {
        return must(write_shard_snapshot(disk_, rows, kTestShard, kShardFolder, kPath));
    }

    runtime::SimDisk disk_;
    RocksDirectory rocks_;
};

TEST_P(ShardSnapshot, RandomStoresComeOutTheSame) {
    for (int i = 0; i < GetParam().histories; ++i) {
        SCOPED_TRACE(i);
        const auto seed = static_cast<std::uint64_t>(i);
        const std::string number = std::to_string(i);
        const std::string from_folder = "from" + number, to_folder = "to" + number;
        const auto from = open_rows("rows-from" + number), to = open_rows("rows-to" + number);
        const Model model = random_history(*open_store(*from, from_folder), seed, 1 + i % 7);
        // The target has a history of its own, or none.
        if (i % 3 != 0) random_history(*open_store(*to, to_folder), seed + 1000, i % 5);

        const auto info = must(write_shard_snapshot(disk_, *from, kTestShard, from_folder, kPath));
        EXPECT_EQ(info.index, model.index);
        EXPECT_EQ(info.rows, model.rows.size());
        EXPECT_EQ(info.pages, model.pages.size());
        EXPECT_EQ(info.bytes, must(runtime::read_file(disk_, kPath)).size());
        EXPECT_EQ(must(check_shard_snapshot(disk_, kPath, kTestShard)), info);
        EXPECT_EQ(must(install_shard_snapshot(disk_, *to, kTestShard, to_folder, kPath)), info);

        const auto store = open_store(*to, to_folder);
        EXPECT_EQ(contents_of(*store), model);
        // It lives on, and is worth a snapshot itself.
        const Model later = random_history(*store, seed + 2000, 3);
        EXPECT_EQ(contents_of(*open_store(*to, to_folder)), later);
        must(write_shard_snapshot(disk_, *to, kTestShard, to_folder, kPath));
        must(install_shard_snapshot(disk_, *from, kTestShard, from_folder, kPath));
        EXPECT_EQ(contents_of(*open_store(*from, from_folder)), later);
    }
}

TEST_P(ShardSnapshot, NothingOfTheOldStateStaysAndNothingOfOthersGoes) {
    const auto from = open_rows("from"), to = open_rows("to"), clean = open_rows("clean");
    const Model model = random_history(*open_store(*from, kShardFolder), 1, 4);
    write(*from);
    // Neighbours on both sides of the shard's keys, and more old rows than one read of them takes.
    for (const ShardId shard : {ShardId(0), ShardId(2)}) {
        const auto store = open_store(*to, shard_folder(shard), shard);
        store->put("neighbour", "stays");
        fill(store->pages(), must(store->pages().allocate()), 9);
        must(checkpoint(*store, LogIndex(3)));
    }
    const Rows neighbours = read_all(*to);
    {
        const auto store = open_store(*to, kOther);
        for (int i = 0; i < 20000; ++i) store->put("old" + std::to_string(i), "x");
        for (int i = 0; i < 600; ++i) fill(store->pages(), must(store->pages().allocate()), 4);
        must(checkpoint(*store, LogIndex(50)));
    }
    must(install_shard_snapshot(disk_, *to, kTestShard, kOther, kPath));
    EXPECT_EQ(contents_of(*open_store(*to, kOther)), model);

    // Installed where nothing was, the engine holds the same rows of this shard.
    must(install_shard_snapshot(disk_, *clean, kTestShard, "clean/s0001", kPath));
    Rows expected = neighbours;
    expected.merge(read_all(*clean));
    const Rows found = read_all(*to);
    EXPECT_EQ(found.size(), expected.size());
    for (const auto& [key, value] : neighbours) EXPECT_EQ(found.at(key), value);
    EXPECT_EQ(must(disk_.list(kOther)).size(), model.pages.empty() ? 0u : 1u);
    const auto report = must(inspect_store(disk_, *to, "other"));
    for (const ShardReport& shard : report.shards)
        if (shard.shard == kTestShard) {
            EXPECT_EQ(shard.pages, model.pages.size());
            EXPECT_EQ(shard.leftover_files, 0u);
        }
}

TEST_P(ShardSnapshot, LargeOnesTakeSeveralFilesAndBlocks) {
    const auto from = open_rows("from"), to = open_rows("to");
    Model model;
    {
        const auto store = open_store(*from, kShardFolder);
        for (int i = 0; i < 40; ++i)
            store->put("row" + std::to_string(i), std::string(50'000, static_cast<char>('a' + i)));
        store->put("huge", std::string(5 << 20, 'h'));
        store->put("", "the empty key");
        store->put("empty", "");
        for (std::uint64_t i = 0; i < 1500; ++i)
            fill(store->pages(), must(store->pages().allocate()), i);
        must(checkpoint(*store, LogIndex(7)));
        // A chunk of the directory without any page, and pages that moved to a second file.
        for (std::uint32_t i = 256; i < 512; ++i) store->pages().free(PageId(i));
        for (std::uint32_t i = 0; i < 1500; i += 700) fill(store->pages(), PageId(i), 77);
        must(checkpoint(*store, LogIndex(8)));
        model = contents_of(*store);
    }
    const auto info = write(*from);
    EXPECT_EQ(info.pages, 1500u - 256);
    must(install_shard_snapshot(disk_, *to, kTestShard, kOther, kPath));
    EXPECT_EQ(must(disk_.list(kOther)).size(), 2u);
    EXPECT_EQ(contents_of(*open_store(*to, kOther)), model);
}

TEST_P(ShardSnapshot, ACheckpointOfNothingIsOneToo) {
    const auto from = open_rows("from"), to = open_rows("to");
    EXPECT_EQ(write_shard_snapshot(disk_, *from, kTestShard, kShardFolder, kPath).error().code(),
              ErrorCode::kNotFound);
    EXPECT_FALSE(must(disk_.exists(kPath)));
    must(checkpoint(*open_store(*from, kShardFolder), LogIndex(5)));
    const auto info = write(*from);
    EXPECT_EQ(info.rows + info.pages, 0u);
    random_history(*open_store(*to, kOther), 3, 3);
    must(install_shard_snapshot(disk_, *to, kTestShard, kOther, kPath));
    EXPECT_EQ(contents_of(*open_store(*to, kOther)), (Model{{}, {}, LogIndex(5)}));
    EXPECT_THAT(must(disk_.list(kOther)), testing::IsEmpty());
}

TEST_P(ShardSnapshot, EqualCheckpointsGiveEqualBytesAndAnOldFileIsReplaced) {
    const auto from = open_rows("from");
    random_history(*open_store(*from, kShardFolder), 1, 4);
    const auto info = write(*from);
    const auto open_file = must(disk_.open(kPath, runtime::OpenMode::kRead));
    EXPECT_EQ(write(*from), info);
    random_history(*open_store(*from, kShardFolder), 2, 1);
    EXPECT_NE(write(*from).checksum, info.checksum);
    EXPECT_EQ(must(open_file->size()), info.bytes) << "who reads the old file keeps it";
}

TEST_P(ShardSnapshot, ADamagedOneLeavesTheOldState) {
    const auto from = open_rows("from"), to = open_rows("to");
    random_history(*open_store(*from, kShardFolder), 1, 4);
    write(*from);
    const std::string bytes = must(runtime::read_file(disk_, kPath));
    const Model old = random_history(*open_store(*to, kOther), 2, 2);
    const Rows old_rows = read_all(*to);
    const auto old_files = must(disk_.list(kOther));
    for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 25) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
        must(runtime::write_file(disk_, kPath, flipped));
        ASSERT_FALSE(install_shard_snapshot(disk_, *to, kTestShard, kOther, kPath).ok()) << at;
        ASSERT_EQ(read_all(*to), old_rows);
        ASSERT_EQ(must(disk_.list(kOther)), old_files);
    }
    EXPECT_EQ(contents_of(*open_store(*to, kOther)), old);
}

INSTANTIATE_TEST_SUITE_P(Engines, ShardSnapshot,
                         testing::Values(Kind{"simple", 40, false}, Kind{"rocksdb", 4, true}),
                         [](const auto& test) { return std::string(test.param.name); });

class SnapshotFile : public testing::Test {
protected:
    void SetUp() override {
        Life life = must(Life::open(disk_));
        life.store->put("a", "1");
        life.store->put("b", std::string(300, 'b'));
        fill(life.store->pages(), must(life.store->pages().allocate()), 7);
        must(checkpoint(*life.store, LogIndex(9)));
        must(write_shard_snapshot(disk_, *life.rows, kTestShard, kShardFolder, kPath));
        bytes_ = must(runtime::read_file(disk_, kPath));
    }
    Result<ShardSnapshotInfo> check(const std::string& bytes) {
        runtime::SimDisk disk;
        const auto file = must(disk.open(kPath, runtime::OpenMode::kCreate));
        must(file->write_at(0, bytes));
        return check_shard_snapshot(disk, kPath, kTestShard);
    }
    runtime::SimDisk disk_;
    std::string bytes_;
};

TEST_F(SnapshotFile, EveryFlippedByteIsFound) {
    EXPECT_TRUE(check(bytes_).ok());
    for (std::size_t at = 0; at < bytes_.size(); ++at) {
        std::string flipped = bytes_;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
        const auto checked = check(flipped);
        ASSERT_FALSE(checked.ok()) << at;
        ASSERT_EQ(checked.error().code(), ErrorCode::kCorruption) << at;
        ASSERT_THAT(checked.error().to_string(), testing::HasSubstr("offset")) << at;
    }
}

TEST_F(SnapshotFile, EveryCutAndEveryByteTooManyIsFound) {
    for (std::size_t size = 0; size < bytes_.size(); ++size)
        ASSERT_EQ(check(bytes_.substr(0, size)).error().code(), ErrorCode::kCorruption) << size;
    EXPECT_EQ(check(bytes_ + '\0').error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(check(bytes_ + bytes_).error().code(), ErrorCode::kCorruption);
}

TEST_F(SnapshotFile, AnotherShardsIsRefused) {
    EXPECT_EQ(check_shard_snapshot(disk_, kPath, ShardId(2)).error().code(),
              ErrorCode::kCorruption);
    EXPECT_EQ(check_shard_snapshot(disk_, "nowhere", kTestShard).error().code(),
              ErrorCode::kNotFound);
}

TEST_F(SnapshotFile, ADamagedPageIsNotHandedOn) {
    must(disk_.flip_bit(std::string(kShardFolder) + "/0000000001.pages", 4096 + 500, 3));
    const auto rows = must(open_simple_rows(disk_, kRowsFolder));
    const auto written = write_shard_snapshot(disk_, *rows, kTestShard, kShardFolder, kPath);
    EXPECT_EQ(written.error().code(), ErrorCode::kCorruption);
    EXPECT_FALSE(must(disk_.exists(kPath)));
}

}  // namespace shard_snapshot_test
}  // namespace tidal::storage
