#include "shard/internal/queued_pairs.h"

#include <algorithm>
#include <array>
#include <optional>

namespace tidal::shard {

void QueuedPairs::add(const EntityId& item, std::span<const EntityId> others, double likes,
                      UnixMillis at_ms) {
    pairs_.push_back({static_cast<std::uint32_t>(ids_.size()),
                      static_cast<std::uint32_t>(others.size()), likes, at_ms});
    ids_.push_back(item);
    ids_.insert(ids_.end(), others.begin(), others.end());
}

void QueuedPairs::count(const entity::EntityTable& items, audience::CoEngagement* counted) {
    // So many misses a core has under way at once, and a few more.
    constexpr std::size_t kAtOnce = 16;
    std::array<std::optional<Slot>, kAtOnce> slots;
    for (std::size_t begin = 0; begin < pairs_.size(); begin += kAtOnce) {
        const auto pairs =
            std::span(pairs_).subspan(begin, std::min(kAtOnce, pairs_.size() - begin));
        for (const Pair& pair : pairs) items.prefetch_id(item_of(pair));
        for (const Pair& pair : pairs) items.prefetch_slot(item_of(pair));
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            slots[i] = items.find(item_of(pairs[i]));
            if (slots[i]) counted->prefetch_list(*slots[i]);
        }
        for (std::size_t i = 0; i < pairs.size(); ++i)
            if (slots[i]) counted->prefetch_items(*slots[i]);
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const Pair& pair = pairs[i];
            const auto others = std::span(ids_).subspan(pair.id + std::size_t{1}, pair.others);
            if (slots[i]) counted->count(*slots[i], others, pair.likes, pair.at_ms);
        }
    }
    ids_.clear();
    pairs_.clear();
}

}  // namespace tidal::shard
