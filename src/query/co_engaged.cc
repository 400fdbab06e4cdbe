#include "query/co_engaged.h"

#include <algorithm>
#include <cmath>

#include "audience/co_engagement.h"
#include "query/feed.h"
#include "vector/probe.h"

namespace tidal::query {

namespace {

void read_pairs(const ranking::ShardView& view, Slot slot, UnixMillis now_ms, LikedItem* out) {
    const audience::NeighbourList* const neighbours =
        view.co_engagement == nullptr ? nullptr : view.co_engagement->find(slot);
    if (neighbours == nullptr) return;
    const double decay = neighbours->decay_to(now_ms);
    out->likes = std::max(1.0, neighbours->events() * decay);
    out->both.reserve(neighbours->size());
    for (std::size_t i = 0; i < neighbours->size(); ++i)
        out->both.emplace_back(neighbours->item(i), neighbours->weight(i) * decay);
}

}  // namespace

LikedItem read_liked(const ranking::ShardView& view, const EntityId& item, bool pairs,
                     std::span<const EmbeddingSlotId> slots, UnixMillis now_ms) {
    LikedItem out;
    out.vectors.resize(slots.size());
    const auto slot = view.entities.find(item);
    if (!slot) return out;
    if (pairs) read_pairs(view, *slot, now_ms, &out);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto* const vectors =
            view.vectors == nullptr ? nullptr : view.vectors->find(slots[i]);
        if (vectors != nullptr && vectors->has(*slot)) out.vectors[i] = vectors->values(*slot);
    }
    return out;
}

void prefetch_liked(const ranking::ShardView& view, const EntityId& item, bool pairs,
                    std::span<const EmbeddingSlotId> slots) {
    const auto slot = view.entities.find(item);
    if (!slot) return;
    if (pairs && view.co_engagement != nullptr) view.co_engagement->prefetch_list(*slot);
    for (const EmbeddingSlotId each : slots)
        if (const auto* const vectors =
                view.vectors == nullptr ? nullptr : view.vectors->find(each))
            vectors->prefetch(*slot);
}

void add_co_engaged(const LikedItem& item, double weight, CoEngaged* out) {
    constexpr double kShrinkage = 10;
    for (const auto& [other, both] : item.both)
        (*out)[other] += weight * both / std::sqrt(item.likes) * both / (both + kShrinkage);
}

void add_co_engaged(const ranking::ShardView& view, const EntityId& item, double weight,
                    UnixMillis now_ms, CoEngaged* out) {
    add_co_engaged(read_liked(view, item, true, {}, now_ms), weight, out);
}

double co_engaged_value(const ranking::ShardView& view, double part, Slot slot, UnixMillis now_ms) {
    const audience::NeighbourList* const own =
        view.co_engagement == nullptr ? nullptr : view.co_engagement->find(slot);
    const double likes = own == nullptr ? 0 : own->events() * own->decay_to(now_ms);
    return part / std::sqrt(std::max(1.0, likes));
}

void fill_co_engaged(const ranking::ShardView& view, const CoEngaged& parts, UnixMillis now_ms,
                     std::span<const Slot> slots, std::span<double> out) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
        out[i] = 0;
        const auto part = parts.find(view.entities.id_of(slots[i]));
        if (part == parts.end()) continue;
        out[i] = co_engaged_value(view, part->second, slots[i], now_ms);
    }
}

void Preference::add(const schema::EmbeddingSpec& spec, std::span<const float> values,
                     double weight) {
    if (values.empty()) return;
    const bool l2 = spec.metric == schema::Metric::kL2;
    const double norm = l2 ? 1 : vector::norm_of(values);
    if (!(norm > 0)) return;
    sum_.resize(values.size());
    weight_ += weight;
    for (std::size_t i = 0; i < values.size(); ++i)
        sum_[i] += weight * static_cast<double>(values[i]) / norm;
}

Result<void> Preference::finish(const schema::EmbeddingSpec& spec, FeedPlan* plan) const {
    if (sum_.empty()) return {};
    std::vector<float> values;
    for (const double each : sum_) values.push_back(static_cast<float>(each / weight_));
    auto probe = vector::make_probe(spec, values);
    if (!probe) return {};  // What was liked points every way.
    plan->anchors.set(spec.id, ranking::Anchor::kUser, *std::move(probe));
    return {};
}

Result<void> add_disliked(const LikedItem& item, const schema::Schema& schema, FeedPlan* plan) {
    for (std::size_t i = 0; i < plan->disliked_slots.size(); ++i) {
        if (item.vectors[i].empty()) continue;
        const EmbeddingSlotId slot = plan->disliked_slots[i];
        const auto& spec = schema.kind(plan->kind).embeddings[slot.value()];
        TIDAL_ASSIGN(auto probe, vector::make_probe(spec, item.vectors[i]));
        plan->anchors.add_disliked(slot, std::move(probe));
    }
    return {};
}

}  // namespace tidal::query
