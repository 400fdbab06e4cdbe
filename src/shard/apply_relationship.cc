// How users stand to items, in the item's shard, and to creators, in the user's; what they keep
// there.
#include "shard/state.h"

namespace tidal::shard {
namespace {

Error no_room(std::string_view what) {
    return Error(ErrorCode::kOverloaded, "no room for " + std::string(what))
        .with_reason("user_states_full")
        .with_hint("give shards more memory for user states (--user-states-memory-mib)");
}

}  // namespace

Result<Outcome> ShardState::relate_to_item(const record::Envelope& envelope,
                                           const record::RelationshipBody& body) {
    const auto slot = entities(EntityKind::kItem).find(body.target);
    if (!slot) return Outcome::refuse(unknown_entity(EntityKind::kItem, body.target));
    const bool hides = body.kind == record::RelationshipKind::kHides;
    const audience::StateId state = hides ? audience::kHidden : audience::kSaved;
    if (body.ends) {
        TIDAL_TRY(user_states_->clear(body.user, state, *slot, envelope.stamp));
        return accepted(envelope);
    }
    if (!user_states_->has_room(body.user, state, *slot))
        return Outcome::refuse(no_room("another state of a user"));
    TIDAL_TRY(user_states_->set(body.user, state, *slot, envelope.stamp, audience::Hold::kForGood));
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::RelationshipBody& body) {
    if (record::is_of_items(body.kind)) return relate_to_item(envelope, body);
    if (!relationships_->admits(body))
        return Outcome::refuse(
            Error(ErrorCode::kOverloaded, "the user has as many of these as one may have")
                .with_reason("too_many_relationships")
                .with("most", audience::Relationships::kEachMax)
                .with_hint("end some first"));
    TIDAL_TRY(relationships_->apply(body, envelope.stamp));
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::SavedSearchBody& body) {
    auto applied = saved_searches_.apply(body, envelope.stamp);
    if (applied.ok()) return accepted(envelope);
    const ErrorCode code = applied.error().code();
    if (code == ErrorCode::kNotFound || code == ErrorCode::kOverloaded)
        return Outcome::refuse(applied.take_error());
    return applied.take_error();
}

}  // namespace tidal::shard
