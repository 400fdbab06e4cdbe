// The relay runs where its shard is led, and goes on after every change.
#include <gtest/gtest.h>

#include "shard/relay_pump.h"
#include "shard/tests/replicated_fixture.h"

namespace tidal::shard {
namespace relay_leadership_test {

constexpr Term kFirst{2}, kLater{5};

class HeldDeliveries final : public RelayTransport {
public:
    ShardId shard_of(VShard vshard) override { return vshard.value() < kOwnedEnd ? kHere : kOther; }
    void deliver(ShardId, std::vector<record::RelayBody> bodies, Done done) override {
        held.emplace_back(std::move(bodies), std::move(done));
    }
    /// The target has all rows of the oldest delivery.
    void arrive() {
        auto [bodies, done] = std::move(held.front());
        held.erase(held.begin());
        std::vector<std::uint64_t> marks;
        for (const record::RelayBody& body : bodies) marks.push_back(body.rows.back().sequence);
        done(std::move(marks));
    }
    std::vector<std::pair<std::vector<record::RelayBody>, Done>> held;
};

class RelayLeadership : public testing::Test {
protected:
    RelayLeadership()
        : executor(replica.runtime().executors().create_executor("pump")),
          pump(replica.shard(), Incarnation(1), transport, *executor) {
        replica.shard().set_on_applied([this] { pump.poke(); });
        replica.lead(kFirst);
        replica.configure();
        auto upsert = Replica::item(1);
        upsert.creator.emplace(creator_where(false));
        replica.propose(Replica::one(std::move(upsert)));
        replica.through(replica.take());
        replica.propose(Replica::one(like(1)));
        replica.through(replica.take());
    }
    ~RelayLeadership() override {
        pump.stop();
        executor->stop();
    }
    std::uint64_t rows() { return replica.shard().stats().outbox_rows; }

    Replica replica;
    HeldDeliveries transport;
    std::unique_ptr<runtime::Executor> executor;
    RelayPump pump;
};

TEST_F(RelayLeadership, RowsGoOnceAcknowledged) {
    ASSERT_EQ(transport.held.size(), 1u);
    transport.arrive();
    replica.settle();
    replica.through(replica.take());
    replica.pass_ms(100);
    EXPECT_EQ(rows(), 0u);
    EXPECT_TRUE(transport.held.empty());
}

TEST_F(RelayLeadership, ADeliveryOfALostLeadershipIsMadeAgain) {
    ASSERT_EQ(transport.held.size(), 1u);
    replica.shard().follow(Term(3), 2);
    replica.settle();
    transport.arrive();  // nobody here may acknowledge it
    replica.pass_ms(500);
    EXPECT_TRUE(replica.group().proposed.empty());
    EXPECT_TRUE(transport.held.empty());
    EXPECT_EQ(rows(), 1u);

    replica.lead(kLater);
    replica.pass_ms(100);
    ASSERT_EQ(transport.held.size(), 1u);
    transport.arrive();
    replica.settle();
    replica.through(replica.take());
    EXPECT_EQ(rows(), 0u);
}

TEST_F(RelayLeadership, AnAcknowledgementThatIsLostIsMadeAgain) {
    transport.arrive();
    replica.settle();
    auto acknowledgement = replica.take();
    replica.append(acknowledgement);
    replica.shard().follow(Term(3), 2);
    acknowledgement.decided(Error(ErrorCode::kConflict, "others").with_reason("superseded"));
    replica.pass_ms(100);
    replica.lead(kLater);
    replica.pass_ms(100);
    ASSERT_EQ(transport.held.size(), 1u);
    transport.arrive();
    replica.settle();
    replica.through(replica.take());
    EXPECT_EQ(rows(), 0u);
}

TEST_F(RelayLeadership, AFollowerDeliversNothing) {
    transport.arrive();
    replica.settle();
    replica.through(replica.take());
    replica.shard().follow(Term(3), 2);
    replica.settle();
    transport.held.clear();
    // What another leader wrote.
    auto liked = Replica::make(like(1));
    liked.envelope.stamp = HybridTime::from(kStartMs + 86'400'000, 0);
    liked.envelope.event_time_ms = liked.envelope.stamp.wall_ms();
    liked.envelope.schema_version = SchemaVersion(1);
    liked.envelope.generation = replica.shard().with_state([](ShardState& state) {
        auto& items = state.entities(EntityKind::kItem);
        return items.generation_of(*items.find(EntityId(1)));
    });
    replica.commit(Term(3), std::vector<record::Record>{liked});
    replica.pass_ms(500);
    EXPECT_EQ(rows(), 1u);
    EXPECT_TRUE(transport.held.empty());
    replica.lead(kLater);
    replica.pass_ms(100);
    EXPECT_EQ(transport.held.size(), 1u);
}

}  // namespace relay_leadership_test
}  // namespace tidal::shard
