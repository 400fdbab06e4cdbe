// What one signal does: the item's ledger, its unique users, and the creator's ledger through the
// relay (cluster.md §5); and the way back, undo.
#include <algorithm>

#include "base/hash.h"
#include "query/top_views.h"
#include "ranking/shard_view.h"
#include "shard/state.h"

namespace tidal::shard {
namespace {

/// Rows of neighbours, and of cohorts, that a checkpoint may have left to write: a few
/// milliseconds.
constexpr std::size_t kUnwrittenMax = 1'000;

std::uint64_t user_hash(const EntityId& user) {
    if (user.is_text()) return hash64(user.text());
    const std::uint64_t number = user.number();
    return hash64(std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
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
    if (body.signal.value() >= schema_->signals.size())
        return Outcome::refuse(Error(ErrorCode::kUnknownName, "signal type not in the schema")
                                   .with("signal_id", body.signal.value()));
    const EntityKind kind = schema_->signals[body.signal.value()].target;
    entity::EntityTable& table = entities(kind);
    std::optional<Slot> slot = table.find(body.item);
    if (!slot && kind != EntityKind::kItem) slot = table.find_or_reserve(body.item);
    if (!slot) return Outcome::refuse(unknown_entity(kind, body.item));
    if (envelope.generation != HybridTime() && envelope.generation != table.generation_of(*slot))
        return Outcome::refuse(
            Error(ErrorCode::kNotFound, "the signal was accepted for an entity since deleted")
                .with_reason("stale_generation")
                .with("entity_id", body.item.to_string()));
    Outcome outcome = accepted(envelope);
    const EntityId* creator = nullptr;
    if (kind == EntityKind::kItem)
        creator = body.creator ? &*body.creator : table.creator_of(*slot);
    if (kind == EntityKind::kItem && body.user &&
        !user_states_->admits(*body.user, user_states_->names().of(body.signal), *slot))
        return Outcome::refuse(
            Error(ErrorCode::kOverloaded, "no room for another item that a user hides")
                .with_reason("user_states_full")
                .with_hint("nothing was counted; give shards more memory for user states"));
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
    TIDAL_TRY(count_signal(envelope, effect, slot, 1, &outcome));
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::UndoBody& body) {
    const std::string key =
        IdempotencyTable::row_key(envelope.tenant, envelope.principal, body.key);
    TIDAL_ASSIGN(auto entry, idempotency_->find(key));
    if (!entry || !entry->undo || entry->undo->signal.item != body.item)
        return Outcome::refuse(
            Error(ErrorCode::kNotFound, "no signal with this idempotency key is kept")
                .with_reason("unknown_undo_key")
                .with_field("undo")
                .with_hint("keys are kept for 24 hours, per entity_id"));
    if (entry->undone) {
        entry->undone->repeated = true;
        return std::move(*entry->undone);
    }
    const EntityKind kind = schema_->signals[entry->undo->signal.signal.value()].target;
    std::optional<Slot> slot = entities(kind).find_reserved(body.item);
    if (slot && entities(kind).generation_of(*slot) != entry->undo->generation) slot.reset();
    Outcome outcome = accepted(envelope);
    const UndoEntry& undo = *entry->undo;
    const SignalEffect effect{undo.signal.signal, undo.signal.item,
                              undo.signal.weight, undo.origin,
                              undo.event_time_ms, undo.creator ? &*undo.creator : nullptr,
                              undo.signal.user,   entry->stamp,
                              undo.marked_user,   undo.cohorts};
    TIDAL_TRY(count_signal(envelope, effect, slot, -1, &outcome));
    entry->undone = outcome;
    idempotency_->replace(key, *entry);
    return outcome;
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
        if (kind == EntityKind::kItem)
            cohorts_->count(*slot, effect.cohorts,
                            {effect.signal, weight, count, effect.event_time_ms},
                            last_stamp_.wall_ms());
    }
    record::RelayRow row;
    row.signal = effect.signal;
    row.weight = weight;
    row.count = count;
    row.event_time_ms = effect.event_time_ms;
    if (kind == EntityKind::kItem && effect.user &&
        schema_->signals[effect.signal.value()].polarity != schema::Polarity::kNeutral) {
        record::RelayRow taste = row;
        taste.effect = record::RelayEffect::kTaste;
        taste.target = *effect.user;
        taste.item = effect.item;
        if (effect.creator != nullptr) taste.creator = *effect.creator;
        taste.stamp = effect.stamp;
        TIDAL_TRY(
            relay(envelope.tenant, EntityKind::kUser, effect.origin, std::move(taste), outcome));
    }
    if (effect.creator == nullptr) return {};
    row.target = *effect.creator;
    row.user = effect.user;
    return relay(envelope.tenant, EntityKind::kCreator, effect.origin, std::move(row), outcome);
}

Result<void> ShardState::relay(TenantId tenant, EntityKind kind, RegionId origin,
                               record::RelayRow row, Outcome* outcome) {
    const VShard target = record::vshard_of(tenant, kind, row.target);
    row.sequence = outbox_->next_sequence(target);
    if (owns(target))
        return apply_row(tenant, origin,
                         Marks::Stream(options_.shard, options_.incarnation, target), row, outcome);
    outcome->relayed.push_back({options_.shard, options_.incarnation, target, row.sequence});
    outbox_->push(target, std::move(row));
    return {};
}

Result<void> ShardState::mark_user(const SignalEffect& effect, Slot slot, std::int32_t count) {
    using audience::Hold;
    for (const audience::StateId state : user_states_->names().of(effect.signal)) {
        if (count > 0) {
            TIDAL_TRY(user_states_->set(*effect.user, state, slot, effect.stamp,
                                        effect.undoable ? Hold::kUntilUndone : Hold::kForGood));
        } else if (effect.undoable) {
            TIDAL_TRY(user_states_->take_back(*effect.user, state, slot, effect.stamp));
        }
    }
    return {};
}

Result<void> ShardState::apply_row(TenantId tenant, RegionId origin, const Marks::Stream& stream,
                                   const record::RelayRow& row, Outcome* outcome) {
    marks_->set(stream, row.sequence);
    switch (row.effect) {
        case record::RelayEffect::kTaste:
            return apply_taste(tenant, origin, row, outcome);
        case record::RelayEffect::kCoEngagement:
            apply_co_engagement(row);
            return {};
        case record::RelayEffect::kSignal:
            return apply_session_signal(tenant, origin, row, outcome);
        case record::RelayEffect::kCreator:
            break;
    }
    const Slot slot = entities(EntityKind::kCreator).find_or_reserve(row.target);
    return count_event(EntityKind::kCreator, origin,
                       {slot, row.signal, row.weight, row.count, row.event_time_ms}, row.user);
}

Result<void> ShardState::apply_taste(TenantId tenant, RegionId origin, const record::RelayRow& row,
                                     Outcome* outcome) {
    const audience::TasteEvent event{
        .item = *row.item,
        .creator = row.creator,
        .positive = schema_->signals[row.signal.value()].polarity == schema::Polarity::kPositive,
        .weight = record::weight_to_double(row.weight),
        .taken_back = row.count < 0,
        .at_ms = row.event_time_ms,
        .stamp = row.stamp};
    TIDAL_ASSIGN(auto before, tastes_->apply(row.target, event));
    if (!before) return {};
    record::RelayRow pairs;
    pairs.effect = record::RelayEffect::kCoEngagement;
    pairs.signal = row.signal;
    pairs.event_time_ms = row.event_time_ms;
    pairs.count = 0;
    pairs.others = {*row.item};
    for (const EntityId& item : *before) {
        pairs.target = item;
        TIDAL_TRY(relay(tenant, EntityKind::kItem, origin, pairs, outcome));
    }
    pairs.target = *row.item;
    pairs.count = 1;
    pairs.others = std::move(*before);
    return relay(tenant, EntityKind::kItem, origin, std::move(pairs), outcome);
}

void ShardState::apply_co_engagement(const record::RelayRow& row) {
    const auto slot = entities(EntityKind::kItem).find(row.target);
    if (!slot) return;  // Deleted since.
    co_engagement_->count(*slot, row.others, row.count, row.event_time_ms);
}

Result<void> ShardState::count_event(EntityKind kind, RegionId origin,
                                     const signal::LedgerEvent& event,
                                     const std::optional<EntityId>& user) {
    queued_events_[{kind, origin}].push_back(event);
    if (kind == EntityKind::kItem)
        item_views_->on_event(event.slot, event.signal, event.at_ms, last_stamp_.wall_ms());
    // Uniques stay when a signal is taken back: the user was there.
    if (!user || event.count < 0) return {};
    return uniques(kind).add(event.slot, event.signal, user_hash(*user), event.at_ms);
}

Result<void> ShardState::settle() {
    for (auto& [key, events] : queued_events_) {
        if (events.empty()) continue;
        TIDAL_ASSIGN(signal::LedgerTable * table, ledger(key.first, key.second));
        TIDAL_TRY(table->apply(events));
        events.clear();
    }
    if (co_engagement_ != nullptr) co_engagement_->write_rows(kUnwrittenMax);
    if (cohorts_ != nullptr) cohorts_->write_rows(kUnwrittenMax);
    if (item_views_ == nullptr || !item_views_->crowded()) return {};
    return item_views_->settle(view(EntityKind::kItem), last_stamp_.wall_ms());
}

}  // namespace tidal::shard
