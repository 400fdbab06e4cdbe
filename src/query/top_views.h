// query/top_views.h: the fronts of the orders that are asked for, kept while entities change, so
// that a page costs the same among ten thousand entities and among ten million.
//
// A view holds the first 16,384 of one profile's order. It is made when the profile is first asked
// for, in slices, and made again when too few of them are left; meanwhile pages are scanned. A
// profile has a view when it ranks all entities without a gate, by a score that depends on nothing
// of the request and that time alone never raises, but for the few entities that had a negative
// weight lately (internal/top_view.h, "Risers"). Where these are too many, pages are scanned, and
// the view is made again after a pause: at first ten seconds, twice as long each time. Views are
// accelerators: pages are the same without them, and nothing of them is kept on disk.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "query/internal/open_set.h"
#include "query/internal/top_view.h"
#include "query/view_miss.h"
#include "ranking/profile_registry.h"
#include "ranking/shard_view.h"

namespace tidal::query {

/// The views of one kind of entity in one shard. Threads: inside the shard's monitor. Lifetime:
/// borrows the entity table.
class TopViews {
public:
    struct Options {
        std::size_t views_max = 32;  ///< The one not asked for the longest goes.
        std::size_t capacity = 16'384;
        std::size_t risers_max = 1'024;      ///< Of one view.
        UnixMillis pause_ms = 10'000;        ///< Of a view with more of them, at first.
        UnixMillis pause_max_ms = 900'000;   ///< Doubled up to here.
        std::size_t refill_below = 4'096;    ///< A view with fewer left is made again.
        std::uint64_t entities_min = 4'096;  ///< With fewer, a scan is as good.
        std::uint64_t matched_min = 2'048;   ///< So few are scored faster than a view is searched.
        std::size_t touched_max = 256;       ///< Waiting to be scored, before settle() is due.
        UnixMillis idle_max_ms = 900'000;    ///< A view not asked for in so long is dropped.
    };
    /// @param restless_until_ms  Events dated up to here may be in the tables already, and in a
    ///                           cell that has not begun.
    TopViews(const Options& options, const entity::EntityTable& entities,
             UnixMillis restless_until_ms);
    const Options& options() const { return options_; }

    // What writers tell: after it is in the tables, before anyone reads.
    /// An event of `signal`; `stamp_ms` is when it was committed.
    void on_event(Slot slot, SignalTypeId signal, UnixMillis at_ms, UnixMillis stamp_ms);
    /// An entity was made, changed or deleted.
    void on_change(Slot slot);
    /// Whether settle() is due.
    bool crowded() const { return touched_.size() >= options_.touched_max; }
    /// Scores what was touched, in all views.
    Result<void> settle(const ranking::ShardView& view, UnixMillis stamp_ms);

    /// The view of a profile, up to date, or nullptr: the order has to be scanned. In that case the
    /// view may be under way from here on.
    /// @param params  By Program::params; only the profile's defaults have a view.
    Result<TopView*> find(const ranking::ShardView& view,
                          const std::shared_ptr<const ranking::CompiledProfile>& profile,
                          std::span<const double> params, UnixMillis now);
    /// The view of a source's order (CompiledProfile::source_orders), for lists: as of `now` or of
    /// whatever later moment the view has been read for, as nothing is left of what it was before.
    /// Keys of a walk say nothing but the order.
    struct Front {
        TopView* view = nullptr;
        UnixMillis as_of = 0;
    };
    Result<Front> find_front(const ranking::ShardView& view,
                             const std::shared_ptr<const ranking::CompiledProfile>& order,
                             UnixMillis now);
    /// Where the profile has a view that no longer knows how things stood at `now`: a moment that
    /// it can be read for; else 0.
    UnixMillis moment_after(const ranking::CompiledProfile& profile, std::span<const double> params,
                            UnixMillis now) const;
    /// How many entities a feed may show at `now`; nullopt when that is not known yet, or was too
    /// long ago.
    std::optional<std::uint64_t> count_open(UnixMillis now);
    /// A page was read from a view, or has to be scanned because of `miss`. A view that has become
    /// small is made again.
    void count_page(const TopView& view, std::optional<ViewMiss> miss);

    /// Whether a view is being made.
    bool has_work() const;
    /// Looks at `slots` more slots for one of them.
    Result<void> step(const ranking::ShardView& view, UnixMillis stamp_ms, std::uint32_t slots);

    struct Stats {
        std::uint64_t views = 0, building = 0, entries = 0, risers = 0;
        std::uint64_t built = 0;   ///< Scans finished since the start.
        std::uint64_t served = 0;  ///< Pages from a view...
        ViewMisses missed = {};    ///< ...and scanned instead.
    };
    Stats stats() const;

private:
    struct Touched {
        std::uint32_t slot;
        std::uint8_t signal;  ///< kEverything: the entity itself.
    };
    struct Kept {
        std::shared_ptr<const ranking::CompiledProfile> profile;
        ranking::TimeShape shape;
        std::uint64_t signals_read = 0;  ///< Bit = signal.
        std::unique_ptr<TopView> ready, building;
        std::size_t seen = 0;  ///< Of touched_.
        std::uint64_t used = 0;
        UnixMillis used_ms = 0;      ///< When it was last asked for.
        UnixMillis awake_ms = 0;     ///< When restless entities of `ready` were last scored.
        UnixMillis building_ms = 0;  ///< When the scan of `building` began.
        UnixMillis pause_ms = 0;     ///< The last one; 0 = not crowded since it was last made.
        UnixMillis paused_until_ms = std::numeric_limits<UnixMillis>::min();
    };
    /// An event dated into the future: its cell counts once it begins, without another event.
    struct Restless {
        UnixMillis at_ms;
        std::uint32_t slot;
    };

    Kept& keep(const ranking::ShardView& view,
               const std::shared_ptr<const ranking::CompiledProfile>& profile);
    void start(Kept& kept, UnixMillis now);
    Result<void> catch_up(Kept& kept, const ranking::ShardView& view, UnixMillis now);
    Result<void> rescore(Kept& kept, const ranking::ShardView& view, UnixMillis now);
    void pause_if_crowded(Kept& kept, UnixMillis now);
    TopView* miss(ViewMiss why);
    Result<bool> wake(Kept& kept, const ranking::ShardView& view, UnixMillis now);
    Result<void> tidy_restless(const ranking::ShardView& view, UnixMillis now);
    UnixMillis time_of(UnixMillis stamp_ms) const { return std::max(latest_ms_, stamp_ms); }

    const Options options_;
    const entity::EntityTable& entities_;
    std::optional<OpenSet> open_;  ///< While there are views.
    std::vector<Kept> kept_;
    std::vector<Touched> touched_;
    std::vector<std::uint32_t> scratch_;
    std::vector<Restless> restless_;
    UnixMillis restless_lost_ms_;  ///< Events dated up to here may be missing in restless_.
    UnixMillis latest_ms_;         ///< No query is older, as far as is known.
    std::uint64_t clock_ = 0;
    std::uint64_t built_ = 0, served_ = 0;
    ViewMisses missed_ = {};
};

}  // namespace tidal::query
