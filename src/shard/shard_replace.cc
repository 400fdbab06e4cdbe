// A snapshot takes the state's place: store and state are closed, and opened anew.
//
// The executor of checkpoints holds the monitor for as long as that takes. Whoever can looks at
// `replacing_` before it enters: only reads that asked nobody (readable()) wait.
#include <utility>

#include "shard/shard.h"

namespace tidal::shard {

Result<void> Shard::still(std::uint64_t generation) const {
    if (generation == generation_.load() && !stale_.load()) return {};
    return Error(ErrorCode::kUnavailable, "a snapshot takes the place of the shard's state")
        .with_reason("state_replaced")
        .with("shard", options_.state.shard.value())
        .with_hint("retry");
}

void Shard::replace_state(Replacement replacement, Waiter done) {
    executor_.post([this, replacement = std::move(replacement), done = std::move(done)]() mutable {
        while (drain_group()) {  // what lies before the snapshot
        }
        {
            const std::lock_guard lock(mutex_);
            replacement_.emplace(std::move(replacement));
            replaced_ = std::move(done);
        }
        begin_replacement();
    });
}

/// Once no checkpoint is under way: the store's files must be nobody's.
void Shard::begin_replacement() {
    {
        const std::lock_guard lock(mutex_);
        if (!replacement_ || checkpointing_ || filing_texts_ || filing_graph_ || replacing_.load())
            return;
        ++generation_;
        stale_ = true;
        replacing_ = true;
    }
    background_.post([this] { replace(); });
}

void Shard::replace() {
    Result<void> result;
    {
        const std::lock_guard lock(mutex_);
        state_.reset();
        store_.reset();
        result = replacement_->install();
        if (!result.ok() && result.error().code() != ErrorCode::kDiskFull)
            return runtime_.fatal(result.error());
        // After a full disk: what there was.
        auto opened = reopen();
        if (!opened.ok()) return runtime_.fatal(opened.error());
    }
    executor_.post(
        [this, result = std::move(result)]() mutable { end_replacement(std::move(result)); });
}

Result<void> Shard::reopen() {
    TIDAL_ASSIGN(store_, replacement_->open());
    TIDAL_ASSIGN(state_, ShardState::open(options_.state, *store_));
    checkpoint_index_ = state_->applied();
    last_index_ = std::max(last_index_, checkpoint_index_);
    clock_.observe(state_->last_stamp());
    note_progress();
    durable_place_ = state_->place();
    graph_files_worn_ = true;
    return {};
}

void Shard::end_replacement(Result<void> result) {
    Waiter done;
    std::vector<Waiter> ready;
    {
        const std::lock_guard lock(mutex_);
        replacement_.reset();
        done = std::exchange(replaced_, Waiter());
        replacing_ = false;
        if (result.ok()) {
            stale_ = false;
            checkpoint_ns_ = runtime_.clock().monotonic_ns();
            file_graphs();
            collect_waiters(&ready);
        }
    }
    for (Waiter& waiter : ready) waiter({});
    done(std::move(result));
    if (timer_skipped_) on_timer();
    drain_group();  // tells on_applied_ as well
}

}  // namespace tidal::shard
