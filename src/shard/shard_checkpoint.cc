// Checkpoints and the shard's timer. One at a time; frozen and copied out in the monitor in slices,
// written outside it.
#include <utility>

#include "shard/shard.h"

namespace tidal::shard {
namespace {

constexpr std::uint64_t kTimerNs = 1'000'000'000;
constexpr std::size_t kSlicePages = 64;           // 1 MiB: about 100 us inside the monitor
constexpr std::size_t kSliceSteps = 2048;         // about as long
constexpr std::size_t kSliceRows = 128;           // likewise
constexpr std::size_t kSliceRowBytes = 24 << 10;  // of frozen rows: ten to a hundred
constexpr std::size_t kSliceShed = 512;           // rows that are freed
constexpr std::uint64_t kPinnedRetryMs = 5'000;   // a full disk is not asked more often
constexpr UnixMillis kTickMs = 60'000;
constexpr std::uint64_t kLeaveUnreadNs = 60'000'000'000;
constexpr std::uint64_t kTimeoutMs = 60'000;
constexpr std::uint64_t kStopGraceNs = 2'000'000'000;

}  // namespace

void Shard::schedule_timer() {
    timer_ = executor_.post_after(kTimerNs, [this] { on_timer(); });
}

/// The answers of writes that did not commit in time; the writes themselves go on.
std::vector<Shard::Finished> Shard::take_overdue() {
    std::vector<Finished> overdue;
    const std::uint64_t now = runtime_.clock().monotonic_ns();
    const auto take = [&](Done& done, std::uint64_t deadline_ns) {
        if (!done || deadline_ns > now) return;
        overdue.push_back(
            {std::exchange(done, Done()),
             Error(ErrorCode::kTimeout, "not committed in time; the write may survive")
                 .with_hint("retry with the same idempotency key")});
    };
    for (InFlight& batch : in_flight_) {
        take(batch.done, batch.deadline_ns);
        for (Follower& follower : batch.followers) take(follower.done, follower.deadline_ns);
    }
    std::erase_if(spreading_, [&](Spreading& spreading) {
        if (spreading.deadline_ns > now) return false;
        overdue.push_back({std::move(spreading.done), spread_too_little(spreading)});
        return true;
    });
    return overdue;
}

/// Waits for what has not come in time, and may never.
std::vector<Shard::Waiter> Shard::take_overdue_waiters() {
    std::vector<Waiter> overdue;
    const std::uint64_t now = runtime_.clock().monotonic_ns();
    const auto take = [&](auto& wait) {
        if (wait.deadline_ns > now) return false;
        overdue.push_back(std::move(wait.waiter));
        return true;
    };
    const std::lock_guard lock(queue_mutex_);
    std::erase_if(applied_waits_, take);
    std::erase_if(mark_waits_, take);
    return overdue;
}

/// One shard with few writes would keep the log of all others from going until its interval is
/// over.
bool Shard::checkpoint_due(std::uint64_t since_ms) const {
    if (state_->applied() <= checkpoint_index_) return false;
    if (since_ms >= options_.checkpoint_interval_ms) return true;
    return since_ms >= kPinnedRetryMs && keeper_->bytes_pinned() > options_.log_bytes_max;
}

void Shard::on_timer() {
    bool tick = false, leave_unread = false;
    std::vector<Finished> overdue;
    std::vector<Waiter> overdue_waiters;
    GraphJobPtr graph;
    timer_skipped_ = replacing_.load();
    if (timer_skipped_) return;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        const std::uint64_t since_ms =
            (runtime_.clock().monotonic_ns() - checkpoint_ns_) / 1'000'000;
        if (may_checkpoint() && checkpoint_due(since_ms)) begin_checkpoint_locked({});
        const UnixMillis now = runtime_.clock().wall_ms();
        const auto oldest = state_->idempotency().oldest_ms();
        const bool keys_due = oldest && now - *oldest > IdempotencyTable::kKeepMs + kTickMs;
        const bool sessions_due = state_->configured() && state_->sessions().due(now);
        tick = can_propose() && (keys_due || sessions_due) && now - ticked_ms_ >= kTickMs;
        if (tick) ticked_ms_ = now;
        const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
        leave_unread = state_->configured() && now_ns - left_unread_ns_ >= kLeaveUnreadNs;
        if (leave_unread) left_unread_ns_ = now_ns;
        graph = begin_graph_locked();
        overdue = take_overdue();
        overdue_waiters = take_overdue_waiters();
        schedule_timer();
    }
    if (graph) copy_graph_slice(std::move(graph));
    if (leave_unread) leave_unread_vectors(0, 0);
    for (Finished& each : overdue) each.done(std::move(each.result));
    for (Waiter& waiter : overdue_waiters)
        waiter(Error(ErrorCode::kTimeout, "not applied in time"));
    if (tick) {
        std::vector<record::Record> records(1);
        records[0].body = record::TickBody{};
        propose(std::move(records), WriteConcern::kMajority, kTimeoutMs,
                [](Result<std::vector<Outcome>>) {});
    }
}

bool Shard::may_checkpoint() const {
    return !checkpointing_ && !replacement_ && !stale_.load() && keeper_->durable();
}

void Shard::checkpoint(Waiter done) {
    if (!keeper_->durable())
        return done(Error(ErrorCode::kUnsupported, "an ephemeral database has no checkpoints"));
    if (auto readable = this->readable(); !readable.ok()) return done(std::move(readable));
    {
        const std::lock_guard lock(mutex_);
        if (checkpointing_ || may_checkpoint()) {
            begin_checkpoint_locked(std::move(done));
            return;
        }
    }
    done(still(0));
}

void Shard::hold_checkpoints(absl::AnyInvocable<void(const GroupPlace&)> work) {
    background_.post([this, work = std::move(work)]() mutable { work(durable_place_); });
}

void Shard::begin_checkpoint_locked(Waiter done) {
    if (done) checkpoint_waiters_.push_back(std::move(done));
    if (std::exchange(checkpointing_, true)) return;
    checkpoint_ns_ = runtime_.clock().monotonic_ns();
    executor_.post([this] { write_rows_slice(); });
}

/// Rows that follow memory, in slices as well; what is written meanwhile is little.
void Shard::write_rows_slice() {
    bool complete = false;
    {
        const std::lock_guard lock(mutex_);
        complete = state_->write_rows(kSliceRows);
        if (complete) {
            state_->prepare_checkpoint();
            frozen_place_ = state_->place();
            store_->begin_checkpoint(state_->applied());
            state_->freeze_rows();
            checkpoint_files_texts_ = plan_texts();
        }
    }
    executor_.post([this, complete] { complete ? copy_out_slice() : write_rows_slice(); });
}

void Shard::copy_out_slice() {
    bool complete = false;
    {
        const std::lock_guard lock(mutex_);
        complete = store_->copy_out(kSlicePages) && state_->write_frozen_rows(kSliceRowBytes);
    }
    // One slice per turn: writes and reads go on in between.
    if (!complete) {
        executor_.post([this] { copy_out_slice(); });
        return;
    }
    background_.post([this] { write_checkpoint(); });
}

void Shard::write_checkpoint() {
    auto written = store_->write_checkpoint();
    if (written.ok()) durable_place_ = frozen_place_;
    const bool file = written.ok() && checkpoint_files_texts_;
    executor_.post(
        [this, written = std::move(written)]() mutable { finish_checkpoint(std::move(written)); });
    if (file) file_texts();
}

void Shard::finish_checkpoint(Result<void> written) {
    std::vector<Waiter> waiters;
    std::shared_ptr<Error> failure;
    {
        const std::lock_guard lock(mutex_);
        store_->finish_checkpoint(written.ok());
        checkpointing_ = false;
        waiters.swap(checkpoint_waiters_);
        if (written.ok()) {
            ++checkpoints_;
            checkpoint_error_.clear();
            checkpoint_index_ = store_->checkpoint_index();
            keeper_->checkpointed(checkpoint_index_);
            if (!std::exchange(evicting_, true)) executor_.post([this] { evict_slice(); });
            file_graphs();
        } else {
            if (checkpoint_files_texts_) filing_texts_ = false;
            // A full disk passes; the log still holds everything. Anything else could hide damage.
            failure = std::make_shared<Error>(written.error());
            checkpoint_error_ = failure->to_string();
            if (failure->code() != ErrorCode::kDiskFull) runtime_.fatal(*failure);
        }
    }
    if (failure) {
        checkpoint_trouble_.note(*failure);
    } else {
        checkpoint_trouble_.over();
    }
    for (Waiter& waiter : waiters) {
        if (failure) {
            waiter(*failure);
        } else {
            waiter({});
        }
    }
    begin_replacement();
    advance_stop();
}

/// As with pages: one slice per turn.
void Shard::evict_slice() {
    if (replacing_.load()) {
        executor_.post_after(kReplacingNs, [this] { evict_slice(); });
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        evicting_ = true;
        if (store_->shed(kSliceShed)) {
            auto done = state_->evict_cold(kSliceSteps);
            if (!done.ok()) return runtime_.fatal(done.error());
            evicting_ = !*done;
        }
        if (!evicting_ || stopping_) return;
    }
    executor_.post([this] { evict_slice(); });
}

void Shard::stop(absl::AnyInvocable<void()> done) {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        stopped_ = std::move(done);
        executor_.cancel(timer_);
        if (replicator_ != nullptr)
            stop_timer_ = executor_.post_after(kStopGraceNs, [this] { give_up_in_flight(); });
    }
    executor_.post([this] { advance_stop(); });
}

/// Runs whenever something a stop waits for may have ended: writes in flight, a checkpoint.
void Shard::advance_stop() {
    absl::AnyInvocable<void()> stopped;
    std::vector<Waiter> waiters;
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_ || !stopped_ || !in_flight_.empty() || !spreading_.empty() ||
            checkpointing_ || filing_texts_ || filing_graph_ || replacement_)
            return;
        const bool changed = state_->applied() > checkpoint_index_;
        if (changed && may_checkpoint() && !std::exchange(final_checkpoint_, true)) {
            begin_checkpoint_locked({});
            return;
        }
        if (stop_timer_ != 0) executor_.cancel(stop_timer_);
        stopped.swap(stopped_);
        const std::lock_guard queue_lock(queue_mutex_);
        for (AppliedWait& wait : applied_waits_) waiters.push_back(std::move(wait.waiter));
        for (MarkWait& wait : mark_waits_) waiters.push_back(std::move(wait.waiter));
        applied_waits_.clear();
        mark_waits_.clear();
    }
    for (Waiter& waiter : waiters)
        waiter(Error(ErrorCode::kUnavailable, "the node is shutting down")
                   .with_reason("shutting_down"));
    stopped();
}

}  // namespace tidal::shard
