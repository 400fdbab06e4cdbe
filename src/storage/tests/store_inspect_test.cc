// The inspection of a store lists every damage there is, and none where there is none.
#include "storage/store_inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace store_inspect_test {

class StoreInspectTest : public testing::Test {
protected:
    void SetUp() override {
        Life life = must(Life::open(medium_));
        for (int i = 0; i < 3; ++i)
            fill(life.store->pages(), must(life.store->pages().allocate()), 1);
        life.store->put("a", "1");
        life.store->put("b", "2");
        must(checkpoint(*life.store, LogIndex(4)));
        fill(life.store->pages(), PageId(1), 2);
        must(checkpoint(*life.store, LogIndex(9)));
    }
    StoreReport inspect() {
        const auto rows = must(open_simple_rows(medium_, kRowsFolder));
        return must(inspect_store(medium_, *rows, "store"));
    }
    std::string file(int number) {
        return std::string(kShardFolder) + "/000000000" + std::to_string(number) + ".pages";
    }
    runtime::SimDisk medium_;
};

TEST_F(StoreInspectTest, ASoundStoreIsCountedAndUntouched) {
    must(inspect().damage.empty() ? Result<void>()
                                  : Error(ErrorCode::kCorruption, inspect().damage[0].what));
    const auto before = medium_.content_hash();
    const StoreReport report = inspect();
    EXPECT_EQ(medium_.content_hash(), before);
    ASSERT_EQ(report.shards.size(), 1u);
    EXPECT_EQ(report.shards[0].shard, kTestShard);
    EXPECT_EQ(report.shards[0].checkpoint_index, LogIndex(9));
    EXPECT_EQ(report.shards[0].rows, 2u);
    EXPECT_EQ(report.shards[0].pages, 3u);
    EXPECT_EQ(report.shards[0].page_files, 2u);
}

TEST_F(StoreInspectTest, AnEmptyDirectoryIsSound) {
    runtime::SimDisk medium;
    const auto rows = must(open_simple_rows(medium, kRowsFolder));
    const StoreReport report = must(inspect_store(medium, *rows, "store"));
    EXPECT_TRUE(report.shards.empty());
    EXPECT_TRUE(report.damage.empty());
}

TEST_F(StoreInspectTest, AllDamageIsListedInOneRun) {
    must(medium_.flip_bit(file(1), 4096 + 100, 0));                   // Page 0.
    must(medium_.flip_bit(file(1), 4096 + 2 * kPageBytes + 100, 0));  // Page 2.
    must(medium_.flip_bit(file(2), 3, 0));                            // Its header.
    const StoreReport report = inspect();
    ASSERT_EQ(report.damage.size(), 3u);
    EXPECT_EQ(report.damage[0].file, file(1));
    EXPECT_EQ(report.damage[0].offset, 4096u);
    EXPECT_EQ(report.damage[1].offset, 4096 + 2 * kPageBytes);
    EXPECT_EQ(report.damage[2].file, file(2));
    EXPECT_THAT(report.damage[2].what, testing::HasSubstr("not a page file"));
}

TEST_F(StoreInspectTest, DamageOfPagesNoLongerUsedCounts) {
    must(
        medium_.flip_bit(file(1), 4096 + kPageBytes + 100, 0));  // Page 1 lives in the second file.
    EXPECT_EQ(inspect().damage.size(), 1u);
    EXPECT_TRUE(Life::open(medium_).ok()) << "which opening does not mind";
}

TEST_F(StoreInspectTest, MissingFilesAndLeftoversAreToldApart) {
    must(medium_.remove(file(2)));
    must(runtime::write_file(medium_, file(7), "half written"));
    const StoreReport report = inspect();
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].file, file(2));
    EXPECT_EQ(report.shards[0].leftover_files, 1u);
}

TEST_F(StoreInspectTest, DamagedRowsAreFound) {
    const auto rows = must(open_simple_rows(medium_, kRowsFolder));
    for (const std::string& name : must(medium_.list(kRowsFolder)))
        if (name.ends_with(".log"))
            must(medium_.flip_bit(std::string(kRowsFolder) + "/" + name, 40, 0));
    const StoreReport report = must(inspect_store(medium_, *rows, "store"));
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_THAT(report.damage[0].what, testing::HasSubstr("rows-"));
    EXPECT_EQ(open_simple_rows(medium_, kRowsFolder).error().code(), ErrorCode::kCorruption);
}

TEST_F(StoreInspectTest, ForeignRowsAreFound) {
    const auto rows = must(open_simple_rows(medium_, kRowsFolder));
    must(rows->commit({{"x", "too short"}, {std::string("\0\1p\0\0\0\7", 7), "no chunk"}}));
    EXPECT_EQ(must(inspect_store(medium_, *rows, "store")).damage.size(), 2u);
    EXPECT_EQ(Life::open(medium_).error().code(), ErrorCode::kIncompatible);
}

}  // namespace store_inspect_test
}  // namespace tidal::storage
