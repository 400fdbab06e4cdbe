#include "runtime/internal/thread_executor.h"

#include <pthread.h>

#include <cassert>
#include <chrono>

namespace tidal::runtime::internal {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime steady_time(std::uint64_t ns) {
    return SteadyTime(std::chrono::duration_cast<SteadyTime::duration>(
        std::chrono::nanoseconds(static_cast<std::int64_t>(ns))));
}

/// Far enough to mean "never", near enough not to overflow the clock's arithmetic.
constexpr std::uint64_t kDelayMaxNs = 100ULL * 365 * 24 * 3600 * 1'000'000'000;

}  // namespace

std::uint64_t steady_now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void Sleeper::wait(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) {
    if (deadline_ns == kNever)
        wake_.wait(lock);
    else
        wake_.wait_until(lock, steady_time(deadline_ns));
}

ThreadExecutor::ThreadExecutor(std::string_view name, std::unique_ptr<Idler> idler)
    : idler_(std::move(idler)) {
    // Linux keeps 15 bytes of a thread's name and refuses longer ones.
    thread_ = std::thread([this, short_name = std::string(name.substr(0, 15))] {
        ::pthread_setname_np(::pthread_self(), short_name.c_str());
        run();
    });
    thread_id_ = thread_.get_id();
}

ThreadExecutor::~ThreadExecutor() {
    stop();
}

void ThreadExecutor::post(Work work) {
    std::unique_lock lock(mutex_);
    if (stopping_.load(std::memory_order_relaxed)) {
        lock.unlock();  // The destructor of the work may post again.
        return;
    }
    queue_.push_back(std::move(work));
    // Under the lock: once it is given back the work may run and lead to this executor's end.
    if (std::exchange(waiting_, false)) idler_->wake();
}

Executor::TimerId ThreadExecutor::post_after(std::uint64_t delay_ns, Work work) {
    const std::uint64_t deadline = steady_now_ns() + std::min(delay_ns, kDelayMaxNs);
    std::unique_lock lock(mutex_);
    const TimerId id = ++last_timer_;
    if (stopping_.load(std::memory_order_relaxed)) {
        lock.unlock();
        return id;
    }
    const auto [at, inserted] = timers_.emplace(TimerKey{deadline, id}, std::move(work));
    assert(inserted);
    deadlines_.emplace(id, deadline);
    // Later timers than the one slept for need no wake-up.
    if (at == timers_.begin() && std::exchange(waiting_, false)) idler_->wake();
    return id;
}

bool ThreadExecutor::cancel(TimerId timer) {
    Work dropped;  // Destroyed after the lock is given back.
    const std::lock_guard lock(mutex_);
    const auto deadline = deadlines_.find(timer);
    if (deadline == deadlines_.end()) return false;
    const auto at = timers_.find(TimerKey{deadline->second, timer});
    dropped = std::move(at->second);
    timers_.erase(at);
    deadlines_.erase(deadline);
    return true;
}

void ThreadExecutor::stop() {
    assert(std::this_thread::get_id() != thread_id_ && "an executor stopped by its own work");
    std::vector<Work> queue;
    std::map<TimerKey, Work> timers;
    {
        const std::lock_guard lock(mutex_);
        stopping_.store(true, std::memory_order_relaxed);
        queue.swap(queue_);
        timers.swap(timers_);
        deadlines_.clear();
        if (std::exchange(waiting_, false)) idler_->wake();
    }
    {
        const std::lock_guard lock(join_mutex_);
        if (thread_.joinable()) thread_.join();
    }
    // `queue` and `timers` are destroyed here, when nothing runs any more.
}

void ThreadExecutor::run() {
    std::vector<Work> batch;
    while (true) {
        idler_->look();
        if (!next_batch(&batch)) return;
        for (auto& work : batch) {
            if (stopping_.load(std::memory_order_relaxed)) break;
            work();
            work = nullptr;  // What it holds goes before the next piece runs.
        }
        batch.clear();
    }
}

bool ThreadExecutor::next_batch(std::vector<Work>* batch) {
    std::unique_lock lock(mutex_);
    while (true) {
        if (stopping_.load(std::memory_order_relaxed)) return false;
        take_due_timer(batch);
        for (auto& work : queue_) batch->push_back(std::move(work));
        queue_.clear();
        if (!batch->empty()) return true;
        waiting_ = true;
        idler_->wait(lock, timers_.empty() ? Idler::kNever : timers_.begin()->first.first);
        waiting_ = false;
    }
}

void ThreadExecutor::take_due_timer(std::vector<Work>* batch) {
    if (timers_.empty()) return;
    const auto first = timers_.begin();
    if (first->first.first > steady_now_ns()) return;
    batch->push_back(std::move(first->second));
    deadlines_.erase(first->first.second);
    timers_.erase(first);
}

}  // namespace tidal::runtime::internal
