// Who belongs to a cluster: tokens, joining, leaving, and where leaderships are.
#include <algorithm>

#include "api/internal/cluster_node.h"
#include "api/internal/planted.h"
#include "base/codec.h"
#include "cluster/certificates.h"
#include "cluster/membership.h"
#include "runtime/secret.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kPollNs = 20'000'000;
constexpr std::uint64_t kTokenTtlMsMin = 1'000;
constexpr std::uint64_t kRemoveRetryNs = 100'000'000;
constexpr std::uint64_t kRemoveAgainMs = 1'000;  ///< Worth another try where so much is left.
constexpr std::uint64_t kLeaveTimeoutMs = 60'000;
constexpr std::uint64_t kConfirmLeftMs = 2'000;
constexpr std::uint64_t kHeardOfMs = 5'000;
constexpr std::uint64_t kDrainTimeoutMs = 30'000;
constexpr std::uint64_t kHandOnMs = 3'000;
constexpr std::uint64_t kJoinTimeoutMs = 5'000;
constexpr std::uint64_t kGoodbyeNs = 5'000'000'000;

Error no_such_node(cluster::NodeId node) {
    return Error(ErrorCode::kNotFound, "no such node").with("node", node.value());
}

Error ask_again(std::string_view why) {
    return Error(ErrorCode::kUnavailable, std::string(why));
}

bool goes(const cluster::Member& member) {
    return member.state == cluster::MemberState::kLeaving ||
           member.state == cluster::MemberState::kLeft;
}

/// Of a member's entry that was put: another one came first.
bool was_overtaken(const Result<void>& put) {
    return !put.ok() && (put.error().reason() == "version_exists" ||
                         put.error().reason() == "version_not_newest");
}

}  // namespace

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
    } else if (goes(*own)) {
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

// --- joining ----------------------------------------------------------------------------------

void ClusterNode::create_join_token(std::uint64_t ttl_ms,
                                    absl::AnyInvocable<void(Result<NewJoinToken>)> done) {
    if (ttl_ms < kTokenTtlMsMin || ttl_ms > kTokenTtlMsMax)
        return done(Error(ErrorCode::kInvalidArgument, "a token lives from 1 second to 7 days")
                        .with_field("ttl_ms"));
    retire_expired_tokens();
    auto key = runtime::secret_bytes(cluster::kJoinKeyBytes);
    if (!key.ok()) return done(key.take_error());
    auto hash = cluster::certificate_hash(files_.authority);
    if (!hash.ok()) return done(hash.take_error());
    cluster::JoinToken token;
    token.id = runtime_.random().u64();
    token.key = *key;
    token.cluster_id = database_.identity_.cluster_id;
    token.authority_hash = *hash;
    token.expires_ms = runtime_.clock().wall_ms() + static_cast<UnixMillis>(ttl_ms);
    const cluster::JoinTokenRecord kept{token.id, token.key, token.expires_ms, {}, {}};
    NewJoinToken made{cluster::print_join_token(token), token.id, token.expires_ms};
    database_.put_catalog(
        {record::CatalogKind::kJoinToken, cluster::join_token_name(token.id), 1,
         cluster::print_join_token_record(kept)},
        {}, [made = std::move(made), done = std::move(done)](Result<CatalogReply> put) mutable {
            if (!put.ok()) return done(put.take_error());
            done(std::move(made));
        });
}

void ClusterNode::retire_expired_tokens() {
    const UnixMillis now = runtime_.clock().wall_ms();
    const auto entries = database_.shard(kMetaShard).with_state([](shard::ShardState& state) {
        return state.catalog().entries(record::CatalogKind::kJoinToken);
    });
    for (const shard::CatalogEntry& entry : entries) {
        const auto token = cluster::parse_join_token_record(entry.text);
        if (!token.ok() || token->expires_ms > now) continue;
        database_.put_catalog({entry.kind, entry.name, entry.version, std::nullopt}, {},
                              [](Result<CatalogReply>) {});
    }
}

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
    node_->rpc().serve(
        kTransferMethod, [this](cluster::RpcRequest request, cluster::Rpc::Reply reply) {
            Decoder in(request.bytes);
            const ShardId shard(in.u16());
            const cluster::NodeId to(in.u32());
            if (auto read = in.finish("a transfer"); !read.ok()) return reply(read.take_error());
            node_->groups().transfer(shard, cluster::peer_of(to),
                                     [reply = std::move(reply)](Result<void> begun) mutable {
                                         if (!begun.ok()) return reply(begun.take_error());
                                         reply(std::string());
                                     });
        });
}

void ClusterNode::answer_join(std::string request,
                              absl::AnyInvocable<void(std::string answer)> done) {
    if (database_.shard(kMetaShard).can_propose())
        return answer_join_here(std::move(request), std::move(done));
    const cluster::NodeId leader = router_->leader_of(kMetaShard);
    if (leader == cluster::kNoNode || leader == self_)
        return done(cluster::refuse_join(ask_again("the cluster has no leader just now")));
    node_->rpc().call(leader, kJoinMethod, std::move(request), kJoinTimeoutMs,
                      [done = std::move(done)](Result<std::string> answer) mutable {
                          if (answer.ok()) return done(std::move(*answer));
                          done(cluster::refuse_join(ask_again(answer.error().message())));
                      });
}

/// One request to join on its way through the metadata shard.
struct ClusterNode::Admission {
    std::string bytes;
    cluster::JoinRequest request;
    cluster::JoinTokenRecord token;
    std::uint32_t token_version = 0;
    cluster::Member member;
    absl::AnyInvocable<void(std::string)> done;

    void refuse(const Error& why) { done(cluster::refuse_join(why)); }
};

void ClusterNode::answer_join_here(std::string request,
                                   absl::AnyInvocable<void(std::string)> done) {
    auto admission = std::make_shared<Admission>();
    admission->bytes = std::move(request);
    admission->done = std::move(done);
    auto decoded = cluster::decode_join_request(admission->bytes);
    if (!decoded.ok())
        return admission->refuse(Error(ErrorCode::kUnauthenticated, decoded.error().message()));
    admission->request = std::move(*decoded);
    database_.with_newest_catalog([this, admission](Result<void> fenced) {
        if (!fenced.ok()) return admission->refuse(ask_again(fenced.error().message()));
        if (auto known = check_token(admission.get()); !known.ok())
            return admission->refuse(known.error());
        if (admission->token.used_by != cluster::kNoNode) return accept(*admission);
        admit(admission);
    });
}

Result<void> ClusterNode::check_token(Admission* admission) {
    const cluster::JoinRequest& request = admission->request;
    const std::string name = cluster::join_token_name(request.token_id);
    const auto entries = database_.shard(kMetaShard).with_state([](shard::ShardState& state) {
        return state.catalog().entries(record::CatalogKind::kJoinToken);
    });
    const auto entry = std::ranges::find(entries, name, &shard::CatalogEntry::name);
    const Error unknown(ErrorCode::kUnauthenticated, "the token is unknown or expired");
    if (entry == entries.end()) return Error(unknown);
    TIDAL_ASSIGN(admission->token, cluster::parse_join_token_record(entry->text));
    admission->token_version = entry->version;
    TIDAL_TRY(cluster::check_join_request(admission->bytes, admission->token.key));
    const bool used = admission->token.used_by != cluster::kNoNode;
    if (used && admission->token.nonce != request.nonce)
        return Error(ErrorCode::kConflict, "the token was used by another node");
    if (!used && admission->token.expires_ms <= runtime_.clock().wall_ms()) return Error(unknown);
    return {};
}

/// First the member, then the token: a request that comes again finds the one or both.
void ClusterNode::admit(std::shared_ptr<Admission> admission) {
    const cluster::JoinRequest& request = admission->request;
    cluster::Member& member = admission->member;
    std::vector<cluster::NodeId> ever{self_};
    for (const std::string& name :
         database_.shard(kMetaShard).with_state([](shard::ShardState& state) {
             return state.catalog().names(record::CatalogKind::kMember);
         }))
        if (const auto node = cluster::parse_member_name(name); node.ok()) ever.push_back(*node);
    const auto next = cluster::next_node(ever);
    if (!next.ok()) return admission->refuse(ask_again(next.error().message()));
    member = {*next,
              request.instance_id,
              request.region,
              request.address,
              request.http_address,
              cluster::MemberState::kJoining,
              runtime_.clock().wall_ms()};
    const auto known = members();
    const auto same = std::ranges::find(*known, request.instance_id, &cluster::Member::instance_id);
    const auto use_token = [this, admission](Result<void> put) {
        if (!put.ok()) return admission->refuse(ask_again(put.error().message()));
        cluster::JoinTokenRecord used = admission->token;
        used.used_by = admission->member.node;
        used.nonce = admission->request.nonce;
        database_.put_catalog(
            {record::CatalogKind::kJoinToken, cluster::join_token_name(used.id),
             admission->token_version + 1, cluster::print_join_token_record(used)},
            {}, [this, admission, used](Result<CatalogReply> noted) {
                if (noted.ok()) {
                    admission->token = used;
                    return accept(*admission);
                }
                give_up(admission->member);
                admission->refuse(ask_again(noted.error().message()));
            });
    };
    if (same != known->end()) {
        member = *same;
        return use_token({});
    }
    put_member(member, 0, use_token);
}

/// Another node used the token first: this one's number is gone.
void ClusterNode::give_up(cluster::Member member) {
    std::uint32_t version = 0;
    find_member(member.node, &version);
    member.state = cluster::MemberState::kLeft;
    put_member(member, version, [this](Result<void> put) {
        if (!put.ok()) report("a node that was not let in keeps its number", put.error());
    });
}

void ClusterNode::accept(Admission& admission) {
    const Identity& identity = database_.identity_;
    cluster::JoinAccepted accepted;
    accepted.identity = {identity.cluster_id, admission.token.used_by,
                         admission.request.instance_id, identity.region};
    accepted.secret = identity.secret;
    accepted.shards = identity.shards;
    accepted.replicas = static_cast<std::uint16_t>(cluster::kVotersMax);
    accepted.authority = files_.authority;
    accepted.authority_key = files_.authority_key;
    accepted.peers.push_back({self_, peer_address()});
    for (const auto known = members(); const cluster::Member& member : *known)
        if (member.node != self_ && member.node != admission.token.used_by &&
            member.state != cluster::MemberState::kLeft)
            accepted.peers.push_back({member.node, member.peer_address});
    auto certificate = cluster::issue_certificate({files_.authority_key, files_.authority},
                                                  admission.request.public_key, accepted.identity,
                                                  runtime_.clock().wall_ms());
    if (!certificate.ok()) return admission.refuse(ask_again(certificate.error().message()));
    accepted.certificate = std::move(*certificate);
    auto sealed = cluster::seal_join_answer(accepted, admission.bytes, admission.token.key);
    if (!sealed.ok()) return admission.refuse(ask_again(sealed.error().message()));
    admission.done(std::move(*sealed));
}

// --- leaving ----------------------------------------------------------------------------------

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
        node_->executor().post_after(kRemoveRetryNs,
                                     [this, node, deadline_ns, done = std::move(done)]() mutable {
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
        if (goes(*member)) return wait_until_left(node, deadline_ns, std::move(done));
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
                return (known && goes(*known)) || check_removable(node).ok();
            },
            std::min(deadline_in(kHeardOfMs), deadline_ns), now.take_error(), std::move(removable));
    });
}

/// By the member's entry as it is now: another request, or the node itself, may have been first.
void ClusterNode::begin_to_leave(cluster::NodeId node, std::uint64_t deadline_ns, Done done) {
    std::uint32_t version = 0;
    auto member = find_member(node, &version);
    if (!member) return done(no_such_node(node));
    if (goes(*member)) return wait_until_left(node, deadline_ns, std::move(done));
    member->state = cluster::MemberState::kLeaving;
    put_member(*member, version,
               [this, node, deadline_ns, done = std::move(done)](Result<void> put) mutable {
                   if (was_overtaken(put) && runtime_.clock().monotonic_ns() < deadline_ns)
                       return remove_here(node, deadline_ns, std::move(done));
                   if (!put.ok()) return done(std::move(put));
                   wait_until_left(node, deadline_ns, std::move(done));
               });
}

void ClusterNode::wait_until_left(cluster::NodeId node, std::uint64_t deadline_ns, Done done) {
    wait_until(
        [this, node] {
            const auto now = find_member(node);
            return now && now->state == cluster::MemberState::kLeft;
        },
        deadline_ns,
        Error(ErrorCode::kTimeout, "not every shard goes on without the node yet")
            .with("node", node.value())
            .with_hint("it goes on leaving; see /cluster/shards"),
        std::move(done));
}

void ClusterNode::leave(Done done) {
    drain([this, done = std::move(done)](Result<void> drained) mutable {
        if (!drained.ok()) return done(std::move(drained));
        remove_node(self_, std::move(done));
    });
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
    auto begun = [this, shard, to, done = std::move(done)](Result<void> result) mutable {
        if (!result.ok()) return done(std::move(result));
        wait_until(
            [this, shard, to] { return router_->leader_of(shard) == to; }, deadline_in(kTimeoutMs),
            Error(ErrorCode::kTimeout, "the node did not take over in time"), std::move(done));
    };
    if (leader == self_)
        return node_->groups().transfer(shard, cluster::peer_of(to), std::move(begun));
    Encoder request;
    request.u16(shard.value());
    request.u32(to.value());
    node_->rpc().call(leader, kTransferMethod, request.take(), kTimeoutMs,
                      [begun = std::move(begun)](Result<std::string> answer) mutable {
                          begun(answer.ok() ? Result<void>() : Result<void>(answer.take_error()));
                      });
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
