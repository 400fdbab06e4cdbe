// Signals of sessions, and what takes them back, where the relay brings them: in the shards of
// their items.
#include "shard/state.h"

namespace tidal::shard {

/// As a signal that was sent without a session, or the undo of one; what it was for may be gone
/// since, with all that would be counted here.
Result<void> ShardState::apply_session_signal(TenantId tenant, RegionId origin,
                                              const record::RelayRow& row, Outcome* outcome) {
    record::Envelope envelope;
    envelope.apply_version = kApplyVersion;  // rows do not say for which they were made
    envelope.tenant = tenant;
    const bool keyed = row.effect == record::RelayEffect::kKeyedSignal;
    const bool taken_back = keyed && row.count < 0;
    const std::string key =
        keyed ? IdempotencyTable::session_row_key(tenant, *row.user, row.stamp) : std::string();
    if (taken_back) {
        TIDAL_ASSIGN(const auto entry, idempotency_->find(key));
        if (entry && entry->undo)
            return take_back(envelope, *entry->undo, row.stamp, entry->stamp, outcome);
        // Nothing came of it, or nobody knows any more what did: then it goes by the item there is.
    }
    const EntityKind kind = schema_->signals[row.signal.value()].target;
    entity::EntityTable& table = entities(kind);
    std::optional<Slot> slot = table.find(row.target);
    if (!slot && kind != EntityKind::kItem) slot = table.find_or_reserve(row.target);
    if (!slot) return {};
    // The generation is as the node knew it that took the signal in: of one that was behind it is
    // too old, and the signal is newer than the item all the same.
    const HybridTime generation = table.generation_of(*slot);
    const bool known = row.generation != HybridTime() && !taken_back;
    if ((known ? row.generation != generation : taken_back) && row.stamp < generation) return {};
    const EntityId* creator = nullptr;
    if (kind == EntityKind::kItem) creator = row.creator ? &*row.creator : table.creator_of(*slot);
    const SignalEffect effect{row.signal,           row.target,  row.weight, origin,
                              row.event_time_ms,    creator,     row.user,   row.stamp,
                              keyed && !taken_back, row.cohorts, last_stamp_};
    TIDAL_TRY(count_signal(envelope, effect, slot, taken_back ? -1 : 1, outcome));
    if (!effect.undoable) return {};
    return keep_arrival(key, origin, row);
}

/// What an undo that arrives later has to take back.
Result<void> ShardState::keep_arrival(const std::string& key, RegionId origin,
                                      const record::RelayRow& row) {
    record::Envelope envelope;
    envelope.origin = origin;
    envelope.event_time_ms = row.event_time_ms;
    envelope.cohorts = row.cohorts;
    KeyEntry entry;
    entry.stamp = entry.answer.version = last_stamp_;
    entry.answer.index = applied_;
    record::SignalBody signal;
    signal.signal = row.signal;
    signal.item = row.target;
    signal.weight = row.weight;
    signal.user = row.user;
    signal.creator = row.creator;
    entry.undo = undo_entry(envelope, signal);
    return idempotency_->insert(key, entry);
}

}  // namespace tidal::shard
