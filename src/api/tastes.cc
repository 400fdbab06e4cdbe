// The first phase of a page: what it starts from, read from whichever shards have it.
#include <algorithm>
#include <span>

#include "api/database.h"
#include "query/co_engaged.h"
#include "query/feed.h"

namespace tidal::api {
namespace {

/// What the items say that the user liked, in their order. @param pairs  nullptr = not asked for.
Result<void> add_liked(std::span<const query::LikedItem> liked, const schema::Schema& schema,
                       query::CoEngaged* pairs, query::FeedPlan* plan) {
    const auto spec_of = [&](std::size_t i) -> const schema::EmbeddingSpec& {
        return schema.kind(plan->kind).embeddings[plan->user_slots[i].value()];
    };
    std::vector<query::Preference> preferences(plan->user_slots.size());
    double weight = 1;
    for (const query::LikedItem& item : liked) {
        if (pairs != nullptr) query::add_co_engaged(item, weight, pairs);
        for (std::size_t i = 0; i < preferences.size(); ++i)
            preferences[i].add(spec_of(i), item.vectors[i], weight);
        weight *= query::kLikedDecay;
    }
    if (pairs != nullptr)
        for (const EntityId& item : plan->user->liked) pairs->erase(item);
    for (std::size_t i = 0; i < preferences.size(); ++i)
        TIDAL_TRY(preferences[i].finish(spec_of(i), plan));
    return {};
}

}  // namespace

/// Of one item.
struct Database::ItemRead {
    const EntityId* item = nullptr;
    bool pairs = false;
    std::span<const EmbeddingSlotId> slots;
};

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
    return read_tastes(plan);
}

/// What the items say, in their order; each shard is entered once.
std::vector<query::LikedItem> Database::read_items(std::span<const ItemRead> reads,
                                                   const query::FeedPlan& plan) {
    std::vector<query::LikedItem> out(reads.size());
    std::vector<ShardId> shards;
    for (const ItemRead& each : reads)
        shards.push_back(shard_of(record::vshard_of(kDefaultTenant, plan.kind, *each.item)));
    std::vector<bool> read(reads.size());
    for (std::size_t first = 0; first < reads.size(); ++first) {
        if (read[first]) continue;
        shard(shards[first]).with_state([&](shard::ShardState& state) {
            const ranking::ShardView view = state.view(plan.kind);
            for (std::size_t i = first; i < reads.size(); ++i)
                if (shards[i] == shards[first]) view.entities.prefetch_id(*reads[i].item);
            for (std::size_t i = first; i < reads.size(); ++i)
                if (shards[i] == shards[first])
                    query::prefetch_liked(view, *reads[i].item, reads[i].pairs, reads[i].slots);
            for (std::size_t i = first; i < reads.size(); ++i) {
                if (shards[i] != shards[first]) continue;
                const ItemRead& each = reads[i];
                out[i] = query::read_liked(view, *each.item, each.pairs, each.slots, plan.now_ms);
                read[i] = true;
            }
        });
    }
    return out;
}

/// What the page's user liked and disliked, together: each entry of a shard may wait for writes.
Result<void> Database::read_tastes(query::FeedPlan* plan) {
    const auto of_user = plan->co_engaged.find(ranking::Anchor::kUser);
    query::CoEngaged* const pairs = of_user == plan->co_engaged.end() ? nullptr : &of_user->second;
    std::vector<ItemRead> reads;
    const auto want = [&](const std::vector<EntityId>& items, std::size_t most, bool with_pairs,
                          std::span<const EmbeddingSlotId> slots) {
        if (!with_pairs && slots.empty()) return;
        for (std::size_t i = 0; i < std::min(items.size(), most); ++i)
            reads.push_back({&items[i], with_pairs, slots});
    };
    if (!plan->user) return {};
    want(plan->user->liked, query::kLikedMax, pairs != nullptr, plan->user_slots);
    const std::size_t liked = reads.size();
    want(plan->user->disliked, ranking::AnchorVectors::kDislikedMax, false, plan->disliked_slots);
    const std::vector<query::LikedItem> said = read_items(reads, *plan);
    const auto schema = this->schema();
    for (std::size_t i = liked; i < said.size(); ++i)
        TIDAL_TRY(query::add_disliked(said[i], *schema, plan));
    return add_liked(std::span(said).first(liked), *schema, pairs, plan);
}

}  // namespace tidal::api
