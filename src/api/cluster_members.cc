// Who belongs to a cluster, what its nodes ask of one another, and where leaderships are.
#include <algorithm>

#include "api/internal/cluster_node.h"
#include "base/codec.h"
#include "cluster/membership.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kPollNs = 20'000'000;
constexpr std::uint64_t kDrainTimeoutMs = 30'000;
constexpr std::uint64_t kHandOnMs = 3'000;

}  // namespace

bool was_overtaken(const Error& put) {
    return put.reason() == "version_exists" || put.reason() == "version_not_newest";
}

// --- members ----------------------------------------------------------------------------------

std::shared_ptr<const std::vector<cluster::Member>> ClusterNode::members() const {
    const std::lock_guard lock(mutex_);
    return members_;
}

std::optional<cluster::Member> ClusterNode::find_member(cluster::NodeId node,
                                                        std::uint32_t* version) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(*members_, node, &cluster::Member::node);
    if (found == members_->end()) return std::nullopt;
    if (version != nullptr) *version = member_versions_.at(node);
    return *found;
}

std::string ClusterNode::http_of(cluster::NodeId node) const {
    if (node == self_) return options_.http_address;
    const auto member = find_member(node);
    return member ? member->http_address : "";
}

void ClusterNode::take_members(const std::vector<shard::CatalogEntry>& entries) {
    auto members = std::make_shared<std::vector<cluster::Member>>();
    std::map<cluster::NodeId, std::uint32_t> versions;
    for (const shard::CatalogEntry& entry : entries) {
        if (entry.kind != record::CatalogKind::kMember) continue;
        auto member = cluster::parse_member(entry.text);
        if (!member.ok()) {
            report("a member's entry cannot be read", member.error());
            continue;
        }
        versions[member->node] = entry.version;
        members->push_back(std::move(*member));
    }
    std::ranges::sort(*members, {}, &cluster::Member::node);
    {
        const std::lock_guard lock(mutex_);
        members_ = members;
        member_versions_ = std::move(versions);
    }
    if (node_ == nullptr) return;
    node_->executor().post([this, members] {
        for (const cluster::Member& member : *members)
            if (member.node != self_ && member.state != cluster::MemberState::kLeft)
                node_->peers().set_peer(member.node, member.peer_address);
    });
}

void ClusterNode::put_member(const cluster::Member& member, std::uint32_t after, Done done) {
    if (auto checked = cluster::check_member(member); !checked.ok())
        return done(std::move(checked));
    database_.put_catalog({record::CatalogKind::kMember, cluster::member_name(member.node),
                           after + 1, cluster::print_member(member)},
                          {}, [done = std::move(done)](Result<CatalogReply> put) mutable {
                              done(put.ok() ? Result<void>() : Result<void>(put.take_error()));
                          });
}

/// This node's own entry: the first node's is made here, and all say where they are now.
void ClusterNode::announce() {
    if (!database_.ready_) return;
    std::uint32_t version = 0;
    auto own = find_member(self_, &version);
    if (!own) {
        if (self_ != cluster::NodeId(1)) return;
        own.emplace();
        own->node = self_;
        own->instance_id = database_.identity_.instance_id;
        own->region = database_.identity_.region;
        own->joined_ms = runtime_.clock().wall_ms();
    } else if (own->goes()) {
        return;
    }
    const cluster::Member before = *own;
    own->state = cluster::MemberState::kActive;
    own->peer_address = peer_address();
    own->http_address = options_.http_address;
    if (*own == before || announcing_.exchange(true)) return;
    put_member(*own, version, [this](Result<void> put) {
        if (!put.ok()) report("this node's addresses are not announced yet", put.error());
        announcing_ = false;
    });
}

/// As the replica here has it; of a configuration that is not committed nobody knows whether it
/// will hold.
bool ClusterNode::may_be_in(ShardId shard, cluster::NodeId node) const {
    const auto status = node_->groups().status(shard);
    return status.ok() && (status->raft.configuration_index > status->raft.commit ||
                           status->raft.configuration.contains(cluster::peer_of(node)));
}

bool ClusterNode::in_data_group(cluster::NodeId node) const {
    return std::ranges::any_of(replicas_, [&](const auto& replica) {
        return replica->key().shard != kMetaShard && may_be_in(replica->key().shard, node);
    });
}

bool ClusterNode::in_any_group(cluster::NodeId node) const {
    return may_be_in(kMetaShard, node) || in_data_group(node);
}

/// The metadata group is left last: who leads another one has to hear that it is to hand it on. Out
/// of it, a node that leaves is not let in again.
std::optional<raft::Members> ClusterNode::wanted_members(ShardId shard,
                                                         const raft::Status& status) const {
    const auto known = members();
    if (known->empty()) return std::nullopt;
    auto wanted = cluster::nodes_wanted(*known);
    if (shard == kMetaShard)
        for (const cluster::Member& member : *known)
            if (member.state == cluster::MemberState::kLeaving &&
                status.configuration.contains(cluster::peer_of(member.node)) &&
                in_data_group(member.node))
                wanted.insert(member.node);
    return cluster::next_members(status, wanted);
}

bool ClusterNode::may_lead(cluster::NodeId node) const {
    const auto member = find_member(node);
    return member && member->state == cluster::MemberState::kActive;
}

bool ClusterNode::leaving() const {
    const auto own = find_member(self_);
    return own && own->state == cluster::MemberState::kLeaving;
}

// --- calls of other nodes -----------------------------------------------------------------------

void ClusterNode::serve_calls() {
    node_->peers().set_on_join(
        [this](std::string request, cluster::PeerTransport::JoinAnswered answer) {
            answer_join(std::move(request), std::move(answer));
        });
    node_->rpc().serve(kJoinMethod, [this](cluster::RpcRequest request, cluster::Rpc::Reply reply) {
        if (!database_.shard(kMetaShard).can_propose())
            return reply(Error(ErrorCode::kUnavailable, "this node does not lead the shard")
                             .with_reason("not_leader"));
        answer_join_here(
            std::move(request.bytes),
            [reply = std::move(reply)](std::string answer) mutable { reply(std::move(answer)); });
    });
    node_->rpc().serve(
        kRemoveMethod, [this](cluster::RpcRequest request, cluster::Rpc::Reply reply) {
            Decoder in(request.bytes);
            const cluster::NodeId node(in.u32());
            if (auto read = in.finish("a removal"); !read.ok()) return reply(read.take_error());
            if (!database_.shard(kMetaShard).can_propose())
                return reply(Error(ErrorCode::kUnavailable, "this node does not lead the shard")
                                 .with_reason("not_leader"));
            remove_here(node, deadline_in(request.timeout_ms * 9 / 10),
                        [reply = std::move(reply)](Result<void> removed) mutable {
                            if (!removed.ok()) return reply(removed.take_error());
                            reply(std::string());
                        });
        });
    serve_transfers();
}

// --- leaderships ----------------------------------------------------------------------------

void ClusterNode::wait_until(std::function<bool()> holds, std::uint64_t deadline_ns, Error late,
                             Done done) {
    if (holds()) return done({});
    if (runtime_.clock().monotonic_ns() >= deadline_ns) return done(std::move(late));
    database_.executors_.front()->post_after(
        kPollNs, [this, holds = std::move(holds), deadline_ns, late = std::move(late),
                  done = std::move(done)]() mutable {
            wait_until(std::move(holds), deadline_ns, std::move(late), std::move(done));
        });
}

std::uint64_t ClusterNode::deadline_in(std::uint64_t ms) const {
    return runtime_.clock().monotonic_ns() + ms * 1'000'000;
}

bool ClusterNode::leads_any() {
    return std::ranges::any_of(database_.shards_,
                               [](const auto& shard) { return shard->role().leads; });
}

void ClusterNode::drain(Done done) {
    for (const auto& replica : replicas_) {
        const auto status = node_->groups().status(replica->key().shard);
        if (status.ok() && status->raft.role == raft::Role::kLeader &&
            status->raft.configuration.voters.size() < 2)
            return done(Error(ErrorCode::kConflict, "no other node could lead a shard")
                            .with_reason("no_other_voter")
                            .with("shard", replica->key().shard.value()));
    }
    draining_ = true;
    reconciler_->poke();
    wait_until([this] { return !leads_any(); }, deadline_in(kDrainTimeoutMs),
               Error(ErrorCode::kTimeout, "this node still leads a shard")
                   .with_hint("the other voters may be down or behind: see /cluster/shards"),
               std::move(done));
}

/// Somebody who answers could take over something that is led here.
bool ClusterNode::could_hand_on() {
    return std::ranges::any_of(replicas_, [&](const auto& replica) {
        const auto status = node_->groups().status(replica->key().shard);
        return status.ok() && status->raft.role == raft::Role::kLeader &&
               std::ranges::any_of(status->raft.peers, [&](const raft::PeerStatus& peer) {
                   return peer.active && status->raft.configuration.is_voter(peer.peer);
               });
    });
}

void ClusterNode::hand_on_before_stop(absl::AnyInvocable<void()> done) {
    draining_ = true;
    router_->stop();
    reconciler_->poke();
    wait_until([this] { return !could_hand_on(); }, deadline_in(kHandOnMs),
               Error(ErrorCode::kTimeout, "not handed on"),
               [done = std::move(done)](Result<void>) mutable { done(); });
}

void ClusterNode::undrain() {
    draining_ = false;
}

NodeStatus ClusterNode::describe(const cluster::Member& member) {
    NodeStatus status;
    status.node = member.node;
    status.peer_address = member.peer_address;
    status.http_address = member.http_address;
    status.instance_id = member.instance_id;
    status.state = cluster::member_state_name(member.state);
    status.joined_ms = member.joined_ms;
    return status;
}

}  // namespace tidal::api
