// Tokens, and nodes that join with them.
#include <algorithm>

#include "api/internal/cluster_node.h"
#include "base/codec.h"
#include "cluster/certificates.h"
#include "cluster/membership.h"
#include "runtime/secret.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kTokenTtlMsMin = 1'000;
constexpr std::uint64_t kJoinTimeoutMs = 5'000;

Error ask_again(std::string_view why) {
    return Error(ErrorCode::kUnavailable, std::string(why));
}

}  // namespace

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
    if (same != known->end()) {
        member = *same;
        return use_token(admission);
    }
    put_member(member, 0, [this, admission](Result<void> put) {
        if (!put.ok()) return admission->refuse(ask_again(put.error().message()));
        use_token(admission);
    });
}

void ClusterNode::use_token(std::shared_ptr<Admission> admission) {
    cluster::JoinTokenRecord used = admission->token;
    used.used_by = admission->member.node;
    used.nonce = admission->request.nonce;
    database_.put_catalog({record::CatalogKind::kJoinToken, cluster::join_token_name(used.id),
                           admission->token_version + 1, cluster::print_join_token_record(used)},
                          {}, [this, admission, used](Result<CatalogReply> noted) {
                              if (noted.ok()) {
                                  admission->token = used;
                                  return accept(*admission);
                              }
                              if (was_overtaken(noted.error())) return look_who_used(admission);
                              // What became of it, the request that comes again finds.
                              admission->refuse(ask_again(noted.error().message()));
                          });
}

/// This request, sent twice, or another node's.
void ClusterNode::look_who_used(std::shared_ptr<Admission> admission) {
    database_.with_newest_catalog([this, admission](Result<void> fenced) {
        if (!fenced.ok()) return admission->refuse(ask_again(fenced.error().message()));
        const auto known = check_token(admission.get());
        if (known.ok() && admission->token.used_by != cluster::kNoNode) return accept(*admission);
        if (known.ok()) return admission->refuse(ask_again("the token changed"));
        if (known.error().code() == ErrorCode::kConflict) give_up(admission->member);
        admission->refuse(known.error());
    });
}

/// Another node used the token: the number that was meant for this one is gone.
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

}  // namespace tidal::api
