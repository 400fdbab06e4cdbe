// Reads of single entities and of the database as a whole.
#include "api/database.h"
#include "api/resolve.h"

namespace tidal::api {
namespace {

EntityReply reply_of(entity::EntityView view, const schema::KindSchema& kind) {
    EntityReply reply;
    reply.id = std::move(view.id);
    reply.metadata.reserve(view.fields.size());
    for (auto& [field, value] : view.fields) {
        const schema::FieldSpec& spec = kind.fields[field.value()];
        if (spec.type == schema::FieldType::kJson) reply.json_fields.insert(spec.name);
        reply.metadata.emplace_back(spec.name, std::move(value));
    }
    reply.creator_id = std::move(view.creator);
    reply.created_at_ms = view.created_at_ms;
    reply.publish_at_ms = view.publish_at_ms;
    reply.expires_at_ms = view.expires_at_ms;
    reply.version = view.version;
    return reply;
}

Error not_found(EntityKind kind, const EntityId& id) {
    const std::string name(entity_kind_name(kind));
    return Error(ErrorCode::kNotFound, "no " + name + " with this id")
        .with_reason("unknown_" + name)
        .with("entity_id", id.to_string());
}

/// Adds what one origin region counted.
void add(const signal::LedgerReading& more, signal::LedgerReading* sum) {
    sum->decayed += more.decayed;
    for (std::size_t w = 0; w < schema::kWindowCount; ++w) {
        sum->windows[w].count += more.windows[w].count;
        sum->windows[w].sum += more.windows[w].sum;
    }
}

}  // namespace

Result<EntityReply> Database::entity_in(shard::ShardState& state, EntityKind kind,
                                        const EntityId& id) {
    TIDAL_ASSIGN(auto view, state.entities(kind).get(id));
    if (!view) return not_found(kind, id);
    return reply_of(std::move(*view), state.schema()->kind(kind));
}

Result<EntityReply> Database::get(const EntityRequest& request) {
    const auto schema = this->schema();
    TIDAL_ASSIGN(const EntityId id, resolve_id(*schema, request.kind, request.id, "entity_id"));
    const VShard vshard = record::vshard_of(kDefaultTenant, request.kind, id);
    TIDAL_TRY(check_readable(shard_of(vshard)));
    return shard(shard_of(vshard)).with_state([&](shard::ShardState& state) {
        return entity_in(state, request.kind, id);
    });
}

Result<SignalReadings> Database::signals(const EntityRequest& request) {
    const auto schema = this->schema();
    TIDAL_ASSIGN(const EntityId id, resolve_id(*schema, request.kind, request.id, "entity_id"));
    const VShard vshard = record::vshard_of(kDefaultTenant, request.kind, id);
    TIDAL_TRY(check_readable(shard_of(vshard)));
    return shard(shard_of(vshard))
        .with_state([&](shard::ShardState& state) -> Result<SignalReadings> {
            SignalReadings readings;
            readings.id = id;
            readings.schema = schema;
            readings.at_ms = state.read_time_ms(runtime_.clock().wall_ms());
            // Only items must be created; a creator or user may be known by its signals alone.
            const auto slot = request.kind == EntityKind::kItem
                                  ? state.entities(request.kind).find(id)
                                  : state.entities(request.kind).find_reserved(id);
            if (!slot) return not_found(request.kind, id);
            for (const schema::SignalSpec& spec : schema->signals) {
                const bool counted =
                    spec.target == request.kind ||
                    (spec.target == EntityKind::kItem && request.kind == EntityKind::kCreator);
                if (!counted) continue;
                SignalReadings::One one;
                one.name = spec.name;
                one.spec = &spec;
                for (auto& [origin, table] : state.ledgers(request.kind)) {
                    TIDAL_ASSIGN(const auto reading, table->read(*slot, spec.id, readings.at_ms));
                    add(reading, &one.reading);
                }
                if (spec.unique) {
                    TIDAL_ASSIGN(
                        one.unique,
                        state.uniques(request.kind).estimate(*slot, spec.id, readings.at_ms));
                }
                readings.signals.push_back(std::move(one));
            }
            return readings;
        });
}

Database::Stats Database::stats() {
    Stats stats;
    stats.identity = identity_;
    stats.ephemeral = options_.ephemeral;
    stats.started_ms = started_ms_;
    stats.now_ms = runtime_.clock().wall_ms();
    for (auto& each : shards_) {
        stats.shards.push_back(each->stats());
        stats.items += stats.shards.back().items;
        stats.users += stats.shards.back().users;
        stats.creators += stats.shards.back().creators;
    }
    if (log_ != nullptr) stats.log = log_->stats();
    stats.queries = gate_->stats();
    stats.query_steps = query_steps_;
    if (const auto held = runtime_.memory().held_bytes(); held.ok()) stats.held_bytes = *held;
    if (memory_budget_ != nullptr) stats.memory = memory_budget_->stats();
    return stats;
}

Result<std::vector<ShardContent>> Database::contents() {
    TIDAL_TRY(check_readable());
    std::vector<ShardContent> out;
    for (auto& each : shards_) {
        TIDAL_ASSIGN(const ShardContent content,
                     each->with_state([](shard::ShardState& state) -> Result<ShardContent> {
                         TIDAL_ASSIGN(const std::uint64_t hash, state.content_hash());
                         return ShardContent{state.applied(), hash};
                     }));
        out.push_back(content);
    }
    return out;
}

Result<std::vector<std::uint64_t>> Database::content_hashes() {
    TIDAL_ASSIGN(const auto all, contents());
    std::vector<std::uint64_t> hashes;
    for (std::size_t id = 1; id < all.size(); ++id) hashes.push_back(all[id].hash);
    return hashes;
}

}  // namespace tidal::api
