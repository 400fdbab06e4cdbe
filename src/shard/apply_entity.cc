// Entities: upsert, delete, vectors.
#include "shard/state.h"

namespace tidal::shard {
namespace {

/// What the client did wrong becomes the record's outcome; anything else stops the node.
bool is_refusal(ErrorCode code) {
    return code == ErrorCode::kInvalidArgument || code == ErrorCode::kNotFound ||
           code == ErrorCode::kUnknownName || code == ErrorCode::kPreconditionFailed ||
           code == ErrorCode::kConflict;
}

}  // namespace

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::UpsertBody& body) {
    auto upserted = entities(body.kind).upsert(body, envelope.stamp);
    if (!upserted) {
        if (is_refusal(upserted.error().code())) return Outcome::refuse(upserted.take_error());
        return upserted.take_error();
    }
    Outcome outcome = accepted(envelope);
    outcome.created = *upserted == entity::UpsertOutcome::kCreated;
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::DeleteBody& body) {
    TIDAL_TRY(settle());
    auto slot = entities(body.kind).erase(body, envelope.stamp);
    if (!slot) {
        if (is_refusal(slot.error().code())) return Outcome::refuse(slot.take_error());
        return slot.take_error();
    }
    for (auto& [origin, table] : ledgers(body.kind)) table->drop(*slot);
    uniques(body.kind).drop(*slot);
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::EmbeddingBody& body) {
    auto set = entities(body.kind).set_embedding(body, envelope.stamp);
    if (!set) {
        if (is_refusal(set.error().code())) return Outcome::refuse(set.take_error());
        return set.take_error();
    }
    return accepted(envelope);
}

}  // namespace tidal::shard
