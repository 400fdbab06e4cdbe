// Calls between nodes: answers, errors as they are, deadlines, repeats, silence, bounds.
#include "cluster/rpc.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "base/codec.h"
#include "cluster/error_codec.h"
#include "cluster/internal/rpc_message.h"
#include "runtime/sim_network.h"

namespace tidal::cluster {
namespace rpc_test {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr RpcMethod kEcho{1}, kRefuse{2}, kDrop{3}, kNever{4};

struct Node {
    Node(runtime::SimWorld& world, std::uint32_t number, const Rpc::Options& options = {})
        : runtime(world.create_node("n" + std::to_string(number), disk)),
          executor(runtime->executors().create_executor("peers")) {
        PeerTransportOptions peers;
        peers.self = {std::string(32, 'a'), NodeId(number), std::string(32, 'b'), kFirstRegion};
        peers.endpoint.address = address(number);
        transport = std::make_unique<PeerTransport>(peers, *runtime, *executor);
        rpc = std::make_unique<Rpc>(*transport, *runtime, *executor, options);
        transport->subscribe(Channel::kRpc, [this](NodeId from, std::string bytes) {
            rpc->receive(from, std::move(bytes));
        });
        transport->set_on_down([this](NodeId node, const Error&) { rpc->peer_down(node); });
        rpc->serve(kEcho, [this](RpcRequest request, Rpc::Reply reply) {
            executed.insert(request.bytes);
            reply("echo " + request.bytes);
        });
        rpc->serve(kRefuse, [](RpcRequest, Rpc::Reply reply) {
            reply(Error(ErrorCode::kPreconditionFailed, "no")
                      .with_field("if_match")
                      .with_reason("version")
                      .with_hint("read again")
                      .with("version", 17));
        });
        rpc->serve(kDrop, [](RpcRequest, Rpc::Reply) {});
        rpc->serve(kNever, [this](RpcRequest, Rpc::Reply reply) { kept = std::move(reply); });
        EXPECT_TRUE(transport->start().ok());
    }
    ~Node() {
        rpc->stop();
        executor->stop();
    }
    static std::string address(std::uint32_t number) { return "n" + std::to_string(number) + ":1"; }
    bool up(std::uint32_t node) {
        for (const PeerStats& stats : transport->stats())
            if (stats.node == NodeId(node) && stats.up) return true;
        return false;
    }

    runtime::SimDisk disk;
    std::unique_ptr<runtime::SimRuntime> runtime;
    std::unique_ptr<runtime::Executor> executor;
    std::unique_ptr<PeerTransport> transport;
    std::unique_ptr<Rpc> rpc;
    std::multiset<std::string> executed;
    Rpc::Reply kept;
};

class RpcTest : public ::testing::Test {
protected:
    void begin(const Rpc::Options& options = {}) {
        a_ = std::make_unique<Node>(world_, 1, options);
        b_ = std::make_unique<Node>(world_, 2);
        a_->transport->set_peer(NodeId(2), Node::address(2));
        b_->transport->set_peer(NodeId(1), Node::address(1));
        ASSERT_TRUE(world_.run_until([&] { return a_->up(2) && b_->up(1); }, 10 * kSecondNs));
    }
    Result<std::string> call(RpcMethod method, std::string bytes, std::uint64_t timeout_ms = 1000) {
        auto answer = std::make_shared<std::optional<Result<std::string>>>();
        a_->rpc->call(NodeId(2), method, std::move(bytes), timeout_ms,
                      [answer](Result<std::string> result) {
                          EXPECT_FALSE(answer->has_value()) << "answered twice";
                          answer->emplace(std::move(result));
                      });
        EXPECT_TRUE(world_.run_until([&] { return answer->has_value(); }, 60 * kSecondNs));
        return answer->has_value() ? std::move(**answer) : Error(ErrorCode::kInternal, "nothing");
    }

    runtime::SimWorld world_{11};
    std::unique_ptr<Node> a_, b_;
};

TEST_F(RpcTest, AnswersAndErrorsArriveAsTheyWereGiven) {
    begin();
    const auto answer = call(kEcho, std::string("x\0y", 3));
    ASSERT_TRUE(answer.ok()) << answer.error().to_string();
    EXPECT_EQ(*answer, std::string("echo x\0y", 8));
    const auto refused = call(kRefuse, "");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kPreconditionFailed);
    EXPECT_EQ(refused.error().reason(), "version");
    EXPECT_EQ(refused.error().field(), "if_match");
    EXPECT_EQ(refused.error().to_string(), Error(ErrorCode::kPreconditionFailed, "no")
                                               .with_field("if_match")
                                               .with_hint("read again")
                                               .with("version", 17)
                                               .to_string());
    EXPECT_EQ(call(RpcMethod(99), "").error().reason(), "unknown_method");
    EXPECT_EQ(call(kDrop, "").error().reason(), "dropped");
    EXPECT_EQ(a_->rpc->stats().answered, 4u);
    EXPECT_EQ(a_->rpc->stats().waiting, 0u);
}

TEST_F(RpcTest, SlownessIsAnsweredAndALateAnswerDropped) {
    begin();
    const auto slow = call(kNever, "", 500);
    EXPECT_EQ(slow.error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(slow.error().reason(), "fate_unknown");
    EXPECT_EQ(a_->rpc->stats().answered, 1u) << "the other side said so";
    EXPECT_TRUE(a_->transport->allow_call(NodeId(2)).ok());
    a_->transport->report_call(NodeId(2), true);
    b_->kept(std::string("too late"));
    world_.advance(kSecondNs);
    EXPECT_EQ(a_->rpc->stats().late, 0u) << "and did not answer twice";
}

TEST_F(RpcTest, SilenceEndsCallsAndOpensTheCircuit) {
    begin();
    world_.network().partition("n1", "n2");
    for (int i = 0; i < 5; ++i) {
        const auto lost = call(kEcho, "x", 100);
        EXPECT_EQ(lost.error().code(), ErrorCode::kTimeout);
        EXPECT_EQ(lost.error().reason(), "fate_unknown");
    }
    const auto refused = call(kEcho, "x", 100);
    EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(refused.error().reason(), "not_sent");
    world_.network().heal_all();
    ASSERT_TRUE(world_.run_until([&] { return call(kEcho, "back").ok(); }, 60 * kSecondNs));
}

TEST_F(RpcTest, APeerThatIsLostEndsItsCalls) {
    begin();
    world_.network().partition("n1", "n2");
    const std::uint64_t before_ns = world_.now_ns();
    EXPECT_EQ(call(kEcho, "x", 60'000).error().reason(), "fate_unknown");
    EXPECT_LT(world_.now_ns() - before_ns, 10 * kSecondNs);
    EXPECT_EQ(a_->rpc->stats().lost, 1u);
}

TEST_F(RpcTest, NothingIsSentBeyondTheBound) {
    begin({.waiting_bytes_max = 100});
    a_->rpc->call(NodeId(2), kNever, std::string(90, 'x'), 1000, [](Result<std::string>) {});
    const auto refused = call(kEcho, std::string(20, 'y'));
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(refused.error().reason(), "not_sent");
    world_.advance(2 * kSecondNs);
    EXPECT_TRUE(call(kEcho, std::string(20, 'y')).ok());
}

TEST_F(RpcTest, EveryCallIsDoneAtMostOnceAndAnsweredOnce) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        runtime::SimWorld world(seed);
        Node a(world, 1), b(world, 2);
        a.transport->set_peer(NodeId(2), Node::address(2));
        ASSERT_TRUE(world.run_until([&] { return a.up(2); }, 10 * kSecondNs));
        world.network().set_default_link(
            {.delay_max_ns = 20'000'000, .loss_ppm = 100'000, .duplicate_ppm = 300'000});
        constexpr int kCalls = 200;
        std::map<std::string, int> answered;
        int good = 0;
        for (int i = 0; i < kCalls; ++i) {
            const std::string bytes = std::to_string(i);
            a.rpc->call(NodeId(2), kEcho, bytes, 2000, [&, bytes](Result<std::string> answer) {
                ++answered[bytes];
                const bool executed = b.executed.contains(bytes);
                if (answer.ok()) {
                    ++good;
                    EXPECT_EQ(*answer, "echo " + bytes);
                    EXPECT_TRUE(executed);
                } else if (answer.error().reason() == "not_sent") {
                    EXPECT_FALSE(executed);
                }
            });
            world.advance(5'000'000);
        }
        world.advance(10 * kSecondNs);
        EXPECT_GT(good, kCalls / 4);
        EXPECT_EQ(answered.size(), std::size_t{kCalls});
        for (const auto& [bytes, times] : answered) EXPECT_EQ(times, 1) << bytes;
        for (const auto& bytes : b.executed) EXPECT_EQ(b.executed.count(bytes), 1u) << bytes;
    }
}

RC_GTEST_PROP(RpcMessage, ComesBackAsItWas, (const std::string& bytes)) {
    internal::RpcMessage message;
    message.kind = static_cast<internal::RpcKind>(*rc::gen::inRange(1, 4));
    message.life = *rc::gen::arbitrary<std::uint64_t>();
    message.number = *rc::gen::nonZero<std::uint64_t>();
    if (message.kind == internal::RpcKind::kRequest) {
        message.method = RpcMethod(*rc::gen::arbitrary<std::uint16_t>());
        message.timeout_ms = *rc::gen::arbitrary<std::uint32_t>();
    }
    message.bytes = bytes;
    const std::string encoded = internal::encode_rpc(message);
    const auto decoded = internal::decode_rpc(encoded);
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == message);
}

RC_GTEST_PROP(ErrorCodec, SaysEverythingTheErrorSaid,
              (const std::string& message, const std::string& field, const std::string& hint,
               const std::string& reason,
               const std::vector<std::pair<std::string, std::string>>& context)) {
    const auto& info = error_table()[*rc::gen::inRange<std::size_t>(0, error_table().size())];
    Error error(info.code, message);
    std::move(error).with_field(field).with_hint(hint);
    if (!reason.empty()) std::move(error).with_reason(reason);
    for (const auto& [key, value] : context) error.with(key, value);
    Encoder out;
    encode_error(error, &out);
    Decoder in(out.view());
    const Error decoded = decode_error(&in);
    RC_ASSERT(in.finish("error").ok());
    RC_ASSERT(decoded.code() == error.code());
    RC_ASSERT(decoded.message() == error.message());
    RC_ASSERT(decoded.field() == error.field());
    RC_ASSERT(decoded.hint() == error.hint());
    RC_ASSERT(decoded.reason() == error.reason());
    RC_ASSERT(std::equal(decoded.context().begin(), decoded.context().end(),
                         error.context().begin(), error.context().end()));
}

}  // namespace rpc_test
}  // namespace tidal::cluster
