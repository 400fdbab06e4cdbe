#include "shard/query_turns.h"

#include <utility>

namespace tidal::shard {
namespace {

Error stopped() {
    return Error(ErrorCode::kUnavailable, "the node is shutting down").with_reason("shutting_down");
}

}  // namespace

bool QueryTurns::Turn::await_ready() {
    const std::lock_guard lock(turns_.mutex_);
    if (turns_.stopped_) {
        outcome_ = stopped();
        return true;
    }
    return may_go_on_ && !turns_.posted_;
}

bool QueryTurns::Turn::await_suspend(std::coroutine_handle<> query) {
    QueryTurns& turns = turns_;  // Once it waits, the query may go on and this be gone.
    const std::uint64_t now_ns = turns.clock_.monotonic_ns();
    bool post = false;
    {
        const std::lock_guard lock(turns.mutex_);
        if (turns.stopped_) {
            outcome_ = stopped();
            return false;
        }
        turns.waiting_.push_back({query, &outcome_, now_ns});
        post = !std::exchange(turns.posted_, true);
    }
    if (post) turns.executor_.post([&turns] { turns.run_one(); });
    return true;
}

std::uint64_t QueryTurns::delay_ns() {
    const std::lock_guard lock(mutex_);
    return waiting_.empty() ? 0 : clock_.monotonic_ns() - waiting_.front().since_ns;
}

bool QueryTurns::is_awaited() {
    const std::lock_guard lock(mutex_);
    return !waiting_.empty();
}

/// Null = nobody waits.
std::coroutine_handle<> QueryTurns::take_next() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return {};
    const std::coroutine_handle<> query = waiting_.front().query;
    waiting_.pop_front();
    return query;
}

void QueryTurns::let_in() {
    if (const auto query = take_next()) query.resume();
}

void QueryTurns::run_one() {
    let_in();  // Nobody, where all were let in since this was posted, or after stop().
    {
        const std::lock_guard lock(mutex_);
        posted_ = !waiting_.empty();
        if (!posted_) return;
    }
    executor_.post([this] { run_one(); });
}

void QueryTurns::stop() {
    std::deque<Waiting> waiting;
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        waiting.swap(waiting_);
    }
    for (const Waiting& each : waiting) {
        *each.outcome = stopped();
        each.query.resume();
    }
}

}  // namespace tidal::shard
