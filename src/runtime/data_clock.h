// runtime/data_clock.h: a clock that tells the time of the data instead of the world's.
#pragma once

#include <atomic>

#include "runtime/runtime.h"

namespace tidal::runtime {

/// Stands still until it is moved, and never goes back. monotonic_ns() is the world's: deadlines
/// and rates are real. Threads: any.
class DataClock final : public Clock {
public:
    DataClock(Clock& world, UnixMillis start_ms) : world_(world), now_ms_(start_ms) {}

    UnixMillis wall_ms() override { return now_ms_.load(std::memory_order_acquire); }
    std::uint64_t monotonic_ns() override { return world_.monotonic_ns(); }
    /// Nothing when it is later already.
    void advance_to(UnixMillis time_ms) {
        UnixMillis now = now_ms_.load(std::memory_order_relaxed);
        while (now < time_ms &&
               !now_ms_.compare_exchange_weak(now, time_ms, std::memory_order_acq_rel)) {
        }
    }

private:
    Clock& world_;
    std::atomic<UnixMillis> now_ms_;
};

/// A runtime whose clock is another; everything else is the world's. Both must outlive it.
class DataRuntime final : public Runtime {
public:
    DataRuntime(Runtime& world, Clock& clock) : world_(world), clock_(clock) {}

    Clock& clock() override { return clock_; }
    Random& random() override { return world_.random(); }
    Disk& disk() override { return world_.disk(); }
    ExecutorFactory& executors() override { return world_.executors(); }
    Network& network() override { return world_.network(); }
    Memory& memory() override { return world_.memory(); }
    void fatal(const Error& error) override { world_.fatal(error); }
    Crowd* crowd() override { return world_.crowd(); }

private:
    Runtime& world_;
    Clock& clock_;
};

}  // namespace tidal::runtime
