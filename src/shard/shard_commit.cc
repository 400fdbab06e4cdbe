// From committed to applied to answered.
#include <cassert>
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
        if (behind >= options_.checkpoint_events && !checkpointing_ && committer_->durable())
            begin_checkpoint_locked({});
    }
    for (Finished& each : finished)
        if (each.done) each.done(std::move(each.result));
    for (Waiter& waiter : ready) waiter({});
    if (on_applied_) on_applied_();
    advance_stop();
}

/// A batch that met a full disk leaves a gap: every batch after it, committed or not, is refused as
/// well (replay skips what lies behind a gap), and once all have come back its indexes are given
/// out again.
void Shard::apply_committed(std::deque<Committed> committed, std::vector<Finished>* finished) {
    for (Committed& each : committed) {
        InFlight batch = std::move(in_flight_.front());
        in_flight_.pop_front();
        assert(batch.first == each.first);
        forget_in_flight(batch);
        if (!each.result.ok() && !refusing_) {
            refusing_ = true;
            refused_from_ = batch.first;
        }
        if (refusing_) {
            Error error = each.result.ok()
                              ? Error(ErrorCode::kDiskFull,
                                      "no space left for the log: an earlier write was refused")
                              : Error(each.result.error());
            for (Follower& follower : batch.followers)
                finished->push_back({std::move(follower.done), Error(error)});
            finished->push_back({std::move(batch.done), std::move(error)});
            continue;
        }
        std::vector<Outcome> outcomes;
        if (auto applied = state_->apply(batch.records, &outcomes); !applied) {
            runtime_.fatal(applied.error());
            return;
        }
        answer_awaited(&batch.early);
        finished->push_back(
            {std::move(batch.done), merge_early(std::move(outcomes), std::move(batch.early))});
        for (Follower& follower : batch.followers) {
            answer_awaited(&follower.early);
            finished->push_back(
                {std::move(follower.done), merge_early({}, std::move(follower.early))});
        }
    }
    if (refusing_ && in_flight_.empty()) {
        refusing_ = false;
        last_index_ = LogIndex(refused_from_.value() - 1);
    }
    if (auto settled = state_->settle(); !settled) runtime_.fatal(settled.error());
}

void Shard::collect_waiters(std::vector<Waiter>* ready) {
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
    {
        const std::lock_guard lock(mutex_);
        if (auto made = state_->step_views(kSliceSlots); !made) {
            runtime_.fatal(made.error());
            return;
        }
        making_views_ = !stopping_ && state_->item_views()->has_work();
        if (!making_views_) return;
    }
    executor_.post([this] { make_views_slice(); });
}

}  // namespace tidal::shard
