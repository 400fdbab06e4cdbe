#include "api/internal/router.h"

#include <algorithm>
#include <charconv>

#include "api/database.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kBackoffNsMin = 10'000'000;
constexpr std::uint64_t kBackoffNsMax = 200'000'000;
constexpr std::uint32_t kHintsInARow = 2;

/// Who leads, by a refusal's word; kNoNode = it does not say.
cluster::NodeId leader_named(const Error& error) {
    for (const auto& [key, value] : error.context()) {
        if (key != "leader") continue;
        std::uint32_t node = 0;
        std::from_chars(value.data(), value.data() + value.size(), node);
        return cluster::NodeId(node);
    }
    return cluster::kNoNode;
}

Error no_leader(ShardId shard) {
    return Error(ErrorCode::kUnavailable, "no leader took the write in time; nothing was written")
        .with_reason("no_leader")
        .with("shard", shard.value())
        .with_hint("retry");
}

Error fate_unknown(ShardId shard) {
    return Error(ErrorCode::kTimeout, "the write was not acknowledged in time; it may survive")
        .with("shard", shard.value())
        .with_hint("read before you write again, or use an Idempotency-Key");
}

}  // namespace

struct Router::Call {
    Proposal proposal;
    std::string bytes;  ///< Encoded, once it was forwarded.
    std::uint64_t deadline_ns = 0;
    std::uint64_t backoff_ns = kBackoffNsMin;
    cluster::NodeId asked, hint;
    std::uint32_t hints = 0;  ///< Followed in a row.
    bool open_fate = false;   ///< An earlier attempt may have been appended.
    Done done;
};

Router::Router(Database& database, runtime::Runtime& runtime, cluster::Node& node,
               cluster::NodeId self)
    : database_(database), runtime_(runtime), node_(node), self_(self) {}

void Router::serve() {
    node_.rpc().serve(kProposeMethod, [weak = weak_from_this()](cluster::RpcRequest request,
                                                                cluster::Rpc::Reply reply) {
        if (const auto self = weak.lock()) self->serve_one(std::move(request), std::move(reply));
    });
}

cluster::NodeId Router::leader_of(ShardId shard) {
    const auto role = database_.shard(shard).role();
    return role.leads ? self_ : cluster::NodeId(static_cast<std::uint32_t>(role.leader));
}

Result<void> Router::may_propose_here(const Proposal& proposal) {
    shard::Shard& shard = database_.shard(proposal.shard);
    if (!shard.can_propose()) {
        const auto role = shard.role();
        Error error(ErrorCode::kUnavailable, "this node does not lead the shard");
        if (role.leader != 0) error.with("leader", role.leader);
        return std::move(error).with_reason("not_leader");
    }
    SchemaVersion needed{0};
    for (const record::Record& record : proposal.records)
        needed = std::max(needed, record.envelope.schema_version);
    if (const auto has = shard.declared(); has.configured && has.version() >= needed) return {};
    return Error(ErrorCode::kUnavailable, "the shard has yet to learn a schema")
        .with_reason("behind");
}

void Router::route(Proposal proposal, std::uint64_t timeout_ms, Done done) {
    auto call = std::make_shared<Call>();
    call->proposal = std::move(proposal);
    call->deadline_ns = runtime_.clock().monotonic_ns() + timeout_ms * 1'000'000;
    call->done = std::move(done);
    attempt(call);
}

runtime::Executor& Router::executor_of(const Call& call) {
    return database_.executor_of(call.proposal.shard);
}

void Router::attempt(const CallPtr& call) {
    if (stopped_)
        return call->done(call->open_fate
                              ? fate_unknown(call->proposal.shard)
                              : Error(ErrorCode::kUnavailable, "the node is shutting down")
                                    .with_reason("shutting_down"));
    const cluster::NodeId known = leader_of(call->proposal.shard);
    const cluster::NodeId to = call->hint != cluster::kNoNode ? call->hint : known;
    call->hint = cluster::kNoNode;
    call->asked = to;
    if (to == self_) return propose_here(call);
    if (to == cluster::kNoNode) return later(call, no_leader(call->proposal.shard));
    forward(call, to);
}

void Router::propose_here(const CallPtr& call) {
    ++local_;
    const std::uint64_t now = runtime_.clock().monotonic_ns();
    const std::uint64_t left_ms =
        call->deadline_ns > now ? (call->deadline_ns - now) / 1'000'000 : 0;
    database_.propose_here(call->proposal, left_ms,
                           [self = shared_from_this(), call](auto outcomes) {
                               self->answered(call, std::move(outcomes));
                           });
}

void Router::forward(const CallPtr& call, cluster::NodeId to) {
    ++forwarded_;
    if (call->bytes.empty()) call->bytes = encode_proposal(call->proposal);
    const std::uint64_t now = runtime_.clock().monotonic_ns();
    const std::uint64_t left_ms =
        call->deadline_ns > now ? (call->deadline_ns - now) / 1'000'000 : 0;
    node_.rpc().call(to, kProposeMethod, call->bytes, left_ms,
                     [self = shared_from_this(), call](Result<std::string> answer) {
                         self->hear(call, std::move(answer));
                     });
}

/// Answers come on the loop of consensus; who hears of them may enter a shard. At the stop they
/// come on the thread that stops, and executors drop what they are given from then on.
void Router::hear(const CallPtr& call, Result<std::string> answer) {
    auto pass_on = [self = shared_from_this(), call, answer = std::move(answer)]() mutable {
        if (!answer.ok()) return self->answered(call, answer.take_error());
        self->answered(call, decode_outcomes(*answer));
    };
    if (stopped_) return pass_on();
    executor_of(*call).post(std::move(pass_on));
}

void Router::answered(const CallPtr& call, Result<std::vector<shard::Outcome>> outcomes) {
    if (outcomes.ok()) {
        if (outcomes->size() == call->proposal.records.size())
            return call->done(std::move(outcomes));
        return call->done(Error(ErrorCode::kInternal, "a leader answered for other writes"));
    }
    Error error = outcomes.take_error();
    if (nothing_appended(error)) {
        const cluster::NodeId named = leader_named(error);
        const bool news = named != cluster::kNoNode && named != call->asked;
        if (!news || ++call->hints > kHintsInARow) return later(call, std::move(error));
        call->hint = named;
        ++retried_;
        return attempt(call);
    }
    if (error.code() == ErrorCode::kTimeout && may_repeat(call->proposal)) call->open_fate = true;
    // An attempt before may still be on its way into the log, whatever this one was refused for.
    if (call->open_fate) return later(call, std::move(error));
    call->done(std::move(error));
}

void Router::later(const CallPtr& call, Error why) {
    if (stopped_) return attempt(call);  // which says so
    call->hints = 0;
    const std::uint64_t wait_ns =
        call->backoff_ns / 2 + runtime_.random().below(call->backoff_ns / 2 + 1);
    call->backoff_ns = std::min(call->backoff_ns * 2, kBackoffNsMax);
    if (runtime_.clock().monotonic_ns() + wait_ns >= call->deadline_ns) {
        ++refused_;
        if (call->open_fate) return call->done(fate_unknown(call->proposal.shard));
        Error error = no_leader(call->proposal.shard);
        if (why.reason() != "no_leader") error.with("newest", why.message());
        return call->done(std::move(error));
    }
    ++retried_;
    executor_of(*call).post_after(wait_ns,
                                  [self = shared_from_this(), call] { self->attempt(call); });
}

void Router::serve_one(cluster::RpcRequest request, cluster::Rpc::Reply reply) {
    auto proposal = decode_proposal(request.bytes);
    if (!proposal.ok()) return reply(proposal.take_error());
    if (proposal->shard.value() >= database_.shards_.size())
        return reply(Error(ErrorCode::kCorruption, "a write for a shard that is not here")
                         .with("shard", proposal->shard.value()));
    ++served_;
    // Not on the transport's executor: heartbeats come through there, and a shard may be busy.
    runtime::Executor& executor = database_.executor_of(proposal->shard);
    executor.post([this, self = shared_from_this(), proposal = std::move(*proposal),
                   timeout_ms = request.timeout_ms, reply = std::move(reply)]() mutable {
        const std::size_t count = proposal.records.size();
        database_.propose_here(
            std::move(proposal), timeout_ms,
            [count,
             reply = std::move(reply)](Result<std::vector<shard::Outcome>> outcomes) mutable {
                if (!outcomes.ok()) return reply(outcomes.take_error());
                if (outcomes->size() != count)
                    return reply(Error(ErrorCode::kInternal, "not one outcome per record"));
                reply(encode_outcomes(*outcomes));
            });
    });
}

ClusterStatus::Calls Router::calls() const {
    return {local_, forwarded_, retried_, refused_, served_};
}

}  // namespace tidal::api
