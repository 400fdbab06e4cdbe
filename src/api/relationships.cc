// Relationships of a user: those to items from every shard, the others from the user's own.
#include <algorithm>

#include "api/database.h"
#include "api/resolve.h"
#include "base/edit_distance.h"
#include "query/co_engaged.h"
#include "query/viewer.h"

namespace tidal::api {
namespace {

using record::RelationshipKind;

constexpr std::string_view kNames[] = {"hides", "saves", "follows", "blocks", "mutes", "friends"};
static_assert(std::size(kNames) == record::kRelationshipKindCount);

}  // namespace

std::string_view relationship_name(RelationshipKind kind) {
    return kNames[static_cast<std::size_t>(kind)];
}

std::string_view relationship_target(RelationshipKind kind) {
    constexpr std::string_view kTargets[] = {"item_id", "friend_id", "creator_id"};
    return kTargets[static_cast<std::size_t>(record::target_kind(kind))];
}

Result<RelationshipKind> parse_relationship(std::string_view name) {
    const auto found = std::ranges::find(kNames, name);
    if (found != std::end(kNames)) return static_cast<RelationshipKind>(found - kNames);
    return Error(ErrorCode::kUnknownName,
                 "unknown kind of relationship `" + std::string(name) + "`")
        .with_field("kind")
        .with_hint(name_hint(name, std::vector<std::string_view>(kNames, std::end(kNames))))
        .with_reason("unknown_kind");
}

Result<void> Database::add_item_relationships(RelationshipKind kind, RelationshipsReply* reply) {
    const audience::StateId state =
        kind == RelationshipKind::kHides ? audience::kHidden : audience::kSaved;
    for (std::size_t id = 1; id < shards_.size(); ++id) {
        TIDAL_TRY(shards_[id]->with_readable([&](shard::ShardState& in) -> Result<void> {
            const Roaring* const slots = in.user_states().find(reply->user, state);
            if (slots == nullptr) return {};
            std::size_t taken = 0;
            for (const std::uint32_t slot : *slots) {
                if (++taken > kRelationshipsMax) break;
                TIDAL_ASSIGN(const HybridTime since,
                             in.user_states().since(reply->user, state, Slot(slot)));
                reply->relationships.push_back(
                    {kind, in.entities(EntityKind::kItem).id_of(Slot(slot)), since.wall_ms()});
            }
            return {};
        }));
    }
    return {};
}

Result<void> Database::add_other_relationships(RelationshipKind kind, RelationshipsReply* reply) {
    const ShardId home =
        shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, reply->user));
    return shard(home).with_readable([&](shard::ShardState& in) -> Result<void> {
        for (const auto& [target, since] : in.relationships().of(reply->user, kind))
            reply->relationships.push_back({kind, target, since.wall_ms()});
        return {};
    });
}

Result<RelationshipsReply> Database::relationships(const RelationshipsRequest& request) {
    TIDAL_TRY(check_readable());
    RelationshipsReply reply;
    TIDAL_ASSIGN(reply.user, resolve_id(*schema(), EntityKind::kUser, request.user_id, "user_id"));
    for (std::size_t at = 0; at < record::kRelationshipKindCount; ++at) {
        const auto kind = static_cast<RelationshipKind>(at);
        if (request.kind && *request.kind != kind) continue;
        const auto begin = static_cast<std::ptrdiff_t>(reply.relationships.size());
        if (record::is_of_items(kind)) {
            TIDAL_TRY(add_item_relationships(kind, &reply));
        } else {
            TIDAL_TRY(add_other_relationships(kind, &reply));
        }
        const auto first = reply.relationships.begin() + begin;
        std::sort(first, reply.relationships.end(),
                  [](const auto& a, const auto& b) { return a.target < b.target; });
        if (reply.relationships.end() - first <= static_cast<std::ptrdiff_t>(kRelationshipsMax))
            continue;
        reply.relationships.resize(static_cast<std::size_t>(begin) + kRelationshipsMax);
        reply.more = true;
    }
    return reply;
}

/// Phase 1 of a page for a user: what of the user all shards need to know.
Result<query::Viewer> Database::viewer_of(const EntityId& user, UnixMillis now_ms) {
    query::Viewer out;
    out.id = user;
    const ShardId home = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, user));
    TIDAL_TRY(shard(home).with_readable([&](shard::ShardState& in) -> Result<void> {
        const auto names = [&](RelationshipKind kind, query::Creators* creators) {
            for (const auto& [creator, since] : in.relationships().of(user, kind))
                creators->insert(creator);
        };
        names(RelationshipKind::kFollows, &out.followed);
        names(RelationshipKind::kBlocks, &out.blocked);
        names(RelationshipKind::kMutes, &out.muted);
        for (const auto& [one, since] : in.relationships().of(user, RelationshipKind::kFriends))
            out.friends.push_back(one);
        std::ranges::sort(out.friends);
        const audience::Taste* const known = in.tastes().find(user);
        if (known == nullptr) return {};
        const audience::TasteParts taste = known->parts();
        for (const audience::Affinity& affinity : taste.creators)
            out.affinities.emplace(affinity.creator, affinity.weight_at(now_ms));
        if (!taste.positives.empty()) out.newest_positive_ms = taste.positives.front().at_ms;
        if (!taste.negatives.empty()) out.newest_negative_ms = taste.negatives.front().at_ms;
        for (const audience::RingEntry& entry : taste.positives) out.liked.push_back(entry.item);
        for (const audience::RingEntry& entry : taste.negatives) out.disliked.push_back(entry.item);
        return {};
    }));
    return out;
}

}  // namespace tidal::api
