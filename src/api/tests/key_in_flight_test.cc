// Calls that use an idempotency key whose first use has not been answered yet: they wait for it and
// are answered as it was.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace key_in_flight_test {

class KeyInFlight : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_OK(node_.open());
        node_.put(item(1));
    }
    using Answer = std::shared_ptr<std::optional<WriteReplies>>;
    /// Does not wait for the answer.
    Answer send(std::vector<Write> writes, const CallContext& context = {}) {
        auto answer = std::make_shared<std::optional<WriteReplies>>();
        node_->write(std::move(writes), context,
                     [answer](WriteReplies replies) { answer->emplace(std::move(replies)); });
        return answer;
    }
    WriteReplies wait(const Answer& answer) {
        EXPECT_TRUE(node_.world().run_until([&] { return answer->has_value(); }));
        return std::move(**answer);
    }

    SimNode node_;
};

TEST_F(KeyInFlight, ARepeatGetsTheFirstAnswer) {
    const Answer first = send({signal(1, "like", "k")});
    const Answer again = send({signal(1, "like", "k")});
    EXPECT_FALSE(again->has_value());
    const auto first_reply = wait(first), again_reply = wait(again);
    ASSERT_OK(first_reply[0]);
    ASSERT_OK(again_reply[0]);
    EXPECT_FALSE(first_reply[0]->repeated);
    EXPECT_TRUE(again_reply[0]->repeated);
    EXPECT_EQ(again_reply[0]->version, first_reply[0]->version);
    EXPECT_EQ(node_.count(1, "like"), 1);
}

TEST_F(KeyInFlight, ARepeatAmongOtherLinesKeepsItsPlace) {
    const Answer first = send({signal(1, "like", "k"), signal(1, "view", "v")});
    CallContext memory;
    memory.write_concern = shard::WriteConcern::kMemory;
    const Answer again = send({signal(1, "view"), signal(1, "view", "v"), signal(1, "share", "k"),
                               signal(1, "share"), signal(1, "like", "k")},
                              memory);
    const auto replies = wait(again);
    ASSERT_EQ(replies.size(), 5u);
    EXPECT_TRUE(replies[0].ok() && !replies[0]->repeated);
    EXPECT_TRUE(replies[1].ok() && replies[1]->repeated);
    ASSERT_FALSE(replies[2].ok());
    EXPECT_EQ(replies[2].error().code(), ErrorCode::kIdempotencyMismatch);
    EXPECT_TRUE(replies[3].ok() && !replies[3]->repeated);
    EXPECT_TRUE(replies[4].ok() && replies[4]->repeated);
    wait(first);
    EXPECT_EQ(node_.count(1, "view"), 2);
    EXPECT_EQ(node_.count(1, "like"), 1);
    EXPECT_EQ(node_.count(1, "share"), 1);
}

TEST_F(KeyInFlight, IsRefusedWithTheFirstWhenTheDiskIsFull) {
    node_.disk().set_capacity(node_.disk().used_bytes());
    SignalWrite large = signal(1, "view");
    large.context = std::string(1000, 'x');
    for (int i = 0; node_.write_one(large).ok(); ++i) ASSERT_LT(i, 2000) << "it does not fill up";
    large.idempotency_key = "k";
    const Answer first = send({large});
    const Answer again = send({large});
    for (const auto& answer : {first, again}) {
        const auto replies = wait(answer);
        ASSERT_FALSE(replies[0].ok());
        EXPECT_EQ(replies[0].error().code(), ErrorCode::kDiskFull);
    }
}

TEST_F(KeyInFlight, ASignalFindsItemsThatAreOnTheirWay) {
    const Answer made = send({item(7), item(7)});
    const Answer seen = send({signal(7, "view"), item(8), signal(8, "view"), signal(9, "view")});
    const auto replies = wait(seen);
    EXPECT_TRUE(replies[0].ok() && replies[1].ok() && replies[2].ok());
    EXPECT_FALSE(replies[3].ok()) << "made by nobody";
    EntityDelete gone;
    gone.id = std::uint64_t{7};
    node_.put(gone);
    EXPECT_FALSE(node_.write_one(signal(7, "view")).ok()) << "no longer on its way";
}

}  // namespace key_in_flight_test
}  // namespace tidal::api
