// Sessions: opened, annotated, closed and read; what a page takes from one.
#include <algorithm>

#include "api/database.h"
#include "api/resolve.h"
#include "base/codec.h"
#include "base/hash.h"
#include "query/viewer.h"

namespace tidal::api {
namespace {

constexpr int kIdsDrawn = 3;

/// Of a random number, or of a call's key, so that the call come twice means the same session.
std::uint64_t session_id_of(std::uint64_t number, VShard home) {
    constexpr std::uint64_t kNumbers = (record::kSessionIdMax + 1) / kVShardCount;
    const std::uint64_t above = number % kNumbers;
    return std::max<std::uint64_t>(above, 1) * kVShardCount + home.value();
}

std::uint64_t number_of_key(const CallContext& context, const EntityId& user) {
    Encoder out;
    out.bytes(context.principal);
    out.bytes(context.idempotency_key);
    out.u8(user.is_text() ? 1 : 0);
    out.bytes(user.to_string());
    return hash64(out.view());
}

SessionReply describe(std::uint64_t id, const audience::Session& session,
                      std::vector<EntityId> shown, const schema::Schema& schema,
                      UnixMillis now_ms) {
    SessionReply out;
    out.id = id;
    out.user = session.user;
    out.agent = session.agent;
    out.policy = session.limits.policy;
    out.opened_ms = session.opened.wall_ms();
    out.expires_ms = session.expires_ms;
    out.end = session.end_at(now_ms);
    if (out.end != audience::SessionEnd::kOpen)
        out.ended_ms =
            session.end == audience::SessionEnd::kOpen ? session.expires_ms : session.ended_ms;
    out.last_sequence = session.last_sequence;
    out.tokens = out.end == audience::SessionEnd::kOpen ? session.tokens_at(now_ms) : 0;
    out.reward = record::weight_to_double(session.reward);
    for (const auto& [signal, count] : session.counts)
        if (signal.value() < schema.signals.size())
            out.counts.emplace_back(schema.signals[signal.value()].name, count);
    out.annotations = session.annotations;
    for (const audience::SessionLike& like : session.likes) out.liked.push_back(like.item);
    out.shown = std::move(shown);
    return out;
}

}  // namespace

Result<SessionReply> Database::session(std::uint64_t id) {
    const ShardId home = shard_of(record::vshard_of_session(id));
    TIDAL_TRY(check_readable(home));
    const auto schema = this->schema();
    const UnixMillis wall_ms = runtime_.clock().wall_ms();
    return shard(home).with_state([&](shard::ShardState& state) -> Result<SessionReply> {
        TIDAL_ASSIGN(const audience::Session session, state.sessions().get(id));
        TIDAL_ASSIGN(auto shown, state.sessions().shown(id));
        return describe(id, session, std::move(shown), *schema, state.read_time_ms(wall_ms));
    });
}

Result<std::vector<SessionReply>> Database::sessions(const IdInput& user_id) {
    const auto schema = this->schema();
    TIDAL_ASSIGN(const EntityId user, resolve_id(*schema, EntityKind::kUser, user_id, "user_id"));
    const ShardId home = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, user));
    TIDAL_TRY(check_readable(home));
    const UnixMillis wall_ms = runtime_.clock().wall_ms();
    return shard(home).with_state(
        [&](shard::ShardState& state) -> Result<std::vector<SessionReply>> {
            std::vector<SessionReply> out;
            for (const std::uint64_t id : state.sessions().of(user)) {
                TIDAL_ASSIGN(const audience::Session session, state.sessions().get(id));
                TIDAL_ASSIGN(auto shown, state.sessions().shown(id));
                out.push_back(
                    describe(id, session, std::move(shown), *schema, state.read_time_ms(wall_ms)));
            }
            return out;
        });
}

/// The state once the write is there, also here where another node leads.
void Database::answer_session(std::uint64_t id, const Result<WriteReply>& written,
                              SessionDone done) {
    if (!written.ok()) return done(Error(written.error()));
    auto reply = [this, id, token = written->token, repeated = written->repeated,
                  done = std::move(done)](Result<void> visible) mutable {
        if (!visible.ok()) return done(visible.take_error());
        auto session = this->session(id);
        if (!session.ok()) return done(session.take_error());
        session->token = std::move(token);
        session->repeated = repeated;
        done(std::move(session));
    };
    if (written->token.empty()) return reply({});
    when_visible(written->token, CallContext().timeout_ms, std::move(reply));
}

void Database::write_session(SessionWrite write, const CallContext& context, SessionDone done) {
    const std::uint64_t id = write.body.session;
    std::vector<Write> writes;
    writes.emplace_back(std::move(write));
    this->write(std::move(writes), context,
                [this, id, done = std::move(done)](WriteReplies replies) mutable {
                    answer_session(id, replies.front(), std::move(done));
                });
}

void Database::open_session(SessionOpen open, const CallContext& context, SessionDone done) {
    const std::string policy_name = open.policy;
    with_policy(policy_name, [this, open = std::move(open), context,
                              done = std::move(done)](Result<StoredPolicy> policy) mutable {
        if (!policy.ok()) return done(policy.take_error());
        const auto schema = this->schema();
        SessionWrite write;
        write.body.act = record::SessionAct::kOpen;
        auto user = resolve_id(*schema, EntityKind::kUser, open.user_id, "user_id");
        if (!user.ok()) return done(user.take_error());
        auto limits = limits_of(*policy, *schema);
        if (!limits.ok()) return done(limits.take_error().with_field("policy"));
        write.body.user = std::move(*user);
        write.body.agent = std::move(open.agent);
        write.body.limits = std::move(*limits);
        write.body.annotations.assign(open.annotations.begin(), open.annotations.end());
        open_drawn(std::move(write), context, kIdsDrawn, std::move(done));
    });
}

/// An id that another session has is drawn again.
void Database::open_drawn(SessionWrite write, const CallContext& context, int left,
                          SessionDone done) {
    const EntityId& user = *write.body.user;
    const VShard home = record::vshard_of(kDefaultTenant, EntityKind::kUser, user);
    const bool keyed = !context.idempotency_key.empty();
    write.body.session =
        session_id_of(keyed ? number_of_key(context, user) : runtime_.random().u64(), home);
    SessionWrite again = write;
    write_session(std::move(write), context,
                  [this, again = std::move(again), context, left, keyed,
                   done = std::move(done)](Result<SessionReply> reply) mutable {
                      const bool taken =
                          !reply.ok() && reply.error().reason() == "session_id_taken";
                      if (!taken || keyed || left <= 1) return done(std::move(reply));
                      open_drawn(std::move(again), context, left - 1, std::move(done));
                  });
}

void Database::annotate_session(SessionAnnotate annotate, const CallContext& context,
                                SessionDone done) {
    SessionWrite write;
    write.body.act = record::SessionAct::kAnnotate;
    write.body.session = annotate.session;
    write.body.annotations.assign(annotate.annotations.begin(), annotate.annotations.end());
    write.sequence = annotate.sequence;
    write_session(std::move(write), context, std::move(done));
}

void Database::close_session(std::uint64_t id, const CallContext& context, SessionDone done) {
    SessionWrite write;
    write.body.act = record::SessionAct::kClose;
    write.body.session = id;
    write_session(std::move(write), context, std::move(done));
}

/// Of a call with a session: whose page it is, and that the session is open.
Result<audience::Session> Database::session_of(const FeedCall& call, UnixMillis now_ms) {
    const ShardId home = shard_of(record::vshard_of_session(call.session));
    TIDAL_ASSIGN(const audience::Session session,
                 shard(home).with_readable(
                     [&](shard::ShardState& state) { return state.sessions().get(call.session); }));
    if (call.user_id) {
        TIDAL_ASSIGN(const EntityId user,
                     resolve_id(*schema(), EntityKind::kUser, *call.user_id, "user_id"));
        if (user != session.user)
            return Error(ErrorCode::kInvalidArgument, "the session is another user's")
                .with_reason("foreign_session")
                .with_field("user_id")
                .with_hint("leave user_id out, or name the session's");
    }
    TIDAL_TRY(session.admits(0, now_ms));
    return session;
}

/// Before anything of a page is planned: an experiment asks for the user, too.
Result<void> Database::name_user_of_session(FeedCall* call) {
    if (call->session == 0 && !call->fresh) return {};
    if (call->session == 0)
        return Error(ErrorCode::kInvalidArgument, "a page is fresh for a session")
            .with_field("fresh")
            .with_hint("name it in session_id");
    TIDAL_TRY(check_readable());
    TIDAL_ASSIGN(const audience::Session session, session_of(*call, runtime_.clock().wall_ms()));
    if (session.user.is_text())
        call->user_id = IdInput(std::string(session.user.text()));
    else
        call->user_id = IdInput(session.user.number());
    return {};
}

/// What was liked in the session goes before what its user liked otherwise.
Result<void> Database::add_session(const FeedCall& call, const audience::Session& session,
                                   query::Viewer* viewer) {
    viewer->session = call.session;
    std::vector<EntityId> liked;
    for (const audience::SessionLike& like : session.likes) liked.push_back(like.item);
    for (EntityId& item : viewer->liked)
        if (std::ranges::find(session.likes, item, &audience::SessionLike::item) ==
            session.likes.end())
            liked.push_back(std::move(item));
    viewer->liked = std::move(liked);
    if (!session.likes.empty())
        viewer->newest_positive_ms =
            std::max(viewer->newest_positive_ms, std::optional(session.likes.front().at_ms));
    if (!call.fresh || call.kind != EntityKind::kItem) return {};
    const ShardId home = shard_of(record::vshard_of_session(call.session));
    TIDAL_ASSIGN(viewer->shown, shard(home).with_readable([&](shard::ShardState& state) {
        return state.sessions().shown(call.session);
    }));
    return {};
}

}  // namespace tidal::api
