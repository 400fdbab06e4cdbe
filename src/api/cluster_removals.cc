// Nodes that leave a cluster, by themselves or because somebody says so.
#include <algorithm>

#include "api/internal/cluster_node.h"
#include "api/internal/planted.h"
#include "base/codec.h"
#include "cluster/membership.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kRemoveRetryNs = 100'000'000;
constexpr std::uint64_t kRemoveAgainMs = 1'000;  ///< Worth another try where so much is left.
constexpr std::uint64_t kLeaveTimeoutMs = 60'000;
constexpr std::uint64_t kConfirmLeftMs = 2'000;
constexpr std::uint64_t kHeardOfMs = 5'000;
constexpr std::uint64_t kGoodbyeNs = 5'000'000'000;

Error no_such_node(cluster::NodeId node) {
    return Error(ErrorCode::kNotFound, "no such node").with("node", node.value());
}

}  // namespace

void ClusterNode::leave(Done done) {
    drain([this, done = std::move(done)](Result<void> drained) mutable {
        if (!drained.ok()) return done(std::move(drained));
        remove_node(self_, std::move(done));
    });
}

/// Each group goes on without the node: a majority of its other voters is heard of.
Result<void> ClusterNode::check_removable(cluster::NodeId node) {
    const auto peers = node_->peers().stats();
    const auto up = [&](raft::PeerId peer) {
        return peer == cluster::peer_of(self_) ||
               std::ranges::any_of(peers, [&](const cluster::PeerStats& each) {
                   return each.up && cluster::peer_of(each.node) == peer;
               });
    };
    for (const auto& replica : replicas_) {
        const auto status = node_->groups().status(replica->key().shard);
        if (!status.ok()) continue;
        auto rest = status->raft.configuration.voters;
        std::erase(rest, cluster::peer_of(node));
        if (rest.empty())
            return Error(ErrorCode::kConflict, "it is the only voter of a shard")
                .with_reason("last_node")
                .with("shard", replica->key().shard.value());
        if (static_cast<std::size_t>(std::ranges::count_if(rest, up)) * 2 <= rest.size())
            return Error(ErrorCode::kConflict, "without it a shard would have no majority")
                .with_reason("majority_at_risk")
                .with("shard", replica->key().shard.value())
                .with_hint("start the other nodes first");
    }
    return {};
}

/// By the metadata shard's leader: a node that goes is itself told no more once it is out. Asked
/// twice is as asked once, so while a new leader is being found it is asked again, and where nobody
/// knows what became of the call.
void ClusterNode::remove_node(cluster::NodeId node, Done done) {
    try_to_remove(node, deadline_in(kLeaveTimeoutMs), std::move(done));
}

void ClusterNode::try_to_remove(cluster::NodeId node, std::uint64_t deadline_ns, Done done) {
    Done or_again = [this, node, deadline_ns, done = std::move(done)](Result<void> tried) mutable {
        const bool again = !tried.ok() && !stopped_ &&
                           (tried.error().code() == ErrorCode::kUnavailable ||
                            tried.error().reason() == "fate_unknown") &&
                           deadline_in(kRemoveAgainMs) + kRemoveRetryNs < deadline_ns;
        if (!again) return done(std::move(tried));
        database_.executors_.front()->post_after(
            kRemoveRetryNs, [this, node, deadline_ns, done = std::move(done)]() mutable {
                try_to_remove(node, deadline_ns, std::move(done));
            });
    };
    const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
    const std::uint64_t left_ms = (std::max(deadline_ns, now_ns) - now_ns) / 1'000'000;
    if (database_.shard(kMetaShard).can_propose())
        return remove_here(node, deadline_in(left_ms * 9 / 10), std::move(or_again));
    const cluster::NodeId leader = router_->leader_of(kMetaShard);
    if (leader == cluster::kNoNode || leader == self_)
        return or_again(Error(ErrorCode::kUnavailable, "the cluster has no leader just now")
                            .with_reason("no_leader")
                            .with_hint("retry"));
    Encoder request;
    request.u32(node.value());
    node_->rpc().call(leader, kRemoveMethod, request.take(), left_ms,
                      [done = std::move(or_again)](Result<std::string> answer) mutable {
                          done(answer.ok() ? Result<void>() : Result<void>(answer.take_error()));
                      });
}

/// Of a node that goes already, only that it is out is awaited: whether it may go was decided.
void ClusterNode::remove_here(cluster::NodeId node, std::uint64_t deadline_ns, Done done) {
    database_.with_newest_catalog([this, node, deadline_ns,
                                   done = std::move(done)](Result<void> fenced) mutable {
        if (!fenced.ok()) return done(std::move(fenced));
        const auto member = find_member(node);
        if (!member) return done(no_such_node(node));
        if (member->goes()) return wait_until_left(node, deadline_ns, std::move(done));
        Done removable = [this, node, deadline_ns,
                          done = std::move(done)](Result<void> checked) mutable {
            if (!checked.ok()) return done(std::move(checked));
            begin_to_leave(node, deadline_ns, std::move(done));
        };
        Result<void> now = check_removable(node);
        if (now.ok()) return removable({});
        // Who has only just come back is not heard of yet.
        wait_until(
            [this, node] {
                const auto known = find_member(node);
                return (known && known->goes()) || check_removable(node).ok();
            },
            std::min(deadline_in(kHeardOfMs), deadline_ns), now.take_error(), std::move(removable));
    });
}

/// By the member's entry as it is now: another request, or the node itself, may have been first.
void ClusterNode::begin_to_leave(cluster::NodeId node, std::uint64_t deadline_ns, Done done) {
    std::uint32_t version = 0;
    auto member = find_member(node, &version);
    if (!member) return done(no_such_node(node));
    if (member->goes()) return wait_until_left(node, deadline_ns, std::move(done));
    member->state = cluster::MemberState::kLeaving;
    put_member(*member, version,
               [this, node, deadline_ns, done = std::move(done)](Result<void> put) mutable {
                   if (put.ok()) return wait_until_left(node, deadline_ns, std::move(done));
                   const bool look_again =
                       was_overtaken(put.error()) || put.error().code() == ErrorCode::kTimeout;
                   if (!look_again || runtime_.clock().monotonic_ns() >= deadline_ns)
                       return done(std::move(put));
                   remove_here(node, deadline_ns, std::move(done));
               });
}

/// Or until another leads the metadata shard, who is asked then: this node may be the one that
/// goes.
void ClusterNode::wait_until_left(cluster::NodeId node, std::uint64_t deadline_ns, Done done) {
    const auto left = [this, node] {
        const auto now = find_member(node);
        return now && now->state == cluster::MemberState::kLeft;
    };
    wait_until([this, left] { return left() || !database_.shard(kMetaShard).can_propose(); },
               deadline_ns,
               Error(ErrorCode::kTimeout, "not every shard goes on without the node yet")
                   .with("node", node.value())
                   .with_hint("it goes on leaving; see /cluster/shards"),
               [left, done = std::move(done)](Result<void> waited) mutable {
                   if (!waited.ok() || left()) return done(std::move(waited));
                   done(Error(ErrorCode::kUnavailable, "this node does not lead the shard any more")
                            .with_reason("not_leader"));
               });
}

/// Who left all groups has left; who has left is no peer any more.
void ClusterNode::settle_leaving() {
    for (const auto known = members(); const cluster::Member& member : *known) {
        if (member.state == cluster::MemberState::kLeft && member.node != self_ &&
            !in_any_group(member.node))
            forget_peer(member.node);
        if (member.state != cluster::MemberState::kLeaving || in_any_group(member.node) ||
            !database_.shard(kMetaShard).can_propose() || settling_.exchange(true))
            continue;
        confirm_left(member.node);
    }
}

/// The replicas here may lag behind their groups, in which the node is by now: asked first is how
/// far those are. None lets it in from then on (Reconciler::change_members).
void ClusterNode::confirm_left(cluster::NodeId node) {
    std::vector<ShardId> all;
    for (const auto& replica : replicas_) all.push_back(replica->key().shard);
    fences_->pass({}, std::move(all), kConfirmLeftMs, [this, node](Result<FenceReply> passed) {
        std::uint32_t version = 0;
        auto member = find_member(node, &version);
        if (!passed.ok() || in_any_group(node) || !member ||
            member->state != cluster::MemberState::kLeaving) {
            settling_ = false;
            return;
        }
        member->state = cluster::MemberState::kLeft;
        put_member(*member, version, [this](Result<void> put) {
            if (!put.ok()) report("a node that left is not noted yet", put.error());
            settling_ = false;
        });
    });
}

/// After a while, so that it hears that it has left.
void ClusterNode::forget_peer(cluster::NodeId node) {
    const std::lock_guard lock(mutex_);
    if (!leaving_peers_.insert(node).second || planted(Bug::kLetInAgain)) return;
    node_->executor().post_after(kGoodbyeNs, [this, node] { node_->peers().remove_peer(node); });
}

}  // namespace tidal::api
