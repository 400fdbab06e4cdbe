// Which of a member's log is history: what a lost leader wrote in vain is not.
#include "api/internal/term_index.h"

#include "api/tests/sim_node.h"
#include "cluster/group_batches.h"

namespace tidal::api {
namespace term_index_test {

const raft::GroupKey kGroup{ShardId(1), Incarnation(1)};

class TermIndexTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = wal::NodeLog::open(
            *runtime_, {},
            [](const wal::BatchHeader&, std::string_view) { return Result<void>(); });
        ASSERT_TRUE(opened.ok());
        log_ = std::move(*opened);
    }
    void append(wal::PendingBatch batch) {
        batch.on_durable = [this](Result<void> done) { durable_ += done.ok() ? 1 : 0; };
        ASSERT_OK(log_->append(std::move(batch)));
        const int wanted = ++appended_;
        ASSERT_TRUE(world_.run_until([&] { return durable_ == wanted; }));
    }
    void write(std::uint64_t term, std::uint64_t first, std::uint64_t last,
               raft::EntryKind kind = raft::EntryKind::kRecord) {
        std::vector<raft::Entry> entries;
        for (std::uint64_t index = first; index <= last; ++index)
            entries.push_back({Term(term), LogIndex(index), kind, raft::make_payload("x")});
        HybridTime stamp;
        for (auto& batch : cluster::batches_of(
                 kGroup, kFirstRegion, entries, [](std::string_view) { return HybridTime(); },
                 &stamp, 1 << 20))
            append(std::move(batch));
    }
    bool history(std::uint64_t index, std::uint64_t term) {
        return index_.is_history(LogIndex(index), Term(term));
    }
    void read(std::uint64_t applied) { ASSERT_OK(index_.read_up_to(*log_, LogIndex(applied))); }

    runtime::SimWorld world_{3};
    runtime::SimDisk disk_;
    std::unique_ptr<runtime::SimRuntime> runtime_ = world_.create_node("node", disk_);
    std::unique_ptr<wal::NodeLog> log_;
    int appended_ = 0, durable_ = 0;
    TermIndex index_{ShardId(1)};
};

TEST_F(TermIndexTest, WhatALaterTermReplacedIsNot) {
    write(1, 1, 1, raft::EntryKind::kEmpty);
    write(1, 2, 9);
    read(4);
    EXPECT_TRUE(history(4, 1));
    write(3, 6, 6, raft::EntryKind::kEmpty);
    write(3, 7, 8);
    read(8);
    EXPECT_TRUE(history(5, 1));
    EXPECT_FALSE(history(6, 1));
    EXPECT_FALSE(history(8, 1));
    EXPECT_TRUE(history(8, 3));
    // Read step by step or at once.
    TermIndex again(ShardId(1));
    ASSERT_OK(again.read_up_to(*log_, LogIndex(8)));
    for (std::uint64_t at = 1; at <= 8; ++at)
        for (const std::uint64_t term : {1, 3})
            EXPECT_EQ(again.is_history(LogIndex(at), Term(term)), history(at, term)) << at;
}

TEST_F(TermIndexTest, WhatASnapshotTookThePlaceOfIsNotBelieved) {
    write(1, 1, 5);
    write(2, 6, 9);
    append(cluster::batch_of_base(kGroup, kFirstRegion, LogIndex(20), Term(4), HybridTime()));
    write(4, 21, 22);
    EXPECT_EQ(index_.missing_through(), LogIndex(0));
    read(22);
    EXPECT_EQ(index_.missing_through(), LogIndex(20));
    EXPECT_TRUE(history(5, 1));
    EXPECT_FALSE(history(7, 2));
    EXPECT_TRUE(history(21, 4));
}

}  // namespace term_index_test
}  // namespace tidal::api
