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

/// What the items say, in their order; each shard is entered once.
std::vector<query::LikedItem> Database::read_items(std::span<const EntityId> items,
                                                   const query::FeedPlan& plan, bool pairs) {
    std::vector<query::LikedItem> out(items.size());
    std::vector<ShardId> shards;
    for (const EntityId& item : items)
        shards.push_back(shard_of(record::vshard_of(kDefaultTenant, plan.kind, item)));
    std::vector<bool> read(items.size());
    for (std::size_t first = 0; first < items.size(); ++first) {
        if (read[first]) continue;
        shard(shards[first]).with_state([&](shard::ShardState& state) {
            const ranking::ShardView view = state.view(plan.kind);
            for (std::size_t i = first; i < items.size(); ++i)
                if (shards[i] == shards[first]) view.entities.prefetch_id(items[i]);
            for (std::size_t i = first; i < items.size(); ++i) {
                if (shards[i] != shards[first]) continue;
                out[i] = query::read_liked(view, items[i], pairs, plan.user_slots, plan.now_ms);
                read[i] = true;
            }
        });
    }
    return out;
}

Result<void> Database::read_liked(query::FeedPlan* plan) {
    const auto of_user = plan->co_engaged.find(ranking::Anchor::kUser);
    const bool pairs = of_user != plan->co_engaged.end();
    if (!pairs && plan->user_slots.empty()) return {};
    const auto items = first_of(plan->user->liked, query::kLikedMax);
    const std::vector<query::LikedItem> liked = read_items(items, *plan, pairs);
    const auto schema = this->schema();
    const auto spec_of = [&](std::size_t i) -> const schema::EmbeddingSpec& {
        return schema->kind(plan->kind).embeddings[plan->user_slots[i].value()];
    };
    std::vector<query::Preference> preferences(plan->user_slots.size());
    double weight = 1;
    for (const query::LikedItem& item : liked) {
        if (pairs) query::add_co_engaged(item, weight, &of_user->second);
        for (std::size_t i = 0; i < preferences.size(); ++i)
            preferences[i].add(spec_of(i), item.vectors[i], weight);
        weight *= query::kLikedDecay;
    }
    if (pairs)
        for (const EntityId& item : plan->user->liked) of_user->second.erase(item);
    for (std::size_t i = 0; i < preferences.size(); ++i)
        TIDAL_TRY(preferences[i].finish(spec_of(i), plan));
    return {};
}

}  // namespace tidal::api
