// What the front door refuses. Behaviour over time is in testdata/ and simulation_test.cc.
#include "raft/node.h"

#include <gtest/gtest.h>

#include <functional>

namespace tidal::raft {
namespace node_test {

struct NoStore final : LogStore {
    Result<std::vector<Entry>> read(LogIndex, LogIndex, std::size_t) override {
        return Error(ErrorCode::kUnavailable, "nothing here");
    }
};

const Configuration kThree{.voters = {PeerId(1), PeerId(2), PeerId(3)}};

std::unique_ptr<Node> follower(NoStore& store) {
    return std::move(*Node::create({.self = PeerId(1)},
                                   DurableState::base(LogIndex(0), Term(0), kThree), store));
}

TEST(RaftNode, OptionsOutOfRangeAreNamed) {
    NoStore store;
    const std::vector<std::pair<std::string, std::function<void(Options&)>>> wrong = {
        {"self", [](Options& o) { o.self = kNobody; }},
        {"heartbeat_ticks", [](Options& o) { o.heartbeat_ticks = 0; }},
        {"election_ticks_min", [](Options& o) { o.election_ticks_min = 1; }},
        {"election_ticks_max", [](Options& o) { o.election_ticks_max = 10; }},
        {"inflight_messages_max", [](Options& o) { o.inflight_messages_max = 0; }},
        {"chunk_bytes_max", [](Options& o) { o.chunk_bytes_max = 0; }},
    };
    for (const auto& [name, spoil] : wrong) {
        Options options{.self = PeerId(1)};
        spoil(options);
        const auto node =
            Node::create(options, DurableState::base(LogIndex(0), Term(0), kThree), store);
        ASSERT_FALSE(node.ok()) << name;
        EXPECT_EQ(node.error().field(), name);
    }
}

TEST(RaftNode, ALogAheadOfItsTermIsRefused) {
    NoStore store;
    auto state = DurableState::base(LogIndex(5), Term(3), kThree);
    state.hard.term = Term(2);
    EXPECT_EQ(Node::create({.self = PeerId(1)}, state, store).error().field(), "hard.term");
}

TEST(RaftNode, MessagesNoCorrectPeerSendsChangeNothing) {
    NoStore store;
    auto node = follower(store);
    const PeerId me(1), peer(2);
    const Entry gap{Term(1), LogIndex(3), EntryKind::kRecord, nullptr};
    const Entry later{Term(2), LogIndex(1), EntryKind::kRecord, nullptr};
    const Entry garbled{Term(1), LogIndex(1), EntryKind::kConfiguration, make_payload("?")};
    const auto append = [&](const Entry& entry) {
        return Message{peer, me, Term(1), Append{.entries = {entry}}};
    };
    const std::vector<Message> wrong = {
        {peer, PeerId(3), Term(1), Heartbeat{}},
        {kNobody, me, Term(1), Heartbeat{}},
        {me, me, Term(1), Heartbeat{}},
        {peer, me, Term(0), Heartbeat{}},
        append(gap),
        append(later),
        append(garbled),
        {peer, me, Term(1), SnapshotChunk{.meta = {.id = 1, .bytes = 4}, .size = 2}},
        {peer, me, Term(1), VoteRequest{.campaign_term = Term(9)}},
    };
    for (const Message& message : wrong) {
        const auto stepped = node->step(message);
        ASSERT_FALSE(stepped.ok()) << message_name(message);
        EXPECT_EQ(stepped.error().code(), ErrorCode::kCorruption);
        EXPECT_EQ(node->status().term, Term(0));
        EXPECT_TRUE(node->take_ready().empty());
    }
}

TEST(RaftNode, WhatWaitsForASlowDiskIsBounded) {
    NoStore store;
    auto node = follower(store);
    for (std::uint64_t round = 1; round <= 1000; ++round)
        ASSERT_TRUE(node->step({PeerId(2), PeerId(1), Term(1), Heartbeat{.round = round}}).ok());
    const Ready ready = node->take_ready();
    ASSERT_TRUE(ready.hard_state.has_value());
    EXPECT_TRUE(ready.messages.empty());  // the term is not durable
    node->persisted(ready.number);
    const Ready after = node->take_ready();
    ASSERT_EQ(after.messages.size(), 1u);
    EXPECT_EQ(std::get<HeartbeatReply>(after.messages[0].body).round, 1000u);
}

SnapshotChunk whole_snapshot(LogIndex index, Term term) {
    const SnapshotMeta meta{
        .id = 7, .index = index, .term = term, .bytes = 4, .configuration = kThree};
    return {.meta = meta, .size = 4, .data = make_payload("abcd")};
}

Append four_entries() {
    Append append;
    for (std::uint64_t i = 1; i <= 4; ++i)
        append.entries.push_back({Term(i < 4 ? 1 : 2), LogIndex(i), EntryKind::kRecord, nullptr});
    return append;
}

// The disk is slow: while the last chunk of a snapshot is being written, the next leader sends the
// same entries, and more. Putting the snapshot in place would drop what was acknowledged.
TEST(RaftNode, ASnapshotWhoseEntriesHaveComeIsNotInstalled) {
    NoStore store;
    auto node = follower(store);
    ASSERT_TRUE(
        node->step({PeerId(2), PeerId(1), Term(1), whole_snapshot(LogIndex(3), Term(1))}).ok());
    const Ready chunks = node->take_ready();
    ASSERT_EQ(chunks.chunks.size(), 1u);
    ASSERT_TRUE(node->step({PeerId(3), PeerId(1), Term(2), four_entries()}).ok());
    const Ready entries = node->take_ready();
    ASSERT_EQ(entries.entries.size(), 4u);
    node->persisted(chunks.number);
    EXPECT_FALSE(node->take_ready().install.has_value());
    node->persisted(entries.number);
    const Ready after = node->take_ready();
    EXPECT_FALSE(after.install.has_value());
    ASSERT_EQ(after.messages.size(), 1u);
    EXPECT_EQ(std::get<AppendReply>(after.messages[0].body).match, LogIndex(4));
    EXPECT_EQ(node->status().commit, LogIndex(3));  // a snapshot holds what is committed
}

// While a snapshot takes the state's place, the state may already be ahead of what is committed
// here.
TEST(RaftNode, WhatIsCommittedIsNotHandedOutWhileASnapshotIsInstalled) {
    NoStore store;
    auto node = follower(store);
    ASSERT_TRUE(
        node->step({PeerId(3), PeerId(1), Term(2), whole_snapshot(LogIndex(9), Term(2))}).ok());
    const Ready chunks = node->take_ready();
    Append append = four_entries();
    append.commit = LogIndex(4);
    ASSERT_TRUE(node->step({PeerId(3), PeerId(1), Term(2), append}).ok());
    const Ready entries = node->take_ready();
    node->persisted(chunks.number);
    EXPECT_TRUE(node->take_ready().install.has_value());
    node->persisted(entries.number);
    const Ready meanwhile = node->take_ready();
    EXPECT_TRUE(meanwhile.committed.empty());
    EXPECT_FALSE(meanwhile.held_back);
    node->snapshot_installed();
    EXPECT_TRUE(node->take_ready().committed.empty());
    EXPECT_EQ(node->status().commit, LogIndex(9));
}

// Entries of a snapshot that have come, and a crash between the two.
TEST(RaftNode, AStartForgetsASnapshotWhoseEntriesAreInTheLog) {
    NoStore store;
    auto state = DurableState::base(LogIndex(0), Term(0), kThree);
    for (const Entry& entry : four_entries().entries) ASSERT_TRUE(state.add(entry).ok());
    state.hard.term = Term(2);
    state.partial = whole_snapshot(LogIndex(3), Term(1)).meta;
    state.partial_bytes = 4;
    auto node = std::move(*Node::create({.self = PeerId(1)}, state, store));
    EXPECT_FALSE(node->take_ready().install.has_value());
    EXPECT_EQ(node->status().last, LogIndex(4));
}

TEST(RaftNode, ANewerTermDoesNotReplaceWhatIsCommitted) {
    NoStore store;
    auto node = follower(store);
    Append append = four_entries();
    append.commit = LogIndex(4);
    ASSERT_TRUE(node->step({PeerId(3), PeerId(1), Term(2), append}).ok());
    for (Entry& entry : append.entries) entry.term = Term(3);
    const auto stepped = node->step({PeerId(2), PeerId(1), Term(3), append});
    ASSERT_FALSE(stepped.ok());
    EXPECT_EQ(stepped.error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(node->status().term, Term(2));
}

TEST(RaftNode, ProposalsAreChecked) {
    NoStore store;
    auto node = follower(store);
    EXPECT_EQ(node->propose({}).error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(node->propose({make_payload(std::string((8 << 20) + 1, 'x'))}).error().code(),
              ErrorCode::kTooLarge);
    EXPECT_EQ(node->propose({make_payload("x")}).error().reason(), "not_leader");
    EXPECT_EQ(node->read(1).error().reason(), "no_leader");
}

/// Offsets of the chunks there are to send.
/// @param probed  Where an Append asks whether the logs agree.
std::vector<std::uint64_t> chunks_of(Node& node, LogIndex* probed = nullptr) {
    std::vector<std::uint64_t> offsets;
    const Ready ready = node.take_ready();
    for (const Message& message : ready.messages) {
        if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body))
            offsets.push_back(chunk->offset);
        if (const auto* append = std::get_if<Append>(&message.body); append && probed != nullptr)
            *probed = append->prev_index;
    }
    if (ready.number != 0) node.persisted(ready.number);
    return offsets;
}

TEST(RaftNode, AChunkWithoutRoomIsSentAgainSoon) {
    NoStore store;
    const PeerId me(1), peer(2);
    const Configuration with_learner{.voters = {me}, .learners = {peer}};
    auto state = DurableState::base(LogIndex(5), Term(1), with_learner);
    state.hard.term = Term(1);
    auto node = std::move(
        *Node::create({.self = me, .chunk_bytes_max = 10, .chunks_inflight_max = 3}, state, store));
    node->campaign();
    LogIndex probed;
    for (int turn = 0; turn < 5; ++turn) chunks_of(*node, &probed);
    ASSERT_EQ(node->status().commit, LogIndex(6));
    ASSERT_TRUE(node->offer_snapshot({.id = 7,
                                      .index = LogIndex(5),
                                      .term = Term(1),
                                      .bytes = 100,
                                      .configuration = with_learner})
                    .ok());
    const Term term = node->status().term;
    const auto says = [&](Body body) {
        ASSERT_TRUE(node->step({peer, me, term, std::move(body)}).ok());
    };
    using Offsets = std::vector<std::uint64_t>;
    says(AppendReply{.rejected = true, .match = probed});
    EXPECT_EQ(chunks_of(*node), (Offsets{0}));
    says(SnapshotReply{.id = 7, .durable = 10, .received = 10});
    EXPECT_EQ(chunks_of(*node), (Offsets{10, 20, 30}));

    // The last two have no room: they follow the answer for the first, and no sooner.
    node->chunk_refused(peer, 7, 20);
    node->chunk_refused(peer, 7, 30);
    node->chunk_refused(peer, 8, 10);
    EXPECT_EQ(chunks_of(*node), Offsets());
    says(SnapshotReply{.id = 7, .durable = 20, .received = 20});
    EXPECT_EQ(chunks_of(*node), (Offsets{20, 30, 40}));

    // Nothing is under way that would be answered.
    for (const std::uint64_t offset : {20U, 30U, 40U}) node->chunk_refused(peer, 7, offset);
    EXPECT_EQ(chunks_of(*node), Offsets());
    const auto heartbeat = [&] {
        for (std::uint32_t tick = 0; tick < Options().heartbeat_ticks; ++tick) node->tick();
    };
    heartbeat();
    EXPECT_EQ(chunks_of(*node), (Offsets{20, 30, 40}));

    // Those behind one without room are answered, and ask for it: there is no more room for that.
    node->chunk_refused(peer, 7, 20);
    for (int answer = 0; answer < 2; ++answer) {
        says(SnapshotReply{.id = 7, .durable = 20, .received = 20, .resend = true});
        EXPECT_EQ(chunks_of(*node), Offsets());
    }
    heartbeat();
    EXPECT_EQ(chunks_of(*node), (Offsets{20, 30, 40}));
}

TEST(RaftNode, SnapshotsOnOfferAreChecked) {
    NoStore store;
    auto node = follower(store);
    EXPECT_EQ(node->offer_snapshot({.id = 1}).error().field(), "bytes");
    EXPECT_EQ(node->offer_snapshot({.id = 0, .bytes = 1}).error().field(), "id");
    EXPECT_EQ(node->offer_snapshot({.id = 1, .index = LogIndex(1), .bytes = 1}).error().field(),
              "index");
}

}  // namespace node_test
}  // namespace tidal::raft
