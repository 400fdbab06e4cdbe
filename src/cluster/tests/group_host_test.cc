// Groups on one node, mostly without ticks in between: what wakes the loop, what waits for it, and
// what leaves.
#include "cluster/group_host.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "cluster/group_recovery.h"
#include "raft/wire.h"
#include "runtime/sim_runtime.h"

namespace tidal::cluster {
namespace group_host_test {

constexpr ShardId kShard(1), kOther(2);
constexpr std::uint64_t kTickNs = 1'000'000'000;
constexpr std::size_t kInboxBytes = 64 << 10;

/// Answers nothing; keeps what was sent, has no room for it, or does not reach anybody.
struct Peers final : GroupTransport {
    struct Sent {
        raft::PeerId to;
        GroupTraffic traffic;
        std::vector<raft::GroupMessage> messages;
    };
    Result<void> send(raft::PeerId to, GroupTraffic traffic, std::string packet) override {
        auto messages = raft::decode_packet(packet);
        if (!messages.ok()) return messages.take_error();
        sent.push_back({to, traffic, std::move(*messages)});
        if (traffic == full) return Error(ErrorCode::kOverloaded, "the queue to the peer is full");
        if (traffic == unreached) return Error(ErrorCode::kUnavailable, "the peer is down");
        return {};
    }
    std::vector<Sent> sent;
    std::optional<GroupTraffic> full, unreached;
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
    explicit GroupHostLoop(std::vector<ShardId> shards = {kShard, kOther},
                           const raft::Configuration& members = alone())
        : world_(1), node_(world_.create_node("n1", disk_)) {
        GroupRecovery recovery;
        for (const ShardId shard : shards)
            recovery.add_group({shard, Incarnation(1)},
                               raft::DurableState::base(LogIndex(0), Term(0), members));
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
        options.inbox_bytes_max = kInboxBytes;
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
        for (const ShardId shard : shards) host_->campaign(shard);
        settle();
        for (const ShardId shard : shards) {
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
    Peers peers_;
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

// A loop that stands still gathers a bounded number of them; the rest is told at once.
TEST_F(GroupHostLoop, QuestionsThatWaitAreBounded) {
    constexpr std::size_t kAsked = 2'000;
    std::size_t answered = 0, refused = 0;
    for (std::size_t i = 0; i < kAsked; ++i)
        host_->read_index(kShard, [&](Result<LogIndex> index) {
            ++(index.ok() ? answered : refused);
            if (!index.ok()) EXPECT_EQ(index.error().code(), ErrorCode::kOverloaded);
        });
    EXPECT_GT(refused, kAsked / 2);
    Result<void> transferred;
    host_->transfer(kShard, raft::PeerId(1),
                    [&](Result<void> result) { transferred = std::move(result); });
    ASSERT_FALSE(transferred.ok());
    EXPECT_EQ(transferred.error().code(), ErrorCode::kOverloaded);
    settle();
    EXPECT_EQ(answered + refused, kAsked);
    EXPECT_GT(answered, 0U);
    bool again = false;
    host_->read_index(kShard, [&](Result<LogIndex> index) { again = index.ok(); });
    settle();
    EXPECT_TRUE(again) << "there is room again";
}

const raft::PeerId kSecond(2), kThird(3);

class ManyGroups : public GroupHostLoop {
protected:
    static constexpr std::uint16_t kCount = 9;
    ManyGroups() : GroupHostLoop(shards(), with_learners()) {}
    static std::vector<ShardId> shards() {
        std::vector<ShardId> all;
        for (std::uint16_t at = 0; at < kCount; ++at) all.emplace_back(at);
        return all;
    }
    static raft::Configuration with_learners() {
        raft::Configuration members = alone();
        members.learners = {kSecond, kThird};
        return members;
    }
    void receive(raft::PeerId from, raft::Body body) {
        raft::PacketWriter packet;
        packet.add({kShard, Incarnation(1)},
                   {from, raft::PeerId(1), host_->status(kShard)->raft.term, std::move(body)},
                   1 << 20);
        host_->receive(from, packet.take());
        settle();
    }
    /// Of the heartbeats of kShard.
    std::uint64_t newest_round() {
        std::uint64_t round = 0;
        for (const Peers::Sent& packet : peers_.sent)
            for (const raft::GroupMessage& each : packet.messages)
                if (const auto* beat = std::get_if<raft::Heartbeat>(&each.message.body);
                    beat != nullptr && each.group.shard == kShard)
                    round = std::max(round, beat->round);
        return round;
    }
    /// Eight bytes of kShard in the place of its log.
    void offer_snapshot() {
        propose(kShard, 1);
        settle();
        host_->applied(kShard, LogIndex(2));
        world_.advance(kTickNs);
        ASSERT_EQ(applied(kShard), LogIndex(2));
        host_->compact(kShard, LogIndex(2));
        auto file = node_->disk().open("offered", runtime::OpenMode::kCreate);
        ASSERT_TRUE(file.ok());
        ASSERT_TRUE((*file)->write_at(0, "snapshot").ok());
        std::optional<Result<void>> offered;
        host_->offer_snapshot(kShard,
                              {.id = 7,
                               .index = LogIndex(2),
                               .term = host_->status(kShard)->raft.term,
                               .bytes = 8,
                               .configuration = with_learners()},
                              "offered", [&](Result<void> result) { offered = std::move(result); });
        settle();
        ASSERT_TRUE(offered && offered->ok());
    }
    std::size_t chunks_sent() {
        return static_cast<std::size_t>(
            std::ranges::count(peers_.sent, GroupTraffic::kSnapshot, &Peers::Sent::traffic));
    }
};

TEST_F(ManyGroups, HeartbeatsOfATickAreOnePacketToAPeer) {
    const auto before = host_->stats();
    peers_.sent.clear();
    world_.advance(kTickNs);
    ASSERT_EQ(peers_.sent.size(), 2U);
    EXPECT_NE(peers_.sent[0].to, peers_.sent[1].to);
    for (const Peers::Sent& packet : peers_.sent) {
        EXPECT_EQ(packet.traffic, GroupTraffic::kUrgent);
        EXPECT_EQ(packet.messages.size(), kCount);
        for (const raft::GroupMessage& each : packet.messages)
            EXPECT_TRUE(std::holds_alternative<raft::Heartbeat>(each.message.body));
    }
    EXPECT_EQ(host_->stats().packets_sent - before.packets_sent, 2U);
    EXPECT_EQ(host_->stats().messages_sent - before.messages_sent, 2U * kCount);
}

// The queue to a peer is shared by all groups, whose chunks may be more than it takes.
TEST_F(ManyGroups, AChunkWithoutRoomIsSentAgainSoon) {
    ASSERT_NO_FATAL_FAILURE(offer_snapshot());
    peers_.full = GroupTraffic::kSnapshot;
    receive(kSecond, raft::HeartbeatReply{.round = newest_round(), .match = {}, .received = {}});
    ASSERT_EQ(chunks_sent(), 1U);
    settle();
    EXPECT_EQ(chunks_sent(), 1U) << "not over and over";
    world_.advance(kTickNs);
    EXPECT_EQ(chunks_sent(), 2U);
    peers_.full.reset();
    world_.advance(kTickNs);
    EXPECT_EQ(chunks_sent(), 3U);
    receive(kSecond, raft::SnapshotReply{.id = 7, .durable = 8, .received = 8, .resend = false});
    EXPECT_EQ(chunks_sent(), 3U);
}

// Each time that a chunk is sent its bytes are read: of every group, with every heartbeat, for
// nobody.
TEST_F(ManyGroups, AChunkForAPeerThatIsDownIsNotSentWithEveryHeartbeat) {
    ASSERT_NO_FATAL_FAILURE(offer_snapshot());
    peers_.unreached = GroupTraffic::kSnapshot;
    receive(kSecond, raft::HeartbeatReply{.round = newest_round(), .match = {}, .received = {}});
    ASSERT_EQ(chunks_sent(), 1U);
    world_.advance(kTickNs);
    EXPECT_EQ(chunks_sent(), 1U);
    world_.advance(kTickNs);
    EXPECT_EQ(chunks_sent(), 2U) << "after an election's time";
}

}  // namespace group_host_test
}  // namespace tidal::cluster
