#include "query/internal/top_view.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "ranking/table_features.h"

namespace tidal::query {
namespace {

/// Stale entries scored at once when a walk meets one.
constexpr std::size_t kWalkBlock = 64;
/// A timeless order is scored for so many half-lives after it was begun: 2^64 is little in a
/// double, whose range is 2^-1022 to 2^1023, and long for an order to be kept.
constexpr std::int64_t kHalfLivesAhead = 64, kHalfLivesCovered = 512;

}  // namespace

TopView::TopView(const Options& options, std::shared_ptr<const ranking::CompiledProfile> profile,
                 std::vector<double> params, ranking::TimeShape shape,
                 const entity::EntityTable& entities, UnixMillis now)
    : options_(options),
      profile_(std::move(profile)),
      params_(std::move(params)),
      shape_(std::move(shape)),
      entities_(entities),
      order_(profile_->profile.order.descending),
      moment_ms_(now + kHalfLivesAhead * shape_.half_life_ms),
      places_(Before{&entities}) {
    assert(shape_.never_rises && !profile_->program.gate);
}

bool TopView::covers(UnixMillis now) const {
    if (is_timeless() && now > moment_ms_ + kHalfLivesCovered * shape_.half_life_ms) return false;
    if (now >= latest_ms_) return true;
    return now > latest_ms_ - kExpiredKeptMs && steady_since(now) == steady_since(latest_ms_);
}

bool TopView::is_past(std::uint32_t slot) const {
    return entities_.expires_at_column()[slot] <= latest_ms_ - kExpiredKeptMs;
}

Result<void> TopView::scan(const ranking::ShardView& view, UnixMillis now, std::uint32_t slots) {
    advance(now);
    const std::uint32_t end =
        std::min<std::uint64_t>(std::uint64_t{next_slot_} + slots, entities_.slot_count());
    Slot block[ranking::kBlockSlots];
    std::size_t filled = 0;
    roaring_uint32_iterator_t at;
    roaring_init_iterator(&entities_.live().roaring, &at);
    roaring_move_uint32_iterator_equalorlarger(&at, next_slot_);
    for (; at.has_value && at.current_value < end; roaring_advance_uint32_iterator(&at)) {
        if (is_past(at.current_value)) continue;
        block[filled++] = Slot(at.current_value);
        if (filled < ranking::kBlockSlots) continue;
        TIDAL_TRY(score(view, now, {block, filled}));
        filled = 0;
    }
    if (filled > 0) TIDAL_TRY(score(view, now, {block, filled}));
    next_slot_ = end;
    scanned_ = end == entities_.slot_count();
    return {};
}

Result<void> TopView::rescore(const ranking::ShardView& view, UnixMillis now,
                              std::span<const std::uint32_t> slots) {
    advance(now);
    std::vector<std::uint32_t> wanted(slots.begin(), slots.end());
    std::ranges::sort(wanted);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    Slot block[ranking::kBlockSlots];
    std::size_t filled = 0;
    for (const std::uint32_t slot : wanted) {
        // What the scan has not reached yet, it will see as it then is.
        if (!scanned_ && slot >= next_slot_) continue;
        if (!entities_.live().contains(slot) || is_past(slot)) {
            drop(slot);
            continue;
        }
        block[filled++] = Slot(slot);
        if (filled < ranking::kBlockSlots) continue;
        TIDAL_TRY(score(view, now, {block, filled}));
        filled = 0;
    }
    if (filled == 0) return {};
    return score(view, now, {block, filled});
}

Result<void> TopView::score(const ranking::ShardView& view, UnixMillis now,
                            std::span<const Slot> slots) {
    ranking::TableFeatureSource source(view);
    const UnixMillis moment = is_timeless() ? moment_ms_ : now;
    ranking::Evaluator evaluator(profile_->program, source, {.now_ms = moment, .params = params_});
    TIDAL_ASSIGN(const auto scores, evaluator.run(slots));
    const UnixMillis since = steady_since(now);
    std::uint8_t rising[ranking::kBlockSlots];
    std::fill_n(rising, slots.size(), std::uint8_t{0});
    // Time multiplies all scores of a timeless order by one factor, those below 0 too.
    if (!is_timeless())
        TIDAL_TRY(ranking::mark_risers(view, shape_, slots, now, {rising, slots.size()}));
    for (std::size_t i = 0; i < slots.size(); ++i) {
        put(slots[i].value(), order_.key(scores[i]), since);
        if (rising[i] != 0) {
            keep_riser(slots[i].value());
        } else if (!risers_.empty()) {
            risers_.erase(slots[i].value());
        }
    }
    return {};
}

void TopView::keep_riser(std::uint32_t slot) {
    if (risers_.size() < options_.risers_max) {
        risers_.insert(slot);
    } else if (!risers_.contains(slot)) {
        crowded_ = true;
    }
}

Result<std::size_t> TopView::rescore_risers(const ranking::ShardView& view, UnixMillis now) {
    const UnixMillis since = steady_since(now);
    if (risers_.empty() || risers_since_ == since) return std::size_t{0};
    const std::vector<std::uint32_t> all(risers_.begin(), risers_.end());
    TIDAL_TRY(rescore(view, now, all));
    risers_since_ = since;
    return all.size();
}

void TopView::put(std::uint32_t slot, double key, UnixMillis since) {
    const Place place{key, slot, since};
    const bool inside = !edge_ || places_.key_comp()(place, *edge_);
    const auto held = held_.find(slot);
    if (held != held_.end()) {
        const auto old = places_.find(Place{held->second, slot});
        assert(old != places_.end());
        // Bits: a product of something below 0 may become -0.
        if (inside &&
            std::bit_cast<std::uint64_t>(held->second) == std::bit_cast<std::uint64_t>(key)) {
            old->since = since;
            return;
        }
        places_.erase(old);
        if (!inside) {
            held_.erase(held);
            return;
        }
        held->second = key;
        places_.insert(place);
        return;
    }
    if (!inside) return;
    held_.emplace(slot, key);
    places_.insert(place);
    if (held_.size() <= options_.capacity) return;
    const auto last = std::prev(places_.end());
    edge_ = *last;
    held_.erase(last->slot);
    places_.erase(last);
}

void TopView::drop(std::uint32_t slot) {
    risers_.erase(slot);
    const auto held = held_.find(slot);
    if (held == held_.end()) return;
    places_.erase(Place{held->second, slot});
    held_.erase(held);
}

Result<std::span<const ScoredSlot>> TopView::Walk::next(std::size_t wanted, std::size_t looks,
                                                        absl::FunctionRef<bool(Slot)> wants) {
    block_.clear();
    block_.reserve(std::min(wanted, top_.size()));
    top_.advance(now_);
    if (!last_) {
        TIDAL_ASSIGN(const std::size_t risers, top_.rescore_risers(view_, now_));
        scored_ += risers;
    }
    const UnixMillis since = top_.steady_since(now_);
    const auto rest = [&] {
        return last_ ? top_.places_.upper_bound(Place{last_->key, last_->slot.value()})
                     : top_.places_.begin();
    };
    // Those of the past are to go.
    const auto is_looked_for = [&](std::uint32_t slot) {
        return top_.is_past(slot) || wants(Slot(slot));
    };
    auto at = rest();
    std::vector<std::uint32_t> past;
    for (; block_.size() < wanted && looks > 0 && at != top_.places_.end(); --looks, ++looked_) {
        if (!is_looked_for(at->slot)) {
            last_ = ScoredSlot{at->key, Slot(at->slot)};
            ++at;
            continue;
        }
        if (at->since == since) {
            last_ = ScoredSlot{at->key, Slot(at->slot)};
            if (top_.is_past(at->slot)) {
                past.push_back(at->slot);
            } else {
                block_.push_back(*last_);
            }
            ++at;
            continue;
        }
        Slot stale[kWalkBlock];
        std::size_t count = 0;
        std::size_t seen = 0;
        for (auto next = at; next != top_.places_.end() && count < kWalkBlock && seen < looks;
             ++next, ++seen)
            if (next->since != since && is_looked_for(next->slot))
                stale[count++] = Slot(next->slot);
        TIDAL_TRY(top_.score(view_, now_, {stale, count}));
        scored_ += count;
        at = rest();
    }
    at_end_ = at == top_.places_.end();
    for (const std::uint32_t slot : past) top_.drop(slot);
    return std::span<const ScoredSlot>(block_);
}

}  // namespace tidal::query
