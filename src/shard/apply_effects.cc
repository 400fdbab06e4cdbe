// What follows from a signal elsewhere: at its user, at the creator of its item, and at the items
// that the user liked before; here at once, in other shards through the relay (cluster.md §5).
#include "shard/internal/queued_pairs.h"
#include "shard/state.h"

namespace tidal::shard {

ShardState::Route ShardState::next_row(TenantId tenant, EntityKind kind, const EntityId& target) {
    Route to;
    to.target = record::vshard_of(tenant, kind, target);
    to.sequence = outbox_->next_sequence(to.target);
    to.here = owns(to.target);
    if (to.here) marks_->set_own(to.target, to.sequence);
    return to;
}

void ShardState::send(const Route& to, record::RelayRow row, Outcome* outcome) {
    row.sequence = to.sequence;
    outcome->relayed.push_back({options_.shard, options_.incarnation, to.target, to.sequence});
    outbox_->push(to.target, std::move(row));
}

Result<void> ShardState::relay(TenantId tenant, EntityKind kind, RegionId origin,
                               record::RelayRow row, Outcome* outcome) {
    const Route to = next_row(tenant, kind, row.target);
    if (to.here) return apply_row(tenant, origin, row, outcome);
    send(to, std::move(row), outcome);
    return {};
}

Result<void> ShardState::apply_row(TenantId tenant, RegionId origin, const record::RelayRow& row,
                                   Outcome* outcome) {
    switch (row.effect) {
        case record::RelayEffect::kTaste:
            apply_taste(tenant, row.target, row.signal,
                        {.item = *row.item,
                         .creator = row.creator,
                         .positive = is_positive(row.signal),
                         .weight = record::weight_to_double(row.weight),
                         .taken_back = row.count < 0,
                         .at_ms = row.event_time_ms,
                         .stamp = row.stamp},
                        outcome);
            return {};
        case record::RelayEffect::kCoEngagement:
            queued_pairs_->add(row.target, row.others, row.count, row.event_time_ms);
            return {};
        case record::RelayEffect::kSignal:
        case record::RelayEffect::kKeyedSignal:
            return apply_session_signal(tenant, origin, row, outcome);
        case record::RelayEffect::kErasure:
            return forget_visitor(row.target);
        case record::RelayEffect::kCreator:
            break;
    }
    return count_creator(origin, row.target,
                         {{}, row.signal, row.weight, row.count, row.event_time_ms}, row.user);
}

Result<void> ShardState::count_creator(RegionId origin, const EntityId& creator,
                                       signal::LedgerEvent event,
                                       const std::optional<EntityId>& user) {
    event.slot = entities(EntityKind::kCreator).find_or_reserve(creator);
    return count_event(EntityKind::kCreator, origin, event, user);
}

bool ShardState::is_positive(SignalTypeId signal) const {
    return schema_->signals[signal.value()].polarity == schema::Polarity::kPositive;
}

void ShardState::count_taste(const record::Envelope& envelope, const SignalEffect& effect,
                             std::int32_t count, Outcome* outcome) {
    const record::FixedWeight weight = count * effect.weight;
    const Route to = next_row(envelope.tenant, EntityKind::kUser, *effect.user);
    if (to.here) {
        audience::TasteEvent event{.item = effect.item,
                                   .creator = {},
                                   .positive = is_positive(effect.signal),
                                   .weight = record::weight_to_double(weight),
                                   .taken_back = count < 0,
                                   .at_ms = effect.event_time_ms,
                                   .stamp = effect.stamp};
        if (effect.creator != nullptr) event.creator = *effect.creator;
        return apply_taste(envelope.tenant, *effect.user, effect.signal, event, outcome);
    }
    record::RelayRow row;
    row.effect = record::RelayEffect::kTaste;
    row.target = *effect.user;
    row.signal = effect.signal;
    row.weight = weight;
    row.count = count;
    row.event_time_ms = effect.event_time_ms;
    row.item = effect.item;
    if (effect.creator != nullptr) row.creator = *effect.creator;
    row.stamp = effect.stamp;
    send(to, std::move(row), outcome);
}

void ShardState::apply_taste(TenantId tenant, const EntityId& user, SignalTypeId signal,
                             const audience::TasteEvent& event, Outcome* outcome) {
    const auto before = tastes_->apply(user, event);
    if (!before) return;
    for (const EntityId& item : *before)
        pair_items(tenant, signal, item, {&event.item, 1}, 0, event.at_ms, outcome);
    pair_items(tenant, signal, event.item, *before, 1, event.at_ms, outcome);
}

void ShardState::pair_items(TenantId tenant, SignalTypeId signal, const EntityId& item,
                            std::span<const EntityId> others, std::int32_t likes, UnixMillis at_ms,
                            Outcome* outcome) {
    const Route to = next_row(tenant, EntityKind::kItem, item);
    if (to.here) return queued_pairs_->add(item, others, likes, at_ms);
    record::RelayRow row;
    row.effect = record::RelayEffect::kCoEngagement;
    row.target = item;
    row.signal = signal;
    row.count = likes;
    row.event_time_ms = at_ms;
    row.others.assign(others.begin(), others.end());
    send(to, std::move(row), outcome);
}

void ShardState::count_pairs() {
    if (schema_ != nullptr) queued_pairs_->count(entities(EntityKind::kItem), co_engagement_.get());
}

}  // namespace tidal::shard
