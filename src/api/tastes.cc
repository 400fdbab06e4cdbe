// The first phase of a page: what it starts from, read from whichever shards have it.
#include <algorithm>
#include <span>

#include "api/database.h"
#include "query/co_engaged.h"
#include "query/feed.h"

namespace tidal::api {
namespace {

std::span<const EntityId> first_of(const std::vector<EntityId>& items, std::size_t max) {
    return std::span(items).first(std::min(items.size(), max));
}

}  // namespace

Result<void> Database::read_anchors(query::FeedPlan* plan) {
    const auto of_item = plan->co_engaged.find(ranking::Anchor::kItem);
    const bool item = of_item != plan->co_engaged.end();
    if (item || !plan->item_slots.empty()) {
        const VShard vshard = record::vshard_of(kDefaultTenant, plan->kind, *plan->similar_to);
        auto read = shard(shard_of(vshard)).with_state([&](shard::ShardState& state) {
            const ranking::ShardView view = state.view(plan->kind);
            if (item)
                query::add_co_engaged(view, *plan->similar_to, 1, plan->now_ms, &of_item->second);
            return query::read_anchor_item(view, plan);
        });
        TIDAL_TRY(std::move(read));
    }
    TIDAL_TRY(read_disliked(plan));
    return read_liked(plan);
}

Result<void> Database::read_disliked(query::FeedPlan* plan) {
    if (plan->disliked_slots.empty()) return {};
    constexpr std::size_t kMax = ranking::AnchorVectors::kDislikedMax;
    for (const EntityId& item : first_of(plan->user->disliked, kMax)) {
        const VShard vshard = record::vshard_of(kDefaultTenant, plan->kind, item);
        TIDAL_TRY(shard(shard_of(vshard)).with_state([&](shard::ShardState& state) {
            return query::add_disliked(state.view(plan->kind), item, plan);
        }));
    }
    return {};
}

Result<void> Database::read_liked(query::FeedPlan* plan) {
    const auto of_user = plan->co_engaged.find(ranking::Anchor::kUser);
    const bool pairs = of_user != plan->co_engaged.end();
    if (!pairs && plan->user_slots.empty()) return {};
    std::vector<query::Preference> preferences(plan->user_slots.size());
    double weight = 1;
    for (const EntityId& item : first_of(plan->user->liked, query::kLikedMax)) {
        const VShard vshard = record::vshard_of(kDefaultTenant, plan->kind, item);
        shard(shard_of(vshard)).with_state([&](shard::ShardState& state) {
            const ranking::ShardView view = state.view(plan->kind);
            if (pairs) query::add_co_engaged(view, item, weight, plan->now_ms, &of_user->second);
            for (std::size_t i = 0; i < preferences.size(); ++i)
                preferences[i].add(view, plan->user_slots[i], item, weight);
        });
        weight *= query::kLikedDecay;
    }
    if (pairs)
        for (const EntityId& item : plan->user->liked) of_user->second.erase(item);
    const auto schema = this->schema();
    for (std::size_t i = 0; i < preferences.size(); ++i)
        TIDAL_TRY(preferences[i].finish(
            schema->kind(plan->kind).embeddings[plan->user_slots[i].value()], plan));
    return {};
}

}  // namespace tidal::api
