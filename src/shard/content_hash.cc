// The content hash: equal on replicas that applied the same records, whatever their batches,
// restarts, page layout, eviction or derived indexes. It walks ids in order, never slots.
#include "base/hash.h"
#include "shard/state.h"

namespace tidal::shard {
namespace {

std::uint64_t combine(std::uint64_t hash, std::uint64_t next) {
    const std::uint64_t both[] = {hash, next};
    return hash64(std::string_view(reinterpret_cast<const char*>(both), sizeof both));
}

std::uint64_t combine(std::uint64_t hash, std::string_view bytes) {
    return combine(hash, hash64(bytes));
}

// Rows that are state as they stand: idempotency entries, outbox rows, configuration, schema,
// imports, the catalogue, saved searches, sessions and what they were shown, deliveries, keys of
// the archive.
constexpr std::string_view kPlainRowPrefixes[] = {
    "k/", "o/", "c/config", "s/", "i/", "g/", "a/q/", "a/e/", "a/w/", "a/d/", "a/k/", "a/l/"};

}  // namespace

Result<std::uint64_t> ShardState::hash_kind(EntityKind kind, std::uint64_t hash) {
    if (entities_[static_cast<std::size_t>(kind)] == nullptr) return hash;
    entity::EntityTable& table = entities(kind);
    for (const EntityId& id : table.sorted_ids()) {
        const auto slot = table.find_reserved(id);
        if (!slot) continue;
        TIDAL_ASSIGN(const std::uint64_t entity, table.content_hash(*slot));
        hash = combine(hash, entity);
        for (auto& [origin, ledgers] : ledgers(kind)) {
            TIDAL_ASSIGN(const std::uint64_t ledger, ledgers->content_hash(*slot));
            hash = combine(combine(hash, origin.value()), ledger);
        }
        TIDAL_ASSIGN(const std::uint64_t unique, uniques(kind).content_hash(*slot));
        hash = combine(hash, unique);
        if (kind != EntityKind::kItem) continue;
        hash = combine(hash, co_engagement_->content_hash(*slot));
        hash = combine(hash, cohorts_->content_hash(*slot));
        hash = combine(hash, cohort_uniques_->content_hash(*slot));
    }
    return hash;
}

Result<std::uint64_t> ShardState::content_hash() {
    TIDAL_TRY(settle());
    std::uint64_t hash = combine(applied_.value(), last_stamp_.bits());
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        TIDAL_ASSIGN(hash, hash_kind(kind, hash));
    }
    if (user_states_ != nullptr) {
        const entity::EntityTable& items = entities(EntityKind::kItem);
        TIDAL_ASSIGN(const std::uint64_t states,
                     user_states_->content_hash(
                         [&](Slot slot) -> const EntityId& { return items.id_of(slot); }));
        hash = combine(hash, states);
        TIDAL_ASSIGN(const std::uint64_t relationships, relationships_->content_hash());
        hash = combine(hash, relationships);
        hash = combine(hash, tastes_->content_hash());
        hash = combine(hash, static_cast<std::uint64_t>(cohorts_->first_hour()));
        hash = combine(hash, collections_->content_hash(
                                 [&](Slot slot) -> const EntityId& { return items.id_of(slot); }));
    }
    for (const std::string_view prefix : kPlainRowPrefixes) {
        TIDAL_TRY(store_.scan(prefix, [&](std::string_view key, std::string_view value) {
            hash = combine(combine(hash, key), value);
            return true;
        }));
    }
    for (const std::uint64_t sequence : outbox_->last_sequences()) hash = combine(hash, sequence);
    for (const auto& [stream, sequence] : marks_->sorted()) {
        hash = combine(hash, std::get<0>(stream).value());
        hash = combine(hash, std::get<1>(stream).value());
        hash = combine(hash, std::get<2>(stream).value());
        hash = combine(hash, sequence);
    }
    return hash;
}

}  // namespace tidal::shard
