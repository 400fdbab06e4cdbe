// query/internal/top_view.h: the front of one profile's order, kept while entities change.
//
// Bounds   a score that time alone never raises (ranking/time_shape.h) is an upper bound of all its
//          later values, so an entry scored long ago is in the right place or too far to the front.
//          A walk scores such entries again when it meets them, before it goes on: it yields exact
//          scores in exact order, and pays only for what stands in front.
// Edge     the first place left out. Everything left out comes at or after it, at every later time,
//          unless an event touches it; touched entities are scored and come in or stay out by one
//          comparison with the edge.
// Risers   what a negative weight is still to leave may rise by time alone (ranking::mark_risers).
//          Such entities are kept in a set, few, and scored like touched ones before each walk that
//          comes after a border of a cell; the edge says nothing of them. They go once the weight
//          has. More than the set may hold and the view is crowded: of no use any more.
// Source   the stopping rule is that of the threshold algorithm (Fagin, Lotem, Naor, PODS 2001).
// Decay    the order of a source by one exponential decay is the same at every moment: all entries
//          are scored for one, far ahead, and never again unless an event touches them. What was
//          last touched some 950 half-lives ago is nothing there.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "query/internal/item_order.h"
#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"
#include "ranking/shard_view.h"
#include "ranking/time_shape.h"

namespace tidal::query {

struct ScoredSlot {
    double key = 0;  ///< ItemOrder::key of the score.
    Slot slot;
};

/// Threads: those of the shard. Lifetime: borrows the entity table.
class TopView {
public:
    struct Options {
        std::size_t capacity = 16'384;
        std::size_t risers_max = 1'024;
    };
    /// Entities that expired longer ago than this are left out.
    static constexpr UnixMillis kExpiredKeptMs = 3'600'000;

    TopView(const Options& options, std::shared_ptr<const ranking::CompiledProfile> profile,
            std::vector<double> params, ranking::TimeShape shape,
            const entity::EntityTable& entities, UnixMillis now);

    const ranking::TimeShape& shape() const { return shape_; }
    std::size_t size() const { return held_.size(); }
    std::size_t risers() const { return risers_.size(); }
    /// There were more risers than are kept: the view is to be made anew. Stays so.
    bool crowded() const { return crowded_; }
    /// Nothing is left out: the end of a walk is the end of the order.
    bool whole() const { return scanned() && !edge_; }

    /// Looks at the next `slots` slots of the table; `scanned()` once it has seen all.
    Result<void> scan(const ranking::ShardView& view, UnixMillis now, std::uint32_t slots);
    bool scanned() const { return scanned_; }
    /// Scores entities that something happened to. Slots may repeat.
    Result<void> rescore(const ranking::ShardView& view, UnixMillis now,
                         std::span<const std::uint32_t> slots);
    /// Whether an order as of `now` can be read: not from before what was scored last.
    bool covers(UnixMillis now) const;
    /// What was scored last was scored for then; the least moment there is before anything was.
    UnixMillis latest_ms() const { return latest_ms_; }
    /// Scores for one moment soon leave what a double can say: it is time to make the view again.
    bool is_worn(UnixMillis now) const { return is_timeless() && now > moment_ms_; }

    /// The held entities in exact order. Between two calls of next() nothing else may happen.
    class Walk {
    public:
        Walk(TopView& top, const ranking::ShardView& view, UnixMillis now)
            : top_(top), view_(view), now_(now) {}
        /// Up to `wanted` more; empty = the end. Valid until the next call.
        Result<std::span<const ScoredSlot>> next(std::size_t wanted) {
            return next(wanted, std::numeric_limits<std::size_t>::max(), [](Slot) { return true; });
        }
        /// Of those that `wants` says; what it does not want is passed over unscored. Looks at
        /// `looks` entries at most, so that empty may also mean that these were not enough.
        Result<std::span<const ScoredSlot>> next(std::size_t wanted, std::size_t looks,
                                                 absl::FunctionRef<bool(Slot)> wants);
        bool at_end() const { return at_end_; }
        std::size_t looked() const { return looked_; }  ///< At entries, wanted or not.
        std::uint64_t scored() const { return scored_; }

    private:
        TopView& top_;
        const ranking::ShardView& view_;
        const UnixMillis now_;
        std::optional<ScoredSlot> last_;
        std::vector<ScoredSlot> block_;
        std::uint64_t scored_ = 0;
        std::size_t looked_ = 0;
        bool at_end_ = false;
    };

private:
    struct Place {
        double key = 0;
        std::uint32_t slot = 0;
        mutable UnixMillis since = 0;  ///< steady_since() of when it was scored; no part of order.
    };
    struct Before {
        const entity::EntityTable* entities;
        bool operator()(const Place& a, const Place& b) const {
            if (a.key != b.key) return a.key > b.key;
            return a.slot != b.slot &&
                   entities->id_of(Slot(a.slot)) < entities->id_of(Slot(b.slot));
        }
    };
    using Places = absl::btree_set<Place, Before>;

    /// Shorter half-lives would have it made again all the time.
    static constexpr std::int64_t kHalfLifeMsMin = 60'000;
    bool is_timeless() const {
        return profile_->of_source && shape_.half_life_ms >= kHalfLifeMsMin;
    }
    UnixMillis steady_since(UnixMillis now) const {
        return is_timeless() ? moment_ms_ : shape_.steady_since(now);
    }
    Result<void> score(const ranking::ShardView& view, UnixMillis now, std::span<const Slot> slots);
    /// Scores those risers that time may have moved.
    Result<std::size_t> rescore_risers(const ranking::ShardView& view, UnixMillis now);
    void keep_riser(std::uint32_t slot);
    void put(std::uint32_t slot, double key, UnixMillis since);
    void drop(std::uint32_t slot);
    /// Expired so long ago that no page asks for it.
    bool is_past(std::uint32_t slot) const;
    void advance(UnixMillis now) { latest_ms_ = std::max(latest_ms_, now); }

    const Options options_;
    const std::shared_ptr<const ranking::CompiledProfile> profile_;
    const std::vector<double> params_;
    const ranking::TimeShape shape_;
    const entity::EntityTable& entities_;
    const ItemOrder order_;
    const UnixMillis moment_ms_;  ///< For which everything is scored, if the order is timeless.
    Places places_;
    absl::flat_hash_map<std::uint32_t, double> held_;  ///< Slot -> key.
    std::optional<Place> edge_;
    absl::btree_set<std::uint32_t> risers_;   ///< Slots, held or not.
    std::optional<UnixMillis> risers_since_;  ///< steady_since() of when all were scored last.
    bool crowded_ = false;
    UnixMillis latest_ms_ = std::numeric_limits<UnixMillis>::min();
    std::uint32_t next_slot_ = 0;
    bool scanned_ = false;
};

}  // namespace tidal::query
