// One group on one node, without ticks in between: what wakes the loop, and what waits for it.
#include "cluster/group_host.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "cluster/group_recovery.h"
#include "runtime/sim_runtime.h"

namespace tidal::cluster {
namespace {

constexpr ShardId kShard(1), kOther(2);
constexpr std::uint64_t kTickNs = 1'000'000'000;

struct NoPeers final : GroupTransport {
    Result<void> send(raft::PeerId, GroupTraffic, std::string) override { return {}; }
};

/// Counts what it is given; applies it at once, or when the test says.
struct Machine final : GroupSink {
    void committed(CommittedRun run) override {
        given = run.last();
        runs += 1;
        if (host != nullptr) host->applied(shard, given);
    }
    void leading(Term of) override { term = of; }
    void following(Term, raft::PeerId) override {}
    void durable(LogIndex, std::span<const LogIndex>) override {
        if (on_durable) std::exchange(on_durable, nullptr)();
    }
    void snapshot_wanted() override {}
    void stage_snapshot(const raft::SnapshotMeta&, const std::string&, Done) override {}
    void switch_to_snapshot(const raft::SnapshotMeta&, Done) override {}

    ShardId shard;
    GroupHost* host = nullptr;         ///< It applies at once.
    std::function<void()> on_durable;  ///< Once.
    Term term;
    LogIndex given;
    int runs = 0;
};

class GroupHostLoop : public testing::Test {
protected:
    GroupHostLoop() : world_(1), node_(world_.create_node("n1", disk_)) {
        GroupRecovery recovery;
        for (const ShardId shard : {kShard, kOther})
            recovery.add_group({shard, Incarnation(1)},
                               raft::DurableState::base(LogIndex(0), Term(0), alone()));
        wal::LogOptions log_options;
        log_options.file_bytes = 1 << 16;
        auto log = wal::NodeLog::open(
            *node_, log_options, [&](const wal::BatchHeader& header, std::string_view payload) {
                return recovery.visit(header, payload);
            });
        EXPECT_TRUE(log.ok());
        log_ = std::move(*log);
        auto found = recovery.finish();
        EXPECT_TRUE(found.ok());
        GroupHost::Options options;
        options.self = raft::PeerId(1);
        options.timing = {.tick_ms = 1000,
                          .heartbeat_ms = 1000,
                          .election_ms_min = 2000,
                          .election_ms_max = 4000};
        host_ = std::make_unique<GroupHost>(*node_, *log_, peers_, options, found->states_index);
        for (auto& [key, state] : found->groups) {
            GroupHost::GroupOptions group;
            group.key = key;
            group.core.apply_bytes_max = 200;  // a few records
            Machine& machine = machines_[key.shard];
            machine.shard = key.shard;
            EXPECT_TRUE(
                host_->open_group(group, std::move(state), found->stamps[key], machine).ok());
        }
        host_->start();
        for (const ShardId shard : {kShard, kOther}) host_->campaign(shard);
        settle();
        for (const ShardId shard : {kShard, kOther}) {
            EXPECT_EQ(machines_[shard].given, LogIndex(1));
            host_->applied(shard, LogIndex(1));
        }
        world_.advance(kTickNs);
    }
    ~GroupHostLoop() override {
        host_->stop();
        host_.reset();
        log_.reset();
    }

    static raft::Configuration alone() {
        return {.voters = {raft::PeerId(1)}, .outgoing = {}, .learners = {}, .learners_next = {}};
    }
    /// What is ready, and the disk's answers; no tick.
    void settle() { world_.advance(kTickNs / 100); }
    void propose(ShardId shard, int records) {
        Proposal proposal;
        proposal.stamped_for = machines_[shard].term;
        proposal.records.resize(static_cast<std::size_t>(records), raft::make_payload("record"));
        proposal.decided = [this](Result<raft::Position> position) { decided_ += position.ok(); };
        ASSERT_TRUE(host_->propose(shard, std::move(proposal)).ok());
    }
    LogIndex applied(ShardId shard) { return host_->status(shard)->raft.applied; }
    std::uint64_t turns() { return host_->stats().turns; }

    runtime::SimWorld world_;
    runtime::SimDisk disk_;
    std::unique_ptr<runtime::SimRuntime> node_;
    std::unique_ptr<wal::NodeLog> log_;
    NoPeers peers_;
    std::map<ShardId, Machine> machines_;
    std::unique_ptr<GroupHost> host_;
    int decided_ = 0;
};

TEST_F(GroupHostLoop, WhatIsAppliedIsNotedWithTheNextTurn) {
    propose(kShard, 1);
    settle();
    ASSERT_EQ(machines_[kShard].given, LogIndex(2));
    const std::uint64_t before = turns();
    host_->applied(kShard, LogIndex(2));
    settle();
    EXPECT_EQ(turns(), before);
    EXPECT_EQ(applied(kShard), LogIndex(1));
    propose(kOther, 1);
    settle();
    EXPECT_EQ(applied(kShard), LogIndex(2));

    propose(kShard, 1);
    settle();
    host_->applied(kShard, LogIndex(3));
    world_.advance(kTickNs);
    EXPECT_EQ(applied(kShard), LogIndex(3)) << "the tick takes it along";
}

TEST_F(GroupHostLoop, ABurstOfProposalsIsOneTurn) {
    const std::uint64_t before = turns();
    {
        const GroupHost::Burst burst(*host_);
        propose(kShard, 1);
        settle();
        propose(kOther, 1);
        settle();
        EXPECT_EQ(turns(), before);
    }
    settle();
    EXPECT_GT(turns(), before);
    EXPECT_EQ(decided_, 2);
    propose(kShard, 1);
    settle();
    EXPECT_EQ(decided_, 3) << "it is over";
}

TEST_F(GroupHostLoop, ABurstHoldsUpNothingElse) {
    const GroupHost::Burst burst(*host_);
    propose(kShard, 1);
    bool read = false;
    host_->read_index(kOther, [&](Result<LogIndex> index) { read = index.ok(); });
    settle();
    EXPECT_TRUE(read);
    EXPECT_EQ(decided_, 1);
}

TEST_F(GroupHostLoop, WhatIsHeldBackFollowsAtOnce) {
    propose(kShard, 100);
    settle();
    const LogIndex first = machines_[kShard].given;
    ASSERT_GT(first, LogIndex(1));
    ASSERT_LT(first, LogIndex(101)) << "apply_bytes_max holds the rest back";
    host_->applied(kShard, first);
    settle();
    EXPECT_GT(machines_[kShard].given, first);
}

TEST_F(GroupHostLoop, ASinkThatAppliesAtOnceIsNeverHeldBack) {
    machines_[kShard].host = host_.get();
    propose(kShard, 100);
    settle();
    EXPECT_EQ(machines_[kShard].given, LogIndex(101));
    EXPECT_GT(machines_[kShard].runs, 10);
    EXPECT_EQ(decided_, 1);
}

// In a turn that comes to hold entries back, and before it does.
TEST_F(GroupHostLoop, WhatIsAppliedMeanwhileIsNotOverlooked) {
    propose(kShard, 7);
    settle();
    ASSERT_EQ(machines_[kShard].given, LogIndex(8)) << "all there is, and as much as may be";
    // Both are durable at once, and the other group has its turn first.
    machines_[kOther].on_durable = [&] { host_->applied(kShard, LogIndex(8)); };
    propose(kOther, 1);
    propose(kShard, 1);
    settle();
    EXPECT_EQ(machines_[kOther].given, LogIndex(2));
    EXPECT_EQ(machines_[kShard].given, LogIndex(9));
}

}  // namespace
}  // namespace tidal::cluster
