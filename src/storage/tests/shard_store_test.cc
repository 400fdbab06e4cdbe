// The store beside a map: merged views, checkpoints, what a failed checkpoint gives back, files
// that die and are merged, and what opening refuses.
#include "storage/shard_store.h"

#include <gtest/gtest.h>

#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace shard_store_test {

using runtime::SimDisk;

class ShardStoreTest : public testing::Test {
protected:
    void SetUp() override { open(); }
    void open() {
        life_ = Life();
        auto opened = Life::open(medium_);
        ASSERT_TRUE(opened.ok()) << opened.error().to_string();
        life_ = std::move(opened).value();
    }
    ShardStore& store() { return *life_.store; }
    PageArena& pages() { return life_.store->pages(); }
    std::vector<std::string> page_files() { return must(medium_.list(kShardFolder)); }
    std::vector<std::string> keys(std::string_view prefix) {
        std::vector<std::string> found;
        must(store().scan(prefix, [&](std::string_view key, std::string_view) {
            found.emplace_back(key);
            return true;
        }));
        return found;
    }

    SimDisk medium_;
    Life life_;
};

TEST_F(ShardStoreTest, ANewStoreIsEmpty) {
    EXPECT_EQ(store().checkpoint_index(), LogIndex(0));
    EXPECT_EQ(store().dirty_bytes(), 0u);
    EXPECT_EQ(contents_of(store()), Model{});
    EXPECT_FALSE(store().checkpoint_under_way());
}

TEST_F(ShardStoreTest, OnlyCheckpointedChangesSurviveReopening) {
    store().put("a", "1");
    fill(pages(), must(pages().allocate()), 11);
    must(checkpoint(store(), LogIndex(5)));
    store().put("a", "2");
    fill(pages(), PageId(0), 12);
    open();
    EXPECT_EQ(contents_of(store()), (Model{{{"a", "1"}}, {{0, 11}}, LogIndex(5)}));
}

TEST_F(ShardStoreTest, RowsThatFollowMemoryComeAfterTheCut) {
    store().put_frozen("before", "as put()");
    store().put("b", "old");
    store().begin_checkpoint(LogIndex(1));
    store().put("b", "newer than the cut");
    store().put_frozen("a", "of the cut");
    store().put_frozen("b", "of the cut");
    EXPECT_EQ(must(store().get("a")), "of the cut");
    EXPECT_EQ(must(store().get("b")), "newer than the cut");
    store().finish_checkpoint(false);
    EXPECT_EQ(must(store().get("a")), "of the cut") << "given back to the next";
    EXPECT_EQ(must(store().get("b")), "newer than the cut");
    store().begin_checkpoint(LogIndex(2));
    store().erase("a");
    store().put_frozen("c", "of the cut");
    while (!store().copy_out(1)) {
    }
    must(store().write_checkpoint());
    store().finish_checkpoint(true);
    EXPECT_FALSE(store().shed(1));
    EXPECT_TRUE(store().shed(9));
    open();
    const std::map<std::string, std::string> expected{{"a", "of the cut"},
                                                      {"b", "newer than the cut"},
                                                      {"before", "as put()"},
                                                      {"c", "of the cut"}};
    EXPECT_EQ(contents_of(store()).rows, expected);
}

TEST_F(ShardStoreTest, ReadsSeeTheNewestOfThreeLayers) {
    for (const char* key : {"a", "b", "c", "d"}) store().put(key, "engine");
    must(checkpoint(store(), LogIndex(1)));
    store().put("b", "frozen");
    store().erase("c");
    store().put("e", "frozen");
    store().begin_checkpoint(LogIndex(2));
    store().put("c", "current");
    store().erase("d");
    store().erase("e");
    store().put("f", "current");
    const std::map<std::string, std::string> expected{
        {"a", "engine"}, {"b", "frozen"}, {"c", "current"}, {"f", "current"}};
    EXPECT_EQ(contents_of(store()).rows, expected);
    for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
        const auto value = must(store().get(key));
        const auto it = expected.find(key);
        EXPECT_EQ(value, it == expected.end() ? std::nullopt : std::optional(it->second)) << key;
    }
    store().finish_checkpoint(false);
    EXPECT_EQ(contents_of(store()).rows, expected);
    must(checkpoint(store(), LogIndex(2)));
    open();
    EXPECT_EQ(contents_of(store()).rows, expected);
}

TEST_F(ShardStoreTest, ScanKeepsToItsPrefixAndStopsWhenTold) {
    const std::string high = "p\xff\xff";
    for (const std::string& key :
         {std::string("o"), std::string("p"), std::string("p1"), high, std::string("q")})
        store().put(key, "v");
    const std::vector<std::string> expected{"p", "p1", high};
    EXPECT_EQ(keys("p"), expected);
    must(checkpoint(store(), LogIndex(1)));
    EXPECT_EQ(keys("p"), expected);
    EXPECT_EQ(keys("\xff"), std::vector<std::string>{});
    int seen = 0;
    must(store().scan("p", [&](std::string_view, std::string_view) { return ++seen < 2; }));
    EXPECT_EQ(seen, 2);
}

TEST_F(ShardStoreTest, DirtyBytesCountWhatACheckpointWouldWrite) {
    store().put("key", std::string(1000, 'v'));
    const auto one_row = store().dirty_bytes();
    EXPECT_GE(one_row, 1003u);
    store().put("key", std::string(1000, 'w'));
    EXPECT_EQ(store().dirty_bytes(), one_row);
    fill(pages(), must(pages().allocate()), 1);
    EXPECT_EQ(store().dirty_bytes(), one_row + kPageBytes);
    must(checkpoint(store(), LogIndex(1)));
    EXPECT_EQ(store().dirty_bytes(), 0u);
    store().erase("key");
    EXPECT_GT(store().dirty_bytes(), 0u);
    EXPECT_LT(store().dirty_bytes(), 100u);
}

TEST_F(ShardStoreTest, AMegabyteRowSurvives) {
    const std::string large(1 << 20, 'x');
    store().put("large", large);
    EXPECT_EQ(must(store().get("large")), large);
    must(checkpoint(store(), LogIndex(1)));
    open();
    EXPECT_EQ(must(store().get("large")), large);
}

TEST_F(ShardStoreTest, ACheckpointWritesOnlyChangedPages) {
    for (int i = 0; i < 100; ++i) fill(pages(), must(pages().allocate()), 1);
    must(checkpoint(store(), LogIndex(1)));
    const auto before = medium_.used_bytes();
    fill(pages(), PageId(50), 2);
    must(checkpoint(store(), LogIndex(2)));
    EXPECT_LT(medium_.used_bytes() - before, 3 * kPageBytes);
    open();
    EXPECT_EQ(value_of(pages(), PageId(50)), 2u);
    EXPECT_EQ(value_of(pages(), PageId(51)), 1u);
}

TEST_F(ShardStoreTest, ACheckpointWithoutPagesMakesNoFile) {
    store().put("a", "1");
    must(checkpoint(store(), LogIndex(1)));
    EXPECT_TRUE(page_files().empty());
    const PageId page = must(pages().allocate());
    pages().free(page);
    must(checkpoint(store(), LogIndex(2)));
    EXPECT_TRUE(page_files().empty());
    open();
    EXPECT_EQ(store().checkpoint_index(), LogIndex(2));
}

TEST_F(ShardStoreTest, DeadFilesGoAndMostlyDeadOnesAreMerged) {
    for (int i = 0; i < 20; ++i) fill(pages(), must(pages().allocate()), 1);
    must(checkpoint(store(), LogIndex(1)));
    for (std::uint32_t page = 0; page < 11; ++page) fill(pages(), PageId(page), 2);
    must(checkpoint(store(), LogIndex(2)));
    EXPECT_EQ(page_files().size(), 2u) << "the first is mostly dead, but live";
    must(checkpoint(store(), LogIndex(3)));
    EXPECT_EQ(page_files(), (std::vector<std::string>{"0000000002.pages", "0000000003.pages"}));
    const Model expected = contents_of(store());
    open();
    EXPECT_EQ(contents_of(store()), expected);
}

TEST_F(ShardStoreTest, ManySmallFilesAreMerged) {
    for (std::uint32_t i = 0; i < 200; ++i) {
        fill(pages(), must(pages().allocate()), i);
        must(checkpoint(store(), LogIndex(i + 1)));
        ASSERT_LE(page_files().size(), 66u);
    }
    open();
    for (std::uint32_t i = 0; i < 200; ++i) ASSERT_EQ(value_of(pages(), PageId(i)), i);
}

TEST_F(ShardStoreTest, PageIdsAreHandedOutAlikeAfterReopening) {
    for (int i = 0; i < 6; ++i) fill(pages(), must(pages().allocate()), 1);
    for (const std::uint32_t page : {5u, 1u, 3u}) pages().free(PageId(page));
    must(checkpoint(store(), LogIndex(1)));
    open();
    for (const std::uint32_t page : {1u, 3u, 5u, 6u})
        EXPECT_EQ(must(pages().allocate()), PageId(page));
}

TEST_F(ShardStoreTest, ShardsShareAnEngineWithoutMeeting) {
    const auto second =
        must(ShardStore::open(*life_.disk, *life_.rows, ShardId(256), "store/s0256"));
    store().put("k", "one");
    second->put("k", "two");
    fill(second->pages(), must(second->pages().allocate()), 9);
    must(checkpoint(store(), LogIndex(1)));
    must(checkpoint(*second, LogIndex(7)));
    EXPECT_EQ(contents_of(store()), (Model{{{"k", "one"}}, {}, LogIndex(1)}));
    EXPECT_EQ(contents_of(*second), (Model{{{"k", "two"}}, {{0, 9}}, LogIndex(7)}));
}

// Faults.

TEST_F(ShardStoreTest, AFullDiskLeavesTheOldCheckpointAndTheNextOneCatchesUp) {
    store().put("a", "1");
    for (int i = 0; i < 10; ++i) fill(pages(), must(pages().allocate()), 1);
    must(checkpoint(store(), LogIndex(1)));
    const Model first = contents_of(store());
    const auto used = medium_.used_bytes();
    // No room at all, for some pages, for all pages but not the rows.
    for (const std::uint64_t room :
         std::initializer_list<std::uint64_t>{0, 5000, 100'000, 4096 + 10 * kPageBytes + 10}) {
        store().put("a", "2");
        store().erase("gone");
        for (std::uint32_t page = 0; page < 10; ++page) fill(pages(), PageId(page), room + 2);
        medium_.set_capacity(used + room);
        for (int attempt = 0; attempt < 3; ++attempt) {
            const auto written = checkpoint(store(), LogIndex(2));
            ASSERT_FALSE(written.ok()) << room;
            EXPECT_EQ(written.error().code(), ErrorCode::kDiskFull);
            EXPECT_EQ(page_files().size(), 1u) << "a failed attempt keeps its file";
        }
        EXPECT_EQ(store().checkpoint_index(), LogIndex(1));
        EXPECT_GE(store().dirty_bytes(), 10 * kPageBytes);
        auto reopened = medium_.survivor({});
        auto life = Life::open(*reopened);
        ASSERT_TRUE(life.ok()) << life.error().to_string();
        EXPECT_EQ(contents_of(*life->store), first);
    }
    medium_.set_capacity(~0ULL);
    store().put("b", "later");
    must(checkpoint(store(), LogIndex(3)));
    const Model expected = contents_of(store());
    EXPECT_EQ(expected.rows, (std::map<std::string, std::string>{{"a", "2"}, {"b", "later"}}));
    open();
    EXPECT_EQ(contents_of(store()), expected);
}

TEST_F(ShardStoreTest, EveryFailedOperationSurfacesAndLosesNothing) {
    for (std::uint64_t nth = 1;; ++nth) {
        store().put("round", std::to_string(nth));
        const PageId page = nth == 1 ? must(pages().allocate()) : PageId(0);
        fill(pages(), page, nth);
        const auto before = medium_.mutating_ops();
        medium_.add_fault({.nth = nth});
        const bool failed = !checkpoint(store(), LogIndex(nth)).ok();
        medium_.clear_faults();
        if (medium_.mutating_ops() - before < nth) break;
        if (!failed) continue;  // Removing a dead file may fail silently: the next one tries again.
        auto survivor = medium_.survivor({.keep = runtime::CrashSpec::Keep::kNothing});
        auto life = Life::open(*survivor);
        ASSERT_TRUE(life.ok()) << nth << ": " << life.error().to_string();
        must(checkpoint(store(), LogIndex(nth)));
        const Model expected = contents_of(store());
        EXPECT_EQ(expected.rows.at("round"), std::to_string(nth));
        open();
        ASSERT_EQ(contents_of(store()), expected) << nth;
    }
    EXPECT_LE(page_files().size(), 2u);
}

/// An engine whose next commit fails half-way: nobody sees it until settle, which finds it done.
class DoubtfulRows final : public RowEngine {
public:
    explicit DoubtfulRows(RowEngine& rows) : rows_(rows) {}
    void fail_next() { fail_next_ = true; }
    void set_settling(bool works) { settling_works_ = works; }

    Result<std::optional<std::string>> get(std::string_view key) override { return rows_.get(key); }
    Result<void> scan(std::string_view begin, std::string_view end, Visitor visitor) override {
        return rows_.scan(begin, end, std::move(visitor));
    }
    Result<void> commit(Source& sorted) override {
        TIDAL_TRY(settle());
        if (!std::exchange(fail_next_, false)) return rows_.commit(sorted);
        std::string_view key;
        std::optional<std::string_view> value;
        while (sorted.next(key, value))
            open_.push_back(
                {std::string(key), value ? std::optional<std::string>(*value) : std::nullopt});
        return Error(ErrorCode::kIo, "refused half-way");
    }
    Result<void> settle() override {
        if (open_.empty()) return {};
        if (!settling_works_) return Error(ErrorCode::kIo, "still refused");
        return rows_.RowEngine::commit(std::exchange(open_, {}));
    }
    Result<void> verify() override { return rows_.verify(); }

private:
    RowEngine& rows_;
    std::vector<Change> open_;
    bool fail_next_ = false;
    bool settling_works_ = true;
};

TEST_F(ShardStoreTest, ACommitThatFailedButHappenedKeepsItsFile) {
    for (const bool settled_at_once : {true, false}) {
        SimDisk medium;
        const auto simple = must(open_simple_rows(medium, kRowsFolder));
        DoubtfulRows rows(*simple);
        auto doubted = must(ShardStore::open(medium, rows, kTestShard, kShardFolder));
        for (int i = 0; i < 4; ++i) fill(doubted->pages(), must(doubted->pages().allocate()), 1);
        must(checkpoint(*doubted, LogIndex(1)));

        for (std::uint32_t page = 0; page < 4; ++page) fill(doubted->pages(), PageId(page), 2);
        doubted->put("a", "2");
        rows.fail_next();
        rows.set_settling(settled_at_once);
        EXPECT_EQ(checkpoint(*doubted, LogIndex(2)).error().code(), ErrorCode::kIo);
        EXPECT_EQ(must(medium.list(kShardFolder)).size(), settled_at_once ? 1u : 2u);
        EXPECT_EQ(checkpoint(*doubted, LogIndex(2)).ok(), settled_at_once);
        rows.set_settling(true);
        must(rows.settle());
        EXPECT_EQ(contents_of(*must(ShardStore::open(medium, *simple, kTestShard, kShardFolder))),
                  (Model{{{"a", "2"}}, {{0, 2}, {1, 2}, {2, 2}, {3, 2}}, LogIndex(2)}));

        fill(doubted->pages(), PageId(3), 3);
        must(checkpoint(*doubted, LogIndex(3)));
        const Model expected = contents_of(*doubted);
        doubted = must(ShardStore::open(medium, rows, kTestShard, kShardFolder));
        EXPECT_EQ(contents_of(*doubted), expected);
    }
}

// Damage.

TEST_F(ShardStoreTest, AFlippedBitAnywhereInAPageFileStopsTheOpen) {
    for (int i = 0; i < 3; ++i) fill(pages(), must(pages().allocate()), 1);
    must(checkpoint(store(), LogIndex(1)));
    const std::string path = std::string(kShardFolder) + "/0000000001.pages";
    const std::uint64_t size = must(must(medium_.open(path, runtime::OpenMode::kRead))->size());
    for (const std::uint64_t offset : std::initializer_list<std::uint64_t>{
             0, 9, 20, 60, 64, 70, 4096, 4096 + kPageBytes + 5, size - 1}) {
        must(medium_.flip_bit(path, offset, 3));
        const auto opened = Life::open(medium_);
        ASSERT_FALSE(opened.ok()) << offset;
        EXPECT_EQ(opened.error().code(), ErrorCode::kCorruption) << offset;
        EXPECT_NE(opened.error().to_string().find(path), std::string::npos)
            << opened.error().to_string();
        EXPECT_NE(opened.error().to_string().find("offset"), std::string::npos);
        must(medium_.flip_bit(path, offset, 3));
    }
    open();
}

TEST_F(ShardStoreTest, AMissingOrShortPageFileStopsTheOpen) {
    for (int i = 0; i < 3; ++i) fill(pages(), must(pages().allocate()), 1);
    must(checkpoint(store(), LogIndex(1)));
    const std::string path = std::string(kShardFolder) + "/0000000001.pages";
    must(must(medium_.open(path, runtime::OpenMode::kReadWrite))->truncate(20'000));
    EXPECT_EQ(Life::open(medium_).error().code(), ErrorCode::kCorruption);
    must(medium_.remove(path));
    EXPECT_EQ(Life::open(medium_).error().code(), ErrorCode::kCorruption);
}

TEST_F(ShardStoreTest, LeftoversOfOthersStayAndOursGo) {
    must(checkpoint(store(), LogIndex(1)));
    const std::string folder(kShardFolder);
    must(runtime::write_file(medium_, folder + "/0000000009.pages", "leftover"));
    must(runtime::write_file(medium_, folder + "/text.segment", "not ours"));
    open();
    EXPECT_EQ(page_files(), std::vector<std::string>{"text.segment"});
    fill(pages(), must(pages().allocate()), 1);
    must(checkpoint(store(), LogIndex(2)));
    EXPECT_EQ(page_files().front(), "0000000010.pages") << "numbers are never used twice";
}

}  // namespace shard_store_test
}  // namespace tidal::storage
