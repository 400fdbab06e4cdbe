// A shard's leadership goes to the node that is asked for: its leader hands it over to whoever
// answers and has its log, and says what is missing otherwise.
#include <algorithm>

#include "api/internal/cluster_node.h"
#include "base/codec.h"
#include "cluster/membership.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kHandOverPollNs = 20'000'000;
/// Writes wait for a node that takes over until it has the whole log: one that lacks more entries
/// than this is waited for before it is asked to.
constexpr std::uint64_t kBehindMax = 64 << 10;
/// After an attempt, for writes.
constexpr std::uint64_t kAgainNs = 500'000'000;

}  // namespace

struct ClusterNode::HandOver {
    ShardId shard;
    cluster::NodeId to;
    std::uint64_t deadline_ns = 0;
    Done done;
    std::uint64_t next_try_ns = 0;
    std::uint64_t behind = 0;  ///< Entries that it lacked when last looked at.
};

void ClusterNode::serve_transfers() {
    node_->rpc().serve(
        kTransferMethod, [this](cluster::RpcRequest request, cluster::Rpc::Reply reply) {
            Decoder in(request.bytes);
            const ShardId shard(in.u16());
            const cluster::NodeId to(in.u32());
            if (auto read = in.finish("a transfer"); !read.ok()) return reply(read.take_error());
            begin_to_hand_over(shard, to, deadline_in(request.timeout_ms * 9 / 10),
                               [reply = std::move(reply)](Result<void> handed) mutable {
                                   if (!handed.ok()) return reply(handed.take_error());
                                   reply(std::string());
                               });
        });
}

void ClusterNode::transfer(ShardId shard, cluster::NodeId to, Done done) {
    if (shard.value() >= replicas_.size())
        return done(Error(ErrorCode::kNotFound, "no such shard").with("shard", shard.value()));
    const auto status = node_->groups().status(shard);
    if (status.ok() && !status->raft.configuration.is_voter(cluster::peer_of(to)))
        return done(Error(ErrorCode::kInvalidArgument, "the node is no voter of the shard")
                        .with_field("to")
                        .with("node", to.value()));
    const cluster::NodeId leader = router_->leader_of(shard);
    if (leader == to) return done({});
    if (leader == cluster::kNoNode)
        return done(Error(ErrorCode::kUnavailable, "the shard has no leader just now")
                        .with_reason("no_leader"));
    const std::uint64_t deadline_ns = deadline_in(kTimeoutMs);
    if (leader == self_) return begin_to_hand_over(shard, to, deadline_ns, std::move(done));
    auto seen = [this, shard, to, deadline_ns,
                 done = std::move(done)](Result<std::string> answer) mutable {
        if (!answer.ok()) return done(answer.take_error());
        wait_until([this, shard, to] { return router_->leader_of(shard) == to; }, deadline_ns,
                   Error(ErrorCode::kTimeout, "the node did not take over in time"),
                   std::move(done));
    };
    Encoder request;
    request.u16(shard.value());
    request.u32(to.value());
    node_->rpc().call(leader, kTransferMethod, request.take(), kTimeoutMs, std::move(seen));
}

void ClusterNode::begin_to_hand_over(ShardId shard, cluster::NodeId to, std::uint64_t deadline_ns,
                                     Done done) {
    auto run = std::make_shared<HandOver>(HandOver{shard, to, deadline_ns, std::move(done)});
    database_.executors_.front()->post([this, run] { hand_over(run); });
}

/// Once more, after a while.
void ClusterNode::hand_over_later(const std::shared_ptr<HandOver>& run) {
    if (runtime_.clock().monotonic_ns() < run->deadline_ns) {
        database_.executors_.front()->post_after(kHandOverPollNs, [this, run] { hand_over(run); });
        return;
    }
    if (run->behind == 0)
        return run->done(Error(ErrorCode::kTimeout, "the node did not take over in time"));
    run->done(Error(ErrorCode::kUnavailable, "the node lacks too much of the shard's log to lead")
                  .with_reason("target_behind")
                  .with("node", run->to.value())
                  .with("entries_behind", run->behind)
                  .with_hint("GET /cluster/shards of the leader shows how far it is"));
}

void ClusterNode::hand_over(const std::shared_ptr<HandOver>& run) {
    const auto group = node_->groups().status(run->shard);
    if (!group.ok()) return run->done(Error(group.error()));
    const raft::Status& raft = group->raft;
    if (raft.role != raft::Role::kLeader) return hand_over_elsewhere(run);
    const raft::PeerId peer = cluster::peer_of(run->to);
    if (raft.transferee == peer) {
        run->next_try_ns = runtime_.clock().monotonic_ns() + kAgainNs;
        return hand_over_later(run);
    }
    const auto target = std::ranges::find(raft.peers, peer, &raft::PeerStatus::peer);
    const LogIndex has = target == raft.peers.end() ? LogIndex() : target->match;
    run->behind = raft.last.value() - std::min(has, raft.last).value();
    const auto peers = node_->peers().stats();
    const bool up = std::ranges::any_of(
        peers, [&](const auto& each) { return each.node == run->to && each.up; });
    if (!up)
        return run->done(Error(ErrorCode::kUnavailable, "the node does not answer who leads")
                             .with_reason("target_down")
                             .with("node", run->to.value())
                             .with("leader", self_.value())
                             .with("entries_behind", run->behind));
    // Of who gets a snapshot nobody knows how long that takes.
    const bool near = run->behind <= kBehindMax && target != raft.peers.end() &&
                      target->flow == raft::Flow::kReplicate;
    if (!near || runtime_.clock().monotonic_ns() < run->next_try_ns) return hand_over_later(run);
    node_->groups().transfer(run->shard, peer, [this, run](Result<void> begun) {
        database_.executors_.front()->post([this, run, begun = std::move(begun)]() mutable {
            if (begun.ok()) run->next_try_ns = runtime_.clock().monotonic_ns() + kAgainNs;
            const bool passes = begun.ok() || begun.error().reason() == "not_leader" ||
                                begun.error().reason() == "transfer_under_way" ||
                                begun.error().code() == ErrorCode::kOverloaded;
            if (!passes) return run->done(std::move(begun));
            hand_over_later(run);
        });
    });
}

/// This node leads no more: as was asked for, or by chance.
void ClusterNode::hand_over_elsewhere(const std::shared_ptr<HandOver>& run) {
    const cluster::NodeId leader = router_->leader_of(run->shard);
    if (leader == run->to) return run->done({});
    if (leader == cluster::kNoNode || leader == self_) return hand_over_later(run);
    run->done(Error(ErrorCode::kUnavailable, "another node leads the shard by now")
                  .with_reason("not_leader")
                  .with("leader", leader.value())
                  .with_hint("ask again"));
}

}  // namespace tidal::api
