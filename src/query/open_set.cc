#include "query/internal/open_set.h"

#include <algorithm>
#include <vector>

#include "query/internal/time_gates.h"

namespace tidal::query {

void OpenSet::scan(std::uint32_t slots) {
    const auto end = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(std::uint64_t{next_slot_} + slots, entities_.slot_count()));
    for (; next_slot_ < end; ++next_slot_) look_at(next_slot_);
    scanned_ = end == entities_.slot_count();
}

void OpenSet::on_change(std::uint32_t slot) {
    if (scanned_ || slot < next_slot_) look_at(slot);
}

void OpenSet::look_at(std::uint32_t slot) {
    if (!is_open(slot, latest_ms_)) {
        open_.remove(slot);
    } else {
        open_.add(slot);
    }
    if (!entities_.live().contains(slot)) return;
    for (const UnixMillis at :
         {entities_.publish_at_column()[slot], entities_.expires_at_column()[slot]})
        if (at >= kept_from_ms_ && at != std::numeric_limits<UnixMillis>::max())
            moments_.emplace(at, slot);
    tidy();
}

void OpenSet::tidy() {
    constexpr std::uint64_t kSmall = 1024;
    if (moments_.size() <= 4 * entities_.live_count() + kSmall) return;
    const auto publish_at = entities_.publish_at_column(),
               expires_at = entities_.expires_at_column();
    absl::erase_if(moments_, [&](const auto& moment) {
        const auto [at, slot] = moment;
        return !entities_.live().contains(slot) ||
               (publish_at[slot] != at && expires_at[slot] != at);
    });
}

bool OpenSet::is_open(std::uint32_t slot, UnixMillis now_ms) const {
    return entities_.live().contains(slot) && TimeGates(entities_, now_ms).open(slot);
}

void OpenSet::advance(UnixMillis now_ms) {
    auto at = moments_.upper_bound({latest_ms_, std::numeric_limits<std::uint32_t>::max()});
    latest_ms_ = now_ms;
    for (; at != moments_.end() && at->first <= now_ms; ++at) {
        if (is_open(at->second, now_ms)) {
            open_.add(at->second);
        } else {
            open_.remove(at->second);
        }
    }
    if (now_ms - kept_from_ms_ < 2 * kKeptMs) return;
    kept_from_ms_ = now_ms - kKeptMs;
    moments_.erase(moments_.begin(), moments_.lower_bound({kept_from_ms_, 0}));
}

std::optional<std::uint64_t> OpenSet::count_at(UnixMillis now_ms) {
    if (now_ms > latest_ms_) advance(now_ms);
    std::uint64_t count = open_.cardinality();
    if (now_ms == latest_ms_) return count;
    if (now_ms < kept_from_ms_) return std::nullopt;
    std::vector<std::uint32_t> moved;
    for (auto at = moments_.upper_bound({now_ms, std::numeric_limits<std::uint32_t>::max()});
         at != moments_.end() && at->first <= latest_ms_; ++at)
        moved.push_back(at->second);
    std::ranges::sort(moved);
    moved.erase(std::unique(moved.begin(), moved.end()), moved.end());
    for (const std::uint32_t slot : moved) {
        count += is_open(slot, now_ms) ? 1 : 0;
        count -= open_.contains(slot) ? 1 : 0;
    }
    return count;
}

}  // namespace tidal::query
