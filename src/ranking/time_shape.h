// ranking/time_shape.h: how the score of an entity that nothing happens to moves with time.
//
// Found by walking a program once with, per register, an interval that holds its value and the
// directions in which time alone can move it. Every operator is treated by its monotony: addition
// rises with both sides, a product of values >= 0 rises with both, a window without cells below 0
// only falls, an age only rises. What cannot be told is "may rise".
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "ranking/program.h"
#include "schema/schema.h"

namespace tidal::ranking {

struct ShardView;

/// When what a feature reads can change by time alone.
struct TimeGrain {
    schema::Window window = schema::Window::k1h;
    bool slices = false;  ///< Of distinct users, instead of cells.
    auto operator<=>(const TimeGrain&) const = default;
};

struct TimeShape {
    /// Time alone never moves an entity towards the front of the order that mark_risers() does not
    /// mark. Says nothing of a gate.
    bool never_rises = false;
    /// Also between two moments of the same steady_since(): false when an age or a decay is read
    /// in a way that shows.
    bool steady = true;
    std::string reason;  ///< Why it may rise, for people; empty when never_rises.
    /// With `steady`: cells whose borders move the score. None = it does not depend on time.
    std::vector<TimeGrain> grains;
    /// Sums and decays of which `never_rises` believes that nothing in them is below 0.
    std::vector<Feature> trusted;
    /// Where the score is one exponential decay and nothing else, its half-life; else 0. Time
    /// multiplies all such scores by one factor, so that their order does not depend on it.
    std::int64_t half_life_ms = 0;

    /// Start of the time around `now` in which an untouched entity keeps its score to the last
    /// bit: the same value for two moments means the same score. `now` itself when not steady.
    UnixMillis steady_since(UnixMillis now) const;
};

/// @param descending  Whether greater scores come first.
TimeShape time_shape(const Program& program, const schema::Schema& schema, bool descending);

/// Sets marks[i] to 1 where time alone may move slots[i] towards the front from `now` on, until its
/// next event: what is `trusted` has something below 0, which ages or is to leave its window. Once
/// that is gone, the entity is not marked any more. Costs nothing while no weight was negative.
Result<void> mark_risers(const ShardView& view, const TimeShape& shape, std::span<const Slot> slots,
                         UnixMillis now, std::span<std::uint8_t> marks);

}  // namespace tidal::ranking
