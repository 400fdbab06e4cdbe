// Items of collections, in the item's shard; deliveries under a daily cap, in the user's.
#include "shard/state.h"

namespace tidal::shard {
namespace {

/// So many items leave a collection that is gone with one record: about 1 us each in the monitor.
constexpr std::size_t kDroppedAtOnce = 512;

}  // namespace

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::CollectionMemberBody& body) {
    using Change = record::CollectionMemberBody::Change;
    Outcome outcome = accepted(envelope);
    if (body.change == Change::kDropAll) {
        outcome.mark = collections_->drop(body.collection, kDroppedAtOnce);
        return outcome;
    }
    const auto slot = entities(EntityKind::kItem).find(body.item);
    if (!slot) return Outcome::refuse(unknown_entity(EntityKind::kItem, body.item));
    if (body.change == Change::kRemove) {
        if (collections_->remove(body.collection, *slot)) return outcome;
        return Outcome::refuse(Error(ErrorCode::kNotFound, "the item is not in the collection")
                                   .with_field("entity_id")
                                   .with_reason("not_in_collection"));
    }
    if (!collections_->has_room(body.collection, *slot))
        return Outcome::refuse(
            Error(ErrorCode::kOverloaded, "no room for more items in collections")
                .with_reason("collections_full")
                .with_hint("take some out, delete a collection, or give shards more memory for "
                           "them (--collections-memory-mib)"));
    outcome.created = collections_->put(body.collection, *slot, body.position, envelope.stamp);
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::DeliveryBody& body) {
    audience::Deliveries::Day day;
    TIDAL_ASSIGN(const std::uint32_t granted,
                 deliveries_.grant(body, audience::delivery_day(envelope.stamp.wall_ms()), &day));
    Outcome outcome = accepted(envelope);
    outcome.mark = Delivered{granted, day.delivered()}.bits();
    return outcome;
}

}  // namespace tidal::shard
