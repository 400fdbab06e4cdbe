// From committed to applied to answered.
#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "query/top_views.h"
#include "shard/shard.h"

namespace tidal::shard {

void Shard::on_committed(LogIndex first, Result<void> result) {
    // Never waits for the monitor: the log's thread goes on to the next sync.
    const std::lock_guard lock(queue_mutex_);
    committed_.push_back({first, std::move(result)});
    if (std::exchange(drain_posted_, true)) return;
    executor_.post([this] { drain(); });
}

void Shard::drain() {
    std::vector<Finished> finished;
    std::vector<Waiter> ready;
    {
        const std::lock_guard lock(mutex_);
        std::deque<Committed> committed;
        {
            const std::lock_guard queue_lock(queue_mutex_);
            committed.swap(committed_);
            drain_posted_ = false;
        }
        apply_committed(std::move(committed), &finished);
        collect_waiters(&ready);
        const std::uint64_t behind = state_->applied().value() - checkpoint_index_.value();
        if (behind >= options_.checkpoint_events && may_checkpoint()) begin_checkpoint_locked({});
    }
    for (Finished& each : finished)
        if (each.done) each.done(std::move(each.result));
    for (Waiter& waiter : ready) waiter({});
    if (on_applied_) on_applied_();
    advance_stop();
}

namespace {

/// Where more batches are under way, slices grow with them: writers wait, too.
constexpr std::size_t kBatchesOfASlice = 8;

}  // namespace

/// Between two slices, before which all that is applied is counted: lets in whoever waits, once
/// enough was done since `entered`. Who waits for the monitor is on another thread; the next step
/// of a query waits for this one, and is taken here.
Result<void> Shard::give_way(LogIndex* entered) {
    const std::uint64_t applied = state_->applied().value() - entered->value();
    const std::size_t least = options_.batch_slice * (1 + in_flight_.size() / kBatchesOfASlice);
    if (applied < least) return {};
    const bool query = turns_.is_awaited();
    if (!query && !mutex_.is_awaited()) return {};
    TIDAL_TRY(state_->settle());
    note_progress();
    if (query) {
        mutex_.unlock();
        turns_.let_in();
        mutex_.lock();
    } else {
        mutex_.hand_over();
    }
    *entered = state_->applied();
    return {};
}

Result<std::vector<Outcome>> Shard::apply_in_slices(std::span<const record::Record> records,
                                                    LogIndex* entered) {
    std::vector<Outcome> outcomes, of_slice;
    outcomes.reserve(records.size());
    while (!records.empty()) {
        TIDAL_TRY(give_way(entered));
        const auto slice = records.first(std::min(options_.batch_slice, records.size()));
        TIDAL_TRY(state_->apply(slice, &of_slice));
        std::ranges::move(of_slice, std::back_inserter(outcomes));
        records = records.subspan(slice.size());
    }
    return outcomes;
}

/// A batch that met a full disk leaves a gap: every batch after it, committed or not, is refused as
/// well (replay skips what lies behind a gap), and once all have come back its indexes are given
/// out again.
void Shard::apply_committed(std::deque<Committed> committed, std::vector<Finished>* finished) {
    LogIndex entered = state_->applied();
    for (Committed& each : committed) {
        assert(in_flight_.front().first == each.first);
        if (!each.result.ok() && !refusing_) {
            refusing_ = true;
            refused_from_ = each.first;
        }
        Result<std::vector<Outcome>> outcomes{std::vector<Outcome>()};
        // In flight until all of it is applied, for those who come in between.
        if (!refusing_) outcomes = apply_in_slices(in_flight_.front().records, &entered);
        if (!outcomes.ok()) {
            runtime_.fatal(outcomes.error());
            return;
        }
        InFlight batch = std::move(in_flight_.front());
        in_flight_.pop_front();
        forget_in_flight(batch);
        if (refusing_) {
            Error error = each.result.ok()
                              ? Error(ErrorCode::kDiskFull,
                                      "no space left for the log: an earlier write was refused")
                              : Error(each.result.error());
            finish(std::move(batch), std::move(error), finished);
            continue;
        }
        finish(std::move(batch), std::move(outcomes), finished);
    }
    note_progress();
    if (refusing_ && in_flight_.empty()) {
        refusing_ = false;
        last_index_ = LogIndex(refused_from_.value() - 1);
    }
    if (auto settled = state_->settle(); !settled) runtime_.fatal(settled.error());
}

/// The answers of a batch, its own first, and of those who wait for it.
void Shard::finish(InFlight batch, Result<std::vector<Outcome>> result,
                   std::vector<Finished>* finished) {
    std::optional<Error> error;
    if (!result.ok()) error = result.error();
    if (!error) {
        answer_awaited(&batch.early);
        result = merge_early(std::move(*result), std::move(batch.early));
    }
    finished->push_back({std::move(batch.done), std::move(result)});
    for (Follower& follower : batch.followers) {
        if (error) {
            finished->push_back({std::move(follower.done), Error(*error)});
            continue;
        }
        answer_awaited(&follower.early);
        finished->push_back({std::move(follower.done), merge_early({}, std::move(follower.early))});
    }
}

void Shard::collect_waiters(std::vector<Waiter>* ready) {
    const std::lock_guard lock(queue_mutex_);
    std::erase_if(applied_waits_, [&](AppliedWait& wait) {
        if (state_->applied() < wait.index) return false;
        ready->push_back(std::move(wait.waiter));
        return true;
    });
    std::erase_if(mark_waits_, [&](MarkWait& wait) {
        if (state_->marks().get(wait.stream) < wait.sequence) return false;
        ready->push_back(std::move(wait.waiter));
        return true;
    });
}

void Shard::make_views() {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || std::exchange(making_views_, true)) return;
    }
    executor_.post([this] { make_views_slice(); });
}

void Shard::make_views_slice() {
    constexpr std::uint32_t kSliceSlots = 1024;  // About 200 us inside the monitor.
    if (replacing_.load()) {
        executor_.post_after(kReplacingNs, [this] { make_views_slice(); });
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        if (auto made = state_->step_views(kSliceSlots); !made) {
            runtime_.fatal(made.error());
            return;
        }
        const query::TopViews* const views = state_->item_views();
        making_views_ = !stopping_ && views != nullptr && views->has_work();
        if (!making_views_) return;
    }
    executor_.post([this] { make_views_slice(); });
}

}  // namespace tidal::shard
