// shard/query_turns.h: the queries of one shard, a step of each in turn.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <mutex>

#include "base/result.h"
#include "runtime/clock.h"
#include "runtime/executor.h"

namespace tidal::shard {

/// At most one piece of work lies on the executor, whatever the number of queries, so what else is
/// posted there waits for one step. Threads: any. Lifetime: stop() after the executor has stopped
/// and before destruction.
class QueryTurns {
public:
    class [[nodiscard]] Turn {
    public:
        bool await_ready();
        bool await_suspend(std::coroutine_handle<> query);
        /// kUnavailable after stop().
        Result<void> await_resume() { return std::move(outcome_); }

    private:
        friend class QueryTurns;
        Turn(QueryTurns& turns, bool may_go_on) : turns_(turns), may_go_on_(may_go_on) {}
        QueryTurns& turns_;
        const bool may_go_on_;
        Result<void> outcome_;
    };

    QueryTurns(runtime::Executor& executor, runtime::Clock& clock)
        : executor_(executor), clock_(clock) {}

    /// co_await it before a query's first step: goes on at once, on the caller's thread, where no
    /// other query waits for its turn.
    Turn first() { return {*this, true}; }
    /// Before each further step: goes on as work of the executor, behind those who wait.
    Turn next() { return {*this, false}; }

    /// How long the next in turn has waited; 0 = nobody waits.
    std::uint64_t delay_ns();
    bool is_awaited();
    /// From long work of the executor, with nothing locked: who is next in turn takes its step now,
    /// instead of behind that work. Nothing where nobody waits.
    void let_in();
    /// Those who wait go on with kUnavailable, as do all that come later.
    void stop();

private:
    struct Waiting {
        std::coroutine_handle<> query;
        Result<void>* outcome;
        std::uint64_t since_ns;
    };

    void run_one();
    std::coroutine_handle<> take_next();

    runtime::Executor& executor_;
    runtime::Clock& clock_;
    std::mutex mutex_;
    std::deque<Waiting> waiting_;
    bool posted_ = false;  ///< run_one() is posted or under way.
    bool stopped_ = false;
};

}  // namespace tidal::shard
