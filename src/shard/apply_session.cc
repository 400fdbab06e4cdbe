// Sessions, in the shard of their user, their signals and what takes those back. What these do in
// the shards of their items: apply_session_rows.cc.
#include "shard/state.h"

namespace tidal::shard {
namespace {

/// Since then an undo of a key that is not known costs a token (decision 79).
constexpr ApplyVersion kUndoCostsSince{2};

/// Those of builds that could not take one back stay as they were applied then.
bool may_be_taken_back(const record::Envelope& signal) {
    return !signal.idempotency_key.empty() && signal.apply_version >= kSessionUndoSince;
}

/// What the client did wrong becomes the record's outcome; anything else stops the node.
Result<Outcome> refuse_or_stop(Error error) {
    switch (error.code()) {
        case ErrorCode::kInvalidArgument:
        case ErrorCode::kNotFound:
        case ErrorCode::kConflict:
        case ErrorCode::kForbidden:
        case ErrorCode::kOverloaded:
        case ErrorCode::kGone:
            return Outcome::refuse(std::move(error));
        default:
            return error;
    }
}

/// A signal as its session's shard sends it on.
UndoEntry sent_in(const record::Envelope& envelope, const record::SessionSignalBody& body,
                  const EntityId& user) {
    UndoEntry sent;
    sent.signal = body.signal;
    sent.signal.user = user;
    sent.session = body.session;
    sent.generation = envelope.generation;
    sent.origin = envelope.origin;
    sent.event_time_ms = envelope.event_time_ms;
    sent.creator = body.signal.creator;
    sent.cohorts = envelope.cohorts;
    return sent;
}

record::RelayRow row_of(const UndoEntry& sent, HybridTime stamp, record::RelayEffect effect,
                        std::int32_t count) {
    record::RelayRow row;
    row.effect = effect;
    row.target = sent.signal.item;
    row.signal = sent.signal.signal;
    row.weight = sent.signal.weight;
    row.count = count;
    row.event_time_ms = sent.event_time_ms;
    row.user = sent.signal.user;
    row.creator = sent.creator;
    row.stamp = stamp;
    row.generation = sent.generation;
    row.cohorts = sent.cohorts;
    return row;
}

}  // namespace

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::SessionBody& body) {
    auto applied = sessions_->apply(body, envelope.session_sequence, envelope.stamp);
    if (!applied.ok()) return refuse_or_stop(applied.take_error());
    Outcome outcome = accepted(envelope);
    outcome.created = body.act == record::SessionAct::kOpen;
    outcome.repeated = *applied;
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::SessionSignalBody& body) {
    const record::SignalBody& signal = body.signal;
    if (signal.signal.value() >= schema_->signals.size())
        return Outcome::refuse(Error(ErrorCode::kUnknownName, "signal type not in the schema")
                                   .with("signal_id", signal.signal.value()));
    auto session = sessions_->get(body.session);
    if (!session.ok()) return refuse_or_stop(session.take_error());
    const UnixMillis at_ms = envelope.stamp.wall_ms();
    const auto fresh = session->admits(signal, envelope.session_sequence, at_ms);
    if (!fresh.ok()) return Outcome::refuse(Error(fresh.error()));
    Outcome outcome = accepted(envelope);
    outcome.repeated = !*fresh;
    if (outcome.repeated) return outcome;
    const schema::SignalSpec& spec = schema_->signals[signal.signal.value()];
    session->count(signal, spec, envelope.session_sequence, envelope.stamp, envelope.event_time_ms);
    sessions_->put(body.session, *session);
    const auto effect = may_be_taken_back(envelope) ? record::RelayEffect::kKeyedSignal
                                                    : record::RelayEffect::kSignal;
    record::RelayRow row =
        row_of(sent_in(envelope, body, session->user), envelope.stamp, effect, 1);
    TIDAL_TRY(relay(envelope.tenant, spec.target, envelope.origin, std::move(row), &outcome));
    return outcome;
}

/// What the session did under the key.
Result<std::optional<KeyEntry>> ShardState::find_sent(const record::Envelope& envelope,
                                                      const record::SessionUndoBody& body,
                                                      const audience::Session& session) {
    TIDAL_ASSIGN(auto entry, idempotency_->find(IdempotencyTable::row_key(
                                 envelope.tenant, envelope.principal, body.key)));
    // One that is older than the session was of another, whose key made the same id.
    if (!entry || !entry->undo || entry->undo->session != body.session ||
        entry->stamp < session.opened || entry->undo->signal.item != body.item ||
        schema_->signals[entry->undo->signal.signal.value()].target != body.kind)
        return std::optional<KeyEntry>();
    return entry;
}

/// Judged by the key alone: what was counted may be taken back after the session's end, too. Its
/// signal's token has paid for that; keys that are guessed cost one each.
Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::SessionUndoBody& body) {
    auto session = sessions_->get(body.session);
    if (!session.ok()) return refuse_or_stop(session.take_error());
    TIDAL_ASSIGN(auto entry, find_sent(envelope, body, *session));
    if (!entry) {
        if (envelope.apply_version < kUndoCostsSince) return Outcome::refuse(unknown_undo_key());
        if (auto spent = session->spend(envelope.stamp.wall_ms()); !spent)
            return Outcome::refuse(spent.take_error());
        sessions_->put(body.session, *session);
        return Outcome::refuse(unknown_undo_key());
    }
    if (entry->undone) {
        entry->undone->repeated = true;
        return std::move(*entry->undone);
    }
    const UndoEntry& undo = *entry->undo;
    session->take_back(undo.signal, schema_->signals[undo.signal.signal.value()], entry->stamp);
    sessions_->put(body.session, *session);
    Outcome outcome = accepted(envelope);
    record::RelayRow row = row_of(undo, entry->stamp, record::RelayEffect::kKeyedSignal, -1);
    TIDAL_TRY(relay(envelope.tenant, body.kind, undo.origin, std::move(row), &outcome));
    entry->undone = outcome;
    idempotency_->replace(IdempotencyTable::row_key(envelope.tenant, envelope.principal, body.key),
                          *entry);
    return outcome;
}

Result<std::optional<Outcome>> ShardState::answer_session_undo(const record::Envelope& envelope,
                                                               const record::SessionUndoBody& body,
                                                               UnixMillis wall_ms) {
    TIDAL_ASSIGN(const auto session, sessions_->find(body.session));
    if (!session) return std::optional<Outcome>();
    TIDAL_ASSIGN(auto entry, find_sent(envelope, body, *session));
    if (!entry) {
        auto paid = session->check_rate(read_time_ms(wall_ms));
        return paid ? std::optional<Outcome>() : std::optional(Outcome::refuse(paid.take_error()));
    }
    if (entry->undone) entry->undone->repeated = true;
    return std::move(entry->undone);
}

/// Of a number that the session knew already nothing was counted under this key.
Result<std::optional<UndoEntry>> ShardState::undo_in_session(const record::Envelope& envelope,
                                                             const record::SessionSignalBody& body,
                                                             const Outcome& outcome) {
    if (outcome.repeated || !may_be_taken_back(envelope)) return std::optional<UndoEntry>();
    TIDAL_ASSIGN(const audience::Session session, sessions_->get(body.session));
    return std::optional(sent_in(envelope, body, session.user));
}

Result<std::optional<Outcome>> ShardState::answer_session(const record::SessionSignalBody& body,
                                                          std::uint64_t sequence,
                                                          UnixMillis wall_ms) const {
    TIDAL_ASSIGN(const auto session, sessions_->find(body.session));
    if (!session) return std::optional<Outcome>();
    const auto fresh = session->admits(body.signal, sequence, read_time_ms(wall_ms));
    if (!fresh.ok()) return std::optional(Outcome::refuse(Error(fresh.error())));
    if (*fresh) return std::optional<Outcome>();
    Outcome outcome;
    outcome.index = applied_;
    outcome.version = last_stamp_;
    outcome.repeated = true;
    return std::optional(std::move(outcome));
}

}  // namespace tidal::shard
