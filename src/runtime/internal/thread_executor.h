// runtime/internal/thread_executor.h: an Executor with a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/executor.h"

namespace tidal::runtime::internal {

/// CLOCK_MONOTONIC, in nanoseconds.
std::uint64_t steady_now_ns();

/// Posted work runs in batches taken under one lock. One due timer, the earliest, goes before each
/// batch: a timer stays cancellable until it is about to run, and neither kind can starve the
/// other.
class ThreadExecutor final : public Executor {
public:
    explicit ThreadExecutor(std::string_view name);
    ~ThreadExecutor() override;

    void post(Work work) override;
    TimerId post_after(std::uint64_t delay_ns, Work work) override;
    bool cancel(TimerId timer) override;
    void stop() override;

private:
    /// Ordered by deadline, then by the order asked for.
    using TimerKey = std::pair<std::uint64_t, TimerId>;

    void run();
    /// Waits for something to do; false when stopped. Fills `batch`.
    bool next_batch(std::vector<Work>* batch);
    void take_due_timer(std::vector<Work>* batch);

    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<bool> stopping_ = false;
    // Guarded by mutex_.
    std::vector<Work> queue_;
    std::map<TimerKey, Work> timers_;
    std::map<TimerId, std::uint64_t> deadlines_;
    TimerId last_timer_ = 0;
    bool waiting_ = false;

    std::mutex join_mutex_;  ///< Two threads may stop() at once; one joins, both return after it.
    std::thread thread_;
    std::thread::id thread_id_;  ///< Fixed by the constructor.
};

class ThreadExecutorFactory final : public ExecutorFactory {
public:
    std::unique_ptr<Executor> create_executor(std::string_view name) override {
        return std::make_unique<ThreadExecutor>(name);
    }
};

}  // namespace tidal::runtime::internal
