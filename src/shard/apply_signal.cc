// What one signal does: the item's ledger, its unique users, the states of its user, and what it
// sends to the user and the creator (apply_effects.cc); and the way back, undo.
#include "base/hash.h"
#include "query/top_views.h"
#include "ranking/shard_view.h"
#include "shard/state.h"

namespace tidal::shard {
namespace {

/// Since then distinct users of cohorts are counted (decision 85).
constexpr ApplyVersion kCohortUsersSince{2};

std::uint64_t user_hash(const EntityId& user) {
    if (user.is_text()) return hash64(user.text());
    const std::uint64_t number = user.number();
    return hash64(std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
}

template <typename Effect>
Result<void> count_cohort_users(signal::CohortUniqueTable& users, const schema::Schema& schema,
                                const Effect& effect, Slot slot) {
    const auto& unique = schema.signals[effect.signal.value()].unique;
    if (effect.cohorts.empty() || !effect.user || !unique ||
        !audience::CohortLedgers::keeps(unique->window))
        return {};
    return users.add(slot, effect.cohorts, effect.signal, unique->window, user_hash(*effect.user),
                     effect.event_time_ms);
}

}  // namespace

Error unknown_entity(EntityKind kind, const EntityId& id) {
    const std::string name(entity_kind_name(kind));
    return Error(ErrorCode::kNotFound, "no " + name + " with this id")
        .with_reason("unknown_" + name)
        .with_field("entity_id")
        .with("entity_id", id.to_string())
        .with_hint("create it with POST /" + name + "s first");
}

UndoEntry ShardState::undo_entry(const record::Envelope& envelope, const record::SignalBody& body) {
    UndoEntry entry;
    entry.signal = body;
    entry.origin = envelope.origin;
    entry.event_time_ms = envelope.event_time_ms;
    const EntityKind kind = schema_->signals[body.signal.value()].target;
    const auto slot = entities(kind).find_reserved(body.item);
    if (slot) entry.generation = entities(kind).generation_of(*slot);
    if (kind != EntityKind::kItem) return entry;
    entry.marked_user = body.user && !user_states_->names().of(body.signal).empty();
    entry.cohorts = envelope.cohorts;
    entry.creator = body.creator;
    if (!entry.creator && slot) {
        if (const EntityId* creator = entities(kind).creator_of(*slot)) entry.creator = *creator;
    }
    return entry;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::SignalBody& body) {
    Outcome outcome;
    TIDAL_TRY(apply_signal(envelope, body, {}, &outcome));
    return outcome;
}

std::optional<Slot> ShardState::slot_for(EntityKind kind, const EntityId& id, const Met& met) {
    entity::EntityTable& table = entities(kind);
    if (kind != EntityKind::kItem) return table.find_or_reserve(id);
    if (!met.slot) return table.find(id);
    return table.exists(*met.slot) ? met.slot : std::nullopt;
}

Result<void> ShardState::apply_signal(const record::Envelope& envelope,
                                      const record::SignalBody& body, const Met& met,
                                      Outcome* outcome) {
    const auto refuse = [&](Error error) {
        *outcome = Outcome::refuse(std::move(error));
        return Result<void>();
    };
    if (body.signal.value() >= schema_->signals.size())
        return refuse(Error(ErrorCode::kUnknownName, "signal type not in the schema")
                          .with("signal_id", body.signal.value()));
    const EntityKind kind = schema_->signals[body.signal.value()].target;
    entity::EntityTable& table = entities(kind);
    const std::optional<Slot> slot = slot_for(kind, body.item, met);
    if (!slot) return refuse(unknown_entity(kind, body.item));
    if (envelope.generation != HybridTime() && envelope.generation != table.generation_of(*slot))
        return refuse(
            Error(ErrorCode::kNotFound, "the signal was accepted for an entity since deleted")
                .with_reason("stale_generation")
                .with("entity_id", body.item.to_string()));
    const EntityId* creator = nullptr;
    if (kind == EntityKind::kItem)
        creator = body.creator ? &*body.creator : table.creator_of(*slot);
    if (kind == EntityKind::kItem && body.user &&
        !user_states_->admits(*body.user, user_states_->names().of(body.signal), *slot))
        return refuse(Error(ErrorCode::kOverloaded, "no room for another item that a user hides")
                          .with_reason("user_states_full")
                          .with_hint("nothing was counted; give shards more memory for user states "
                                     "(--user-states-memory-mib)"));
    outcome->index = envelope.index;
    outcome->version = envelope.stamp;
    const SignalEffect effect{body.signal,
                              body.item,
                              body.weight,
                              envelope.origin,
                              envelope.event_time_ms,
                              creator,
                              body.user,
                              envelope.stamp,
                              !envelope.idempotency_key.empty(),
                              envelope.cohorts};
    return count_signal(envelope, effect, slot, 1, outcome);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::UndoBody& body) {
    const std::string key =
        IdempotencyTable::row_key(envelope.tenant, envelope.principal, body.key);
    TIDAL_ASSIGN(auto entry, idempotency_->find(key));
    if (!entry || !entry->undo || entry->undo->signal.item != body.item ||
        entry->undo->session != 0)
        return Outcome::refuse(unknown_undo_key());
    if (entry->undone) {
        entry->undone->repeated = true;
        return std::move(*entry->undone);
    }
    Outcome outcome = accepted(envelope);
    TIDAL_TRY(take_back(envelope, *entry->undo, entry->stamp, {}, &outcome));
    entry->undone = outcome;
    idempotency_->replace(key, *entry);
    return outcome;
}

Result<void> ShardState::take_back(const record::Envelope& envelope, const UndoEntry& undo,
                                   HybridTime stamp, HybridTime arrived, Outcome* outcome) {
    const EntityKind kind = schema_->signals[undo.signal.signal.value()].target;
    std::optional<Slot> slot = entities(kind).find_reserved(undo.signal.item);
    if (slot && entities(kind).generation_of(*slot) != undo.generation) slot.reset();
    const SignalEffect effect{undo.signal.signal,
                              undo.signal.item,
                              undo.signal.weight,
                              undo.origin,
                              undo.event_time_ms,
                              undo.creator ? &*undo.creator : nullptr,
                              undo.signal.user,
                              stamp,
                              undo.marked_user,
                              undo.cohorts,
                              arrived};
    return count_signal(envelope, effect, slot, -1, outcome);
}

Result<void> ShardState::count_signal(const record::Envelope& envelope, const SignalEffect& effect,
                                      std::optional<Slot> slot, std::int32_t count,
                                      Outcome* outcome) {
    const EntityKind kind = schema_->signals[effect.signal.value()].target;
    const record::FixedWeight weight = count * effect.weight;
    if (slot) {
        TIDAL_TRY(count_event(kind, effect.origin,
                              {*slot, effect.signal, weight, count, effect.event_time_ms},
                              effect.user));
        if (kind == EntityKind::kItem && effect.user) TIDAL_TRY(mark_user(effect, *slot, count));
        if (kind == EntityKind::kItem) {
            TIDAL_TRY(count_cohorts(effect, *slot, count));
            if (envelope.apply_version >= kCohortUsersSince && count > 0)
                TIDAL_TRY(count_cohort_users(*cohort_uniques_, *schema_, effect, *slot));
        }
    }
    if (kind == EntityKind::kItem && effect.user &&
        schema_->signals[effect.signal.value()].polarity != schema::Polarity::kNeutral)
        count_taste(envelope, effect, count, outcome);
    if (effect.creator == nullptr) return {};
    const Route to = next_row(envelope.tenant, EntityKind::kCreator, *effect.creator);
    if (to.here)
        return count_creator(effect.origin, *effect.creator,
                             {{}, effect.signal, weight, count, effect.event_time_ms}, effect.user);
    record::RelayRow row;
    row.target = *effect.creator;
    row.signal = effect.signal;
    row.weight = weight;
    row.count = count;
    row.event_time_ms = effect.event_time_ms;
    row.user = effect.user;
    send(to, std::move(row), outcome);
    return {};
}

Result<void> ShardState::count_cohorts(const SignalEffect& effect, Slot slot, std::int32_t count) {
    if (effect.cohorts.empty()) return {};
    cohorts_->count(slot, effect.cohorts,
                    {effect.signal, count * effect.weight, count, effect.event_time_ms},
                    last_stamp_.wall_ms());
    return {};
}

Result<void> ShardState::mark_user(const SignalEffect& effect, Slot slot, std::int32_t count) {
    using audience::Hold;
    for (const audience::StateId state : user_states_->names().of(effect.signal)) {
        // A hide is answered when it has arrived, and so comes behind all that was answered before.
        const bool waits = state == audience::kHidden && effect.arrived != HybridTime();
        const HybridTime set_at = waits ? effect.arrived : effect.stamp;
        if (count > 0) {
            TIDAL_TRY(user_states_->set(*effect.user, state, slot, set_at,
                                        effect.undoable ? Hold::kUntilUndone : Hold::kForGood));
        } else if (effect.undoable) {
            TIDAL_TRY(user_states_->take_back(*effect.user, state, slot, set_at));
        }
    }
    return {};
}

Result<void> ShardState::count_event(EntityKind kind, RegionId origin,
                                     const signal::LedgerEvent& event,
                                     const std::optional<EntityId>& user) {
    queue_of(kind, origin).push_back(event);
    if (kind == EntityKind::kItem)
        item_views_->on_event(event.slot, event.signal, event.at_ms, last_stamp_.wall_ms());
    // Uniques stay when a signal is taken back: the user was there.
    if (!user || event.count < 0 || !schema_->signals[event.signal.value()].unique) return {};
    return uniques(kind).add(event.slot, event.signal, user_hash(*user), event.at_ms);
}

std::vector<signal::LedgerEvent>& ShardState::queue_of(EntityKind kind, RegionId origin) {
    LastQueue& last = last_queues_[static_cast<std::size_t>(kind)];
    if (last.events == nullptr || last.origin != origin)
        last = {origin, &queued_events_[{kind, origin}]};
    return *last.events;
}

Result<void> ShardState::settle() {
    for (auto& [key, events] : queued_events_) {
        if (events.empty()) continue;
        TIDAL_ASSIGN(signal::LedgerTable * table, ledger(key.first, key.second));
        TIDAL_TRY(table->apply(events));
        events.clear();
    }
    count_pairs();
    if (item_views_ == nullptr || !item_views_->crowded()) return {};
    return item_views_->settle(view(EntityKind::kItem), last_stamp_.wall_ms());
}

}  // namespace tidal::shard
