// Sessions, in the shard of their user, and what their signals do in the shards of their items.
#include "shard/state.h"

namespace tidal::shard {
namespace {

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
    session->count(signal, spec, envelope.session_sequence, at_ms, envelope.event_time_ms);
    sessions_->put(body.session, *session);
    record::RelayRow row;
    row.effect = record::RelayEffect::kSignal;
    row.target = signal.item;
    row.signal = signal.signal;
    row.weight = signal.weight;
    row.event_time_ms = envelope.event_time_ms;
    row.user = session->user;
    row.creator = signal.creator;
    row.stamp = envelope.stamp;
    row.generation = envelope.generation;
    row.cohorts = envelope.cohorts;
    TIDAL_TRY(relay(envelope.tenant, spec.target, envelope.origin, std::move(row), &outcome));
    return outcome;
}

/// As a signal that was sent without a session; what it was for may be gone since, with all that
/// would be counted here.
Result<void> ShardState::apply_session_signal(TenantId tenant, RegionId origin,
                                              const record::RelayRow& row, Outcome* outcome) {
    const EntityKind kind = schema_->signals[row.signal.value()].target;
    entity::EntityTable& table = entities(kind);
    std::optional<Slot> slot = table.find(row.target);
    if (!slot && kind != EntityKind::kItem) slot = table.find_or_reserve(row.target);
    if (!slot) return {};
    // The generation is as the node knew it that took the signal in: of one that was behind it is
    // too old, and the signal is newer than the item all the same.
    const HybridTime generation = table.generation_of(*slot);
    if (row.generation != HybridTime() && row.generation != generation && row.stamp < generation)
        return {};
    const EntityId* creator = nullptr;
    if (kind == EntityKind::kItem) creator = row.creator ? &*row.creator : table.creator_of(*slot);
    record::Envelope envelope;
    envelope.tenant = tenant;
    const SignalEffect effect{row.signal, row.target, row.weight, origin, row.event_time_ms,
                              creator,    row.user,   row.stamp,  false,  row.cohorts,
                              last_stamp_};
    return count_signal(envelope, effect, slot, 1, outcome);
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
