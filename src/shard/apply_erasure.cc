// Users who are erased: at home with all that is kept of them, and in every other shard by relay.
#include <algorithm>

#include "shard/state.h"

namespace tidal::shard {
namespace {

/// Stamps of one millisecond say nothing of which came first in two shards.
HybridTime end_of_millisecond(HybridTime stamp) {
    return HybridTime::from(stamp.wall_ms(), UINT16_MAX);
}

bool is_signal_of(const record::RelayRow& row, const EntityId& user) {
    return record::is_of_session(row.effect) && row.user == user;
}

}  // namespace

Result<void> ShardState::forget_user(const EntityId& user, HybridTime stamp) {
    TIDAL_TRY(forget_visitor(user));
    TIDAL_TRY(relationships_->erase_user(user));
    TIDAL_TRY(saved_searches_.erase_user(user));
    TIDAL_TRY(archive_keys_.erase_user(user));
    TIDAL_TRY(sessions_->erase_user(user));
    TIDAL_TRY(deliveries_.erase_user(user));
    tastes_->erase_user(user, stamp);
    return {};
}

Result<void> ShardState::forget_visitor(const EntityId& user) {
    user_states_->erase_user(user);
    return relationships_->erase_friend(user);
}

/// One row to each other shard, and one behind every signal of the user's sessions that is still on
/// its way: streams keep their order, so that none of them arrives after the erasure.
void ShardState::send_erasure(const record::EraseUserBody& body, Outcome* outcome) {
    std::vector<VShard> targets;
    for (const VShard other : body.others)
        if (!owns(other)) targets.push_back(other);
    for (const auto& [target, rows] : outbox_->streams())
        if (std::ranges::any_of(rows,
                                [&](const auto& row) { return is_signal_of(row, body.user); }))
            targets.push_back(target);
    std::ranges::sort(targets);
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
    for (const VShard target : targets) {
        record::RelayRow row;
        row.effect = record::RelayEffect::kErasure;
        row.target = body.user;
        send({target, outbox_->next_sequence(target), false}, std::move(row), outcome);
    }
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::EraseUserBody& body) {
    if (!owns(record::vshard_of(envelope.tenant, EntityKind::kUser, body.user)))
        return Outcome::refuse(Error(ErrorCode::kConflict, "the erasure of a user of another shard")
                                   .with_reason("wrong_shard"));
    TIDAL_TRY(settle());
    entity::EntityTable& users = entities(EntityKind::kUser);
    if (body.if_match && !users.find(body.user))
        return Outcome::refuse(unknown_entity(EntityKind::kUser, body.user));
    const auto slot = users.find_reserved(body.user);
    const auto erased = users.erase({EntityKind::kUser, body.user, body.if_match}, envelope.stamp);
    TIDAL_TRY(vectors_[static_cast<std::size_t>(EntityKind::kUser)].refresh(body.user, users));
    // Whom only signals, relationships or sessions name is erased as well.
    if (!erased.ok() && erased.error().code() != ErrorCode::kNotFound) {
        Error error = erased.error();
        if (error.code() == ErrorCode::kPreconditionFailed)
            return Outcome::refuse(std::move(error));
        return error;
    }
    const bool alone = body.others.empty();
    TIDAL_TRY(forget_user(body.user, alone ? envelope.stamp : end_of_millisecond(envelope.stamp)));
    if (slot) {
        for (auto& [origin, table] : ledgers(EntityKind::kUser)) table->drop(*slot);
        uniques(EntityKind::kUser).drop(*slot);
    }
    Outcome outcome = accepted(envelope);
    send_erasure(body, &outcome);
    return outcome;
}

}  // namespace tidal::shard
