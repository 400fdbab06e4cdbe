// api/query_gate.h: which queries run, which wait, which get less and which are refused.
//
// A query's first step is free: most need no other, and those never wait behind scans. One that
// needs more enters here: so many run at a time, taking turns step by step, and the others wait.
// How long they wait is the measure of load (semantics.md, "Under load"):
//
//     0 full . 1 shorter lists of candidates . 2 also no facets and explanations . 3 refused
//
// A burst may wait for shed_ms. Where for so long somebody has always waited for level_1_ms the
// queue is no burst: waiting there makes nothing faster, so who then waits for level_1_ms is
// refused, unless it is urgent
// (controlled delay and adaptive LIFO as in Maurer, "Fail at Scale", ACM Queue 13(8), 2015). Nor
// does such a queue grow: who would only lengthen it is refused when it comes, before its first
// step, unless the last of its kind needed no other.
//
// They enter in their order until the first has waited for level_1_ms, then the newest first: when
// more come than can be served, it is better that most are served soon and the others refused than
// that everybody waits for as long as is allowed. Urgent ones enter before both.
#pragma once

#include <array>
#include <bitset>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "runtime/clock.h"
#include "runtime/executor.h"

namespace tidal::api {

/// Milliseconds that queries wait: from which each level begins. 0 < level_1 <= level_2 <= shed.
struct LoadLimits {
    std::uint32_t level_1_ms = 20;
    std::uint32_t level_2_ms = 50;
    std::uint32_t shed_ms = 100;
    /// Queries of more than one step at a time; 0 = two for each executor that has a shard: one
    /// alone would keep the others waiting for the longest of all, and each one more only makes all
    /// of them take longer, since an executor does one step at a time.
    std::uint32_t running_max = 0;
    std::uint32_t waiting_max = 1024;
};
/// With the number in place of a running_max of 0. @param executors  >= 1.
LoadLimits with_default_running(LoadLimits limits, std::uint32_t executors);
/// kInvalidArgument naming the limit.
Result<void> check_limits(const LoadLimits& limits);

/// How soon a query is wanted (RFC 9218): 0 the most, 7 the least. 5 and above are refused after
/// half of the wait that refuses others, 0 and 1 only after twice shed_ms.
inline constexpr std::uint8_t kUrgencyDefault = 3, kUrgencyMax = 7;

/// Threads: any. Lifetime: stop() after the executor has stopped and before destruction.
class QueryGate {
public:
    static constexpr std::uint8_t kRefusing = 3;
    /// A level falls by one when for so long nobody has waited half of what it begins at.
    static constexpr std::uint64_t kCalmNs = 500'000'000;

    QueryGate(const LoadLimits& limits, runtime::Executor& executor, runtime::Clock& clock)
        : limits_(limits), executor_(executor), clock_(clock) {}

    /// What a query has in common with those that cost as much, as a hash.
    using Kind = std::size_t;

    /// When a query comes. @param delay_ns  How long others wait for their next step.
    /// @return Its level, 0 to 2; kUnavailable "overloaded" when it is refused.
    Result<std::uint8_t> admit(std::uint8_t urgency, std::uint64_t delay_ns, Kind kind);
    /// Whether a query of that kind needed more than its first step.
    void learn(Kind kind, bool is_long);

    /// The right to run on; given back when destroyed.
    class Pass {
    public:
        Pass() = default;
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&& other) noexcept {
            std::swap(gate_, other.gate_);
            return *this;
        }
        ~Pass() {
            if (gate_ != nullptr) gate_->leave();
        }

    private:
        friend class QueryGate;
        explicit Pass(QueryGate* gate) : gate_(gate) {}
        QueryGate* gate_ = nullptr;
    };
    class [[nodiscard]] Entry {
    public:
        bool await_ready();
        bool await_suspend(std::coroutine_handle<> query);
        /// kUnavailable: "overloaded" when it waited too long or the queue is full; after stop().
        Result<Pass> await_resume();

    private:
        friend class QueryGate;
        Entry(QueryGate& gate, std::uint8_t urgency) : gate_(gate), urgency_(urgency) {}
        QueryGate& gate_;
        const std::uint8_t urgency_;
        Result<void> outcome_;
    };
    /// co_await it after the first step.
    Entry enter(std::uint8_t urgency) { return {*this, urgency}; }

    void stop();

    struct Stats {
        std::uint64_t level = 0, running = 0, waiting = 0;
        std::array<std::uint64_t, kRefusing> admitted{};  ///< By level, since the start.
        std::uint64_t refused = 0;
        std::uint64_t waited_ns = 0;  ///< By all that entered, since the start.
        std::uint64_t running_max = 0;
    };
    Stats stats();

private:
    struct Waiting {
        std::coroutine_handle<> query;
        Result<void>* outcome;
        std::uint8_t urgency;
        std::uint64_t since_ns;
    };

    std::uint64_t begins_ns(std::uint8_t level) const;
    void look_at_queue(std::uint64_t now_ns);
    bool is_full(std::uint8_t urgency) const;
    std::uint64_t burst_limit_ns(std::uint8_t urgency) const;
    std::uint64_t limit_ns(std::uint8_t urgency) const;
    std::deque<Waiting>::iterator next(std::uint64_t now_ns);
    void observe(std::uint64_t delay_ns, std::uint64_t now_ns);
    Error refuse(std::uint64_t delay_ns);
    void leave();
    void start_waiting();

    /// Kinds of one remainder are taken for one. Unknown ones pass.
    static constexpr std::size_t kKinds = 4096;

    const LoadLimits limits_;
    runtime::Executor& executor_;
    runtime::Clock& clock_;
    std::mutex mutex_;
    std::deque<Waiting> waiting_;
    /// Since when there has always been somebody who has waited for level_1_ms; 0 = there is
    /// nobody.
    std::uint64_t slow_since_ns_ = 0;
    bool stands_ = false;  ///< The queue is no burst: until there is room and nobody waits.
    std::uint32_t running_ = 0;
    std::uint8_t level_ = 0;
    std::uint64_t calm_since_ns_ = 0;
    bool stopped_ = false;
    std::bitset<kKinds> long_kinds_;
    Stats stats_;
};

}  // namespace tidal::api
