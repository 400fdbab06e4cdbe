// What of a call is answered without the log: repeats of idempotency keys, signals for no item,
// what a session has or does not allow, what there is no memory for.
#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "shard/shard.h"

namespace tidal::shard {

Result<std::optional<Shard::Early>> Shard::answer_early(const record::Record& record,
                                                        const Result<void>& room) {
    const record::Envelope& envelope = record.envelope;
    if (!envelope.idempotency_key.empty()) {
        std::string key = IdempotencyTable::row_key(envelope.tenant, envelope.principal,
                                                    envelope.idempotency_key);
        TIDAL_ASSIGN(auto seen, state_->find_answer(key, record.body));
        if (seen) return std::optional(Early{0, std::move(*seen), {}, {}});
        if (keys_in_flight_.contains(key))
            return std::optional(Early{0, {}, {}, Awaited{std::move(key), record.body}});
    }
    if (!room.ok() && grows(record.body)) {
        options_.memory->count_refused(1);
        return std::optional(Early{0, Outcome::refuse(Error(room.error())), {}, {}});
    }
    if (const auto* of_session = std::get_if<record::SessionSignalBody>(&record.body)) {
        TIDAL_ASSIGN(auto known, state_->answer_session(*of_session, envelope.session_sequence,
                                                        runtime_.clock().wall_ms()));
        if (!known) return std::optional<Early>();
        return std::optional(Early{0, std::move(*known), {}, {}});
    }
    if (const auto* undo = std::get_if<record::SessionUndoBody>(&record.body)) {
        TIDAL_ASSIGN(auto known,
                     state_->answer_session_undo(envelope, *undo, runtime_.clock().wall_ms()));
        if (!known) return std::optional<Early>();
        return std::optional(Early{0, std::move(*known), {}, {}});
    }
    // A leader that does not know yet that another one leads may lack an item; the log does not.
    const auto* signal = std::get_if<record::SignalBody>(&record.body);
    if (signal == nullptr || replicator_ != nullptr ||
        state_->schema()->signals[signal->signal.value()].target != EntityKind::kItem ||
        item_known(signal->item))
        return std::optional<Early>();
    return std::optional(
        Early{0, Outcome::refuse(unknown_entity(EntityKind::kItem, signal->item)), {}, {}});
}

bool Shard::item_known(const EntityId& item) const {
    return items_in_flight_.contains(item) || state_->entities(EntityKind::kItem).find(item);
}

std::optional<HybridTime> Shard::generation_of(EntityKind kind, const EntityId& id) {
    const std::lock_guard lock(mutex_);
    const entity::EntityTable& table = state_->entities(kind);
    if (const auto slot = table.find(id)) return table.generation_of(*slot);
    if (items_in_flight_.contains(id)) return HybridTime();
    return std::nullopt;
}

void Shard::make_item(const record::Record& record, InFlight* batch) {
    const auto* upsert = std::get_if<record::UpsertBody>(&record.body);
    if (upsert == nullptr || upsert->kind != EntityKind::kItem) return;
    ++items_in_flight_[upsert->id];
    batch->makes.push_back(upsert->id);
}

void Shard::forget_items(const InFlight& batch) {
    for (const EntityId& item : batch.makes) {
        const auto found = items_in_flight_.find(item);
        if (--found->second == 0) items_in_flight_.erase(found);
    }
}

/// Takes out the records whose answer is known without the log, and claims the keys of the others.
Result<void> Shard::take_early_answers(std::vector<record::Record>* records, InFlight* batch,
                                       const Result<void>& room) {
    std::vector<record::Record> rest;
    rest.reserve(records->size());
    KeysOfCall keys;
    for (std::size_t line = 0; line < records->size(); ++line) {
        record::Record& record = (*records)[line];
        auto early = answer_early(record, room);
        if (!early.ok()) {
            forget_items(*batch);
            return early.take_error();
        }
        const record::Envelope& envelope = record.envelope;
        if (*early) {
            (*early)->line = line;
            batch->early.push_back(std::move(**early));
            continue;
        }
        if (!envelope.idempotency_key.empty()) {
            auto repeat =
                repeat_within(record,
                              IdempotencyTable::row_key(envelope.tenant, envelope.principal,
                                                        envelope.idempotency_key),
                              rest, &keys);
            if (repeat) {
                repeat->line = line;
                batch->early.push_back(std::move(*repeat));
                continue;
            }
        }
        make_item(record, batch);
        rest.push_back(std::move(record));
    }
    for (auto& [key, first] : keys) {  // order does not matter: a set
        keys_in_flight_.insert(key);
        batch->keys.push_back(key);
    }
    *records = std::move(rest);
    return {};
}

/// A key that an earlier line of the same call has is answered as if that line had been a call of
/// its own. nullopt = the first, from now on among `keys`.
std::optional<Shard::Early> Shard::repeat_within(const record::Record& record, std::string key,
                                                 const std::vector<record::Record>& ahead,
                                                 KeysOfCall* keys) {
    const auto [first, fresh] = keys->try_emplace(std::move(key), ahead.size());
    if (fresh) return std::nullopt;
    if (record::body_hash(ahead[first->second].body) == record::body_hash(record.body))
        return Early{0, {}, first->second, {}};
    return Early{0, Outcome::refuse(key_of_another_body()), {}, {}};
}

bool Shard::awaits_any(const std::vector<Early>& early) {
    return std::ranges::any_of(early, [](const Early& each) { return each.awaits.has_value(); });
}

/// What was awaited is applied: its answer is kept under the key, unless it was refused.
void Shard::answer_awaited(std::vector<Early>* early) {
    for (Early& each : *early) {
        if (!each.awaits) continue;
        auto answer = state_->find_answer(each.awaits->key, each.awaits->body);
        if (!answer.ok()) {
            runtime_.fatal(answer.error());
            return;
        }
        each.outcome = *answer
                           ? std::move(**answer)
                           : Outcome::refuse(Error(ErrorCode::kConflict,
                                                   "the first write with this idempotency key was "
                                                   "refused")
                                                 .with_reason("key_in_flight")
                                                 .with_field("Idempotency-Key")
                                                 .with_hint("retry: the key is free again"));
    }
}

std::vector<Outcome> Shard::merge_early(std::vector<Outcome> rest, std::vector<Early> early) {
    if (early.empty()) return rest;
    for (Early& each : early) {
        if (!each.repeats) continue;
        each.outcome = rest[*each.repeats];
        each.outcome.repeated = each.outcome.ok();
    }
    std::vector<Outcome> all;
    all.reserve(rest.size() + early.size());
    auto next = rest.begin();
    for (Early& each : early) {
        while (all.size() < each.line) all.push_back(std::move(*next++));
        all.push_back(std::move(each.outcome));
    }
    std::move(next, rest.end(), std::back_inserter(all));
    return all;
}

}  // namespace tidal::shard
