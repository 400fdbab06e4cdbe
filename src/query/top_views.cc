#include "query/top_views.h"

#include <algorithm>
#include <cassert>

#include "signal/cell_start.h"

namespace tidal::query {
namespace {

constexpr std::uint8_t kEverything = 0xff;
static_assert(schema::kSignalsMax <= 64, "signals_read is a 64-bit set");
/// Restless events kept at most: clients whose clocks run ahead.
constexpr std::size_t kRestlessTidied = 256;
constexpr std::size_t kRestlessMax = 65'536;

/// Whether the profile ranks all entities as it stands, whatever the request says.
bool is_whole_order(const ranking::CompiledProfile& profile, std::span<const double> params) {
    const auto& sources = profile.profile.sources;
    if (sources.size() != 1 || sources[0] != ranking::Source()) return false;
    if (profile.program.gate) return false;  // How many it lets through takes a look at all.
    if (profile.profile.explore_percent != 0) return false;  // Also shows what is not in front.
    for (std::size_t i = 0; i < params.size(); ++i) {
        const auto declared = std::ranges::find(profile.profile.params, profile.program.params[i],
                                                &ranking::ProfileParam::name);
        if (declared == profile.profile.params.end() || declared->default_value != params[i])
            return false;
    }
    return true;
}

bool reads_signal(ranking::FeatureKind kind) {
    return kind == ranking::FeatureKind::kDecay || kind == ranking::FeatureKind::kCount ||
           kind == ranking::FeatureKind::kSum || kind == ranking::FeatureKind::kUnique;
}

std::uint64_t signals_read_by(const ranking::Program& program) {
    std::uint64_t out = 0;
    for (const ranking::Feature& feature : program.features)
        if (reads_signal(feature.kind)) out |= std::uint64_t{1} << (feature.signal.value() & 63);
    return out;
}

/// Orders of sources are named by what they are (CompiledProfile::source_orders): the same
/// whichever profile lists by them, and under every schema, as signals keep their ids.
bool is_same_order(const ranking::CompiledProfile& a, const ranking::CompiledProfile& b) {
    return &a == &b || (a.of_source && b.of_source && a.profile.name == b.profile.name);
}

}  // namespace

TopViews::TopViews(const Options& options, const entity::EntityTable& entities,
                   UnixMillis restless_until_ms)
    : options_(options),
      entities_(entities),
      restless_lost_ms_(restless_until_ms),
      latest_ms_(std::numeric_limits<UnixMillis>::min()) {}

void TopViews::on_event(Slot slot, SignalTypeId signal, UnixMillis at_ms, UnixMillis stamp_ms) {
    constexpr UnixMillis kGrain = signal::kCellStartGrainMs;
    if (at_ms > stamp_ms && at_ms / kGrain != stamp_ms / kGrain)
        restless_.push_back({at_ms, slot.value()});
    // A page of an earlier moment must not have it scored for a time when it did not count yet.
    const UnixMillis counted_ms = std::min(at_ms, stamp_ms);
    if (counted_ms > latest_ms_ && counted_ms / kGrain != latest_ms_ / kGrain)
        latest_ms_ = counted_ms;
    if (!kept_.empty())
        touched_.push_back({slot.value(), static_cast<std::uint8_t>(signal.value())});
}

void TopViews::on_change(Slot slot) {
    if (open_) open_->on_change(slot.value());
    if (!kept_.empty()) touched_.push_back({slot.value(), kEverything});
}

Result<void> TopViews::settle(const ranking::ShardView& view, UnixMillis stamp_ms) {
    const UnixMillis now = time_of(stamp_ms);
    std::erase_if(kept_,
                  [&](const Kept& kept) { return now - kept.used_ms > options_.idle_max_ms; });
    if (kept_.empty()) open_.reset();
    for (Kept& kept : kept_) TIDAL_TRY(catch_up(kept, view, now));
    touched_.clear();
    for (Kept& kept : kept_) kept.seen = 0;
    return tidy_restless(view, now);
}

/// Forgets events whose cells have begun, once every view has counted them.
Result<void> TopViews::tidy_restless(const ranking::ShardView& view, UnixMillis now) {
    if (restless_.size() < kRestlessTidied) return {};
    for (Kept& kept : kept_) {
        TIDAL_ASSIGN(const bool awake, wake(kept, view, now));
        if (!awake) start(kept, now);
    }
    // `wake` leaves a view asleep while nothing of it has changed: those keep what is theirs.
    UnixMillis needed = now;
    for (const Kept& kept : kept_) {
        if (kept.ready) needed = std::min(needed, kept.awake_ms);
        if (kept.building) needed = std::min(needed, kept.building_ms);
    }
    std::erase_if(restless_, [&](const Restless& event) { return event.at_ms < needed; });
    if (restless_.size() < kRestlessMax) return {};
    for (const Restless& event : restless_)
        restless_lost_ms_ = std::max(restless_lost_ms_, event.at_ms);
    restless_.clear();
    return {};
}

Result<TopView*> TopViews::find(const ranking::ShardView& view,
                                const std::shared_ptr<const ranking::CompiledProfile>& profile,
                                std::span<const double> params, UnixMillis now) {
    if (entities_.live_count() < options_.entities_min || !is_whole_order(*profile, params))
        return nullptr;
    latest_ms_ = std::max(latest_ms_, now);
    if (!open_) open_.emplace(entities_, latest_ms_);
    Kept& kept = keep(view, profile);
    kept.used = ++clock_;
    kept.used_ms = latest_ms_;
    if (!kept.shape.never_rises) return miss(ViewMiss::kTime);
    if (!kept.ready && !kept.building && latest_ms_ >= kept.paused_until_ms)
        start(kept, latest_ms_);
    if (kept.ready && kept.ready->is_worn(now) && !kept.building) start(kept, latest_ms_);
    if (kept.ready && !kept.ready->covers(now)) return miss(ViewMiss::kMoment);
    // What is scored here is scored for the newest query's time: an older one may then be too old.
    TIDAL_TRY(catch_up(kept, view, latest_ms_));
    TIDAL_ASSIGN(const bool awake, wake(kept, view, latest_ms_));
    if (!awake) start(kept, latest_ms_);
    if (!kept.ready) return miss(kept.building ? ViewMiss::kMaking : ViewMiss::kNegatives);
    if (!kept.ready->covers(now)) return miss(ViewMiss::kMoment);
    return kept.ready.get();
}

TopView* TopViews::miss(ViewMiss why) {
    ++missed_[static_cast<std::size_t>(why)];
    return nullptr;
}

Result<TopViews::Front> TopViews::find_front(
    const ranking::ShardView& view, const std::shared_ptr<const ranking::CompiledProfile>& order,
    UnixMillis now) {
    Front out{.as_of = std::max(now, latest_ms_)};
    for (const Kept& kept : kept_)
        if (kept.ready && is_same_order(*kept.profile, *order))
            out.as_of = std::max(out.as_of, kept.ready->latest_ms());
    TIDAL_ASSIGN(out.view, find(view, order, {}, out.as_of));
    return out;
}

UnixMillis TopViews::moment_after(const ranking::CompiledProfile& profile,
                                  std::span<const double> params, UnixMillis now) const {
    if (entities_.live_count() < options_.entities_min || !is_whole_order(profile, params))
        return 0;
    for (const Kept& kept : kept_) {
        if (!kept.ready || !is_same_order(*kept.profile, profile)) continue;
        // What was touched is scored for the newest query's time.
        UnixMillis newest = kept.ready->latest_ms();
        if (kept.seen < touched_.size()) newest = std::max(newest, latest_ms_);
        const bool is_same = kept.shape.steady_since(now) == kept.shape.steady_since(newest);
        return newest > now && !is_same ? newest : 0;
    }
    return 0;
}

TopViews::Kept& TopViews::keep(const ranking::ShardView& view,
                               const std::shared_ptr<const ranking::CompiledProfile>& profile) {
    for (Kept& kept : kept_)
        if (is_same_order(*kept.profile, *profile)) return kept;
    // The same profile compiled against an older schema.
    std::erase_if(kept_, [&](const Kept& kept) {
        return kept.profile->profile.name == profile->profile.name &&
               kept.profile->profile.version == profile->profile.version;
    });
    if (kept_.size() >= options_.views_max)
        kept_.erase(std::ranges::min_element(kept_, {}, &Kept::used));
    Kept& kept = kept_.emplace_back();
    kept.profile = profile;
    kept.signals_read = signals_read_by(profile->program);
    kept.shape =
        ranking::time_shape(profile->program, view.schema, profile->profile.order.descending);
    return kept;
}

void TopViews::start(Kept& kept, UnixMillis now) {
    if (!kept.ready && !kept.building) kept.seen = touched_.size();
    std::vector<double> params;
    for (const std::string& name : kept.profile->program.params)
        params.push_back(
            std::ranges::find(kept.profile->profile.params, name, &ranking::ProfileParam::name)
                ->default_value);
    kept.building = std::make_unique<TopView>(
        TopView::Options{.capacity = options_.capacity, .risers_max = options_.risers_max},
        kept.profile, std::move(params), kept.shape, entities_, now);
    kept.building_ms = now;
}

/// Scores what was touched since it was last asked for.
Result<void> TopViews::catch_up(Kept& kept, const ranking::ShardView& view, UnixMillis now) {
    scratch_.clear();
    for (; kept.seen < touched_.size(); ++kept.seen) {
        const Touched& touched = touched_[kept.seen];
        if (touched.signal == kEverything || (kept.signals_read >> touched.signal & 1) != 0)
            scratch_.push_back(touched.slot);
    }
    return rescore(kept, view, now);
}

Result<void> TopViews::rescore(Kept& kept, const ranking::ShardView& view, UnixMillis now) {
    if (scratch_.empty()) return {};
    if (kept.ready) TIDAL_TRY(kept.ready->rescore(view, now, scratch_));
    if (kept.building) TIDAL_TRY(kept.building->rescore(view, now, scratch_));
    pause_if_crowded(kept, now);
    return {};
}

/// How many weights are still to leave their windows is known again only once the view is made
/// anew, which reads every entity: less and less often while it is of no use.
void TopViews::pause_if_crowded(Kept& kept, UnixMillis now) {
    if (!(kept.ready && kept.ready->crowded()) && !(kept.building && kept.building->crowded()))
        return;
    kept.ready.reset();
    kept.building.reset();
    kept.pause_ms = std::clamp(2 * kept.pause_ms, options_.pause_ms, options_.pause_max_ms);
    kept.paused_until_ms = now + kept.pause_ms;
}

/// False = events that were dated ahead are not known: the view has to be made again.
Result<bool> TopViews::wake(Kept& kept, const ranking::ShardView& view, UnixMillis now) {
    if (!kept.ready) return true;
    if (kept.shape.grains.empty()) {  // It reads no cells: what is dated ahead counts already.
        kept.awake_ms = now;
        return true;
    }
    if (kept.shape.steady_since(now) == kept.shape.steady_since(kept.awake_ms)) return true;
    if (kept.awake_ms <= restless_lost_ms_) {
        kept.ready.reset();
        return false;
    }
    scratch_.clear();
    for (const Restless& event : restless_)
        if (event.at_ms >= kept.awake_ms) scratch_.push_back(event.slot);
    TIDAL_TRY(rescore(kept, view, now));
    kept.awake_ms = now;
    return true;
}

void TopViews::count_page(const TopView& view, std::optional<ViewMiss> miss) {
    ++(miss ? missed_[static_cast<std::size_t>(*miss)] : served_);
    for (Kept& kept : kept_)
        if (kept.ready.get() == &view && !kept.building && !view.whole() &&
            view.size() < options_.refill_below)
            start(kept, latest_ms_);
}

std::optional<std::uint64_t> TopViews::count_open(UnixMillis now) {
    if (!open_ || !open_->scanned()) return std::nullopt;
    return open_->count_at(now);
}

bool TopViews::has_work() const {
    return (open_ && !open_->scanned()) ||
           std::ranges::any_of(kept_, [](const Kept& kept) { return kept.building != nullptr; });
}

Result<void> TopViews::step(const ranking::ShardView& view, UnixMillis stamp_ms,
                            std::uint32_t slots) {
    if (open_ && !open_->scanned()) {
        open_->scan(slots);
        return {};
    }
    const auto kept =
        std::ranges::find_if(kept_, [](const Kept& each) { return each.building != nullptr; });
    if (kept == kept_.end()) return {};
    TIDAL_TRY(kept->building->scan(view, time_of(stamp_ms), slots));
    pause_if_crowded(*kept, time_of(stamp_ms));
    if (!kept->building || !kept->building->scanned()) return {};
    kept->ready = std::move(kept->building);
    kept->pause_ms = 0;
    kept->awake_ms = kept->building_ms;
    ++built_;
    return {};
}

TopViews::Stats TopViews::stats() const {
    Stats out{.built = built_, .served = served_, .missed = missed_};
    for (const Kept& kept : kept_) {
        out.views += kept.ready != nullptr;
        out.building += kept.building != nullptr;
        if (!kept.ready) continue;
        out.entries += kept.ready->size();
        out.risers += kept.ready->risers();
    }
    return out;
}

}  // namespace tidal::query
