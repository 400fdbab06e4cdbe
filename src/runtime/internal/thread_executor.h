// runtime/internal/thread_executor.h: an Executor with a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/executor.h"

namespace tidal::runtime::internal {

/// CLOCK_MONOTONIC, in nanoseconds.
std::uint64_t steady_now_ns();

/// How an executor's thread spends the time in which nothing is posted.
class Idler {
public:
    virtual ~Idler() = default;
    /// Until wake(), or `deadline_ns` (steady_now_ns; kNever), or earlier: gives `lock` up
    /// meanwhile.
    virtual void wait(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) = 0;
    /// Inside the lock of a wait() that is under way.
    virtual void wake() = 0;
    /// Before each batch: what else this thread does, as far as it can be done at once.
    virtual void look() {}
    static constexpr std::uint64_t kNever = ~std::uint64_t{0};
};

/// Sleeps.
class Sleeper final : public Idler {
public:
    void wait(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) override;
    void wake() override { wake_.notify_one(); }

private:
    std::condition_variable wake_;
};

/// Posted work runs in batches taken under one lock. One due timer, the earliest, goes before each
/// batch: a timer stays cancellable until it is about to run, and neither kind can starve the
/// other.
class ThreadExecutor : public Executor {
public:
    explicit ThreadExecutor(std::string_view name,
                            std::unique_ptr<Idler> idler = std::make_unique<Sleeper>());
    ~ThreadExecutor() override;

    void post(Work work) override;
    TimerId post_after(std::uint64_t delay_ns, Work work) override;
    bool cancel(TimerId timer) override;
    void stop() override;
    bool stopped() const { return stopping_.load(); }

private:
    /// Ordered by deadline, then by the order asked for.
    using TimerKey = std::pair<std::uint64_t, TimerId>;

    void run();
    /// Waits for something to do; false when stopped. Fills `batch`.
    bool next_batch(std::vector<Work>* batch);
    void take_due_timer(std::vector<Work>* batch);

    const std::unique_ptr<Idler> idler_;
    std::mutex mutex_;
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
