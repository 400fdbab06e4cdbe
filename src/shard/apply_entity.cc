// Entities: upsert, delete, vectors.
#include "query/top_views.h"
#include "shard/state.h"

namespace tidal::shard {
namespace {

bool is_refusal(ErrorCode code) {
    return code == ErrorCode::kInvalidArgument || code == ErrorCode::kNotFound ||
           code == ErrorCode::kUnknownName || code == ErrorCode::kPreconditionFailed ||
           code == ErrorCode::kConflict;
}

/// What the client did wrong becomes the record's outcome; anything else stops the node.
template <typename Body>
Result<Outcome> refuse_or_stop(Error error, const Body& body) {
    if (error.code() == ErrorCode::kNotFound)
        return Outcome::refuse(unknown_entity(body.kind, body.id));
    if (is_refusal(error.code())) return Outcome::refuse(std::move(error));
    return error;
}

}  // namespace

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::UpsertBody& body) {
    count_pairs();  // Of what exists; this may make an item.
    auto upserted = entities(body.kind).upsert(body, envelope.stamp);
    if (!upserted) return refuse_or_stop(upserted.take_error(), body);
    if (body.kind == EntityKind::kItem)
        if (const auto slot = entities(body.kind).find(body.id)) item_views_->on_change(*slot);
    Outcome outcome = accepted(envelope);
    outcome.created = *upserted == entity::UpsertOutcome::kCreated;
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::DeleteBody& body) {
    TIDAL_TRY(settle());
    // Of a user in logs of before EraseUserBody: a record in every shard. Each has states of a
    // user, the user's own alone has the user.
    const bool of_user = body.kind == EntityKind::kUser;
    if (of_user && !owns(record::vshard_of(envelope.tenant, body.kind, body.id))) {
        TIDAL_TRY(forget_visitor(body.id));
        return accepted(envelope);
    }
    auto& entities = this->entities(body.kind);
    auto slot = entities.erase(body, envelope.stamp);
    // Also a delete that is refused may end vectors: those of a generation before.
    TIDAL_TRY(vectors_[static_cast<std::size_t>(body.kind)].refresh(body.id, entities));
    // Also of one whom only signals name.
    if (of_user && (slot.ok() || slot.error().code() == ErrorCode::kNotFound))
        TIDAL_TRY(forget_user(body.id, envelope.stamp));
    if (!slot) return refuse_or_stop(slot.take_error(), body);
    for (auto& [origin, table] : ledgers(body.kind)) table->drop(*slot);
    uniques(body.kind).drop(*slot);
    if (body.kind == EntityKind::kItem) TIDAL_TRY(user_states_->drop_item(*slot));
    if (body.kind == EntityKind::kItem) co_engagement_->drop_item(*slot);
    if (body.kind == EntityKind::kItem) {
        cohorts_->drop_item(*slot);
        cohort_uniques_->drop(*slot);
    }
    if (body.kind == EntityKind::kItem) TIDAL_TRY(collections_->drop_item(*slot));
    if (body.kind == EntityKind::kItem) item_views_->on_change(*slot);
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::EmbeddingBody& body) {
    auto set = entities(body.kind).set_embedding(body, envelope.stamp);
    if (!set) return refuse_or_stop(set.take_error(), body);
    TIDAL_TRY(vectors_[static_cast<std::size_t>(body.kind)].refresh(body.id, body.slot,
                                                                    entities(body.kind)));
    return accepted(envelope);
}

}  // namespace tidal::shard
