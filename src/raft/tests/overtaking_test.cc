// What is urgent has a way of its own beside entries, and may overtake them.
#include <gtest/gtest.h>

#include <algorithm>

#include "raft/tests/cluster.h"

namespace tidal::raft {
namespace overtaking_test {

constexpr PeerId kLeader(1);
constexpr std::uint64_t kRecords = 200;

bool has_entries(const Message& message) {
    const auto* append = std::get_if<Append>(&message.body);
    return append != nullptr && !append->entries.empty();
}

class Counts final : public Observer {
public:
    void on_send(const Message& message) override {
        if (const auto* append = std::get_if<Append>(&message.body))
            entries[message.to] += append->entries.size();
        if (const auto* reply = std::get_if<AppendReply>(&message.body))
            rejected += reply->rejected;
        if (const auto* beat = std::get_if<Heartbeat>(&message.body))
            ++(beat->round == 0 ? notices : rounds);
        if (std::holds_alternative<HeartbeatReply>(message.body)) ++answers;
    }

    std::map<PeerId, std::uint64_t> entries;
    std::uint64_t rejected = 0, notices = 0, rounds = 0, answers = 0;
};

class RaftOvertaking : public testing::Test {
protected:
    RaftOvertaking() : cluster_(counts_) {
        const Configuration three{.voters = {kLeader, PeerId(2), PeerId(3)},
                                  .outgoing = {},
                                  .learners = {},
                                  .learners_next = {}};
        for (const PeerId id : three.voters) {
            Options options;
            options.self = id;
            options.seed = id.value();
            cluster_.add(options, three);
            cluster_.start(id);
        }
        cluster_.node(kLeader).campaign();
        cluster_.turn(kLeader);
        while (deliver_urgent() || deliver_entries()) {
        }
    }

    /// The oldest message that is `wanted`; false when there is none.
    template <typename Wanted>
    bool deliver(Wanted wanted) {
        auto& network = cluster_.network();
        const auto next = std::find_if(network.begin(), network.end(), wanted);
        if (next == network.end()) return false;
        const Message message = std::move(*next);
        network.erase(next);
        EXPECT_TRUE(cluster_.deliver(message).ok());
        return true;
    }
    bool deliver_urgent() {
        bool any = false;
        while (deliver([](const Message& message) { return !has_entries(message); })) any = true;
        return any;
    }
    bool deliver_entries() { return deliver(has_entries); }
    LogIndex applied(PeerId id) { return cluster_.at(id).machine.index; }

    Counts counts_;
    Cluster cluster_;
};

TEST_F(RaftOvertaking, NoEntryIsSentAgain) {
    ASSERT_EQ(cluster_.node(kLeader).status().role, Role::kLeader);
    const LogIndex before = applied(kLeader);
    counts_.entries.clear();
    for (std::uint64_t i = 0; i < kRecords; ++i) {
        ASSERT_TRUE(cluster_.node(kLeader).propose({make_payload("record")}).ok());
        cluster_.turn(kLeader);
        deliver_urgent();
        if (i % 2 == 0) deliver_entries();  // more and more of them are on their way
    }
    while (deliver_urgent() || deliver_entries()) {
    }
    for (const PeerId peer : {PeerId(2), PeerId(3)}) {
        EXPECT_EQ(counts_.entries[peer], kRecords);
        EXPECT_EQ(applied(peer), plus(before, kRecords));
    }
    EXPECT_EQ(counts_.rejected, 0u);
    EXPECT_GT(counts_.notices, 0u);
    EXPECT_EQ(counts_.answers, counts_.rounds) << "notices are not answered";
}

}  // namespace overtaking_test
}  // namespace tidal::raft
