// shard/monitor.h: one thread is inside a shard at a time; queries that take many steps come
// between the others.
#pragma once

#include <atomic>
#include <mutex>

#include "runtime/crowd.h"

namespace tidal::shard {

/// A mutex alone does not do: a thread that gives it up and takes it again at once, as a query does
/// from step to step, gets it before those who wait have woken up. Here who enters plainly waits
/// for the step under way and at most one more.
class Monitor {
public:
    /// @param crowd  Who else is taken for waiting; nullptr = nobody. Outlives it.
    explicit Monitor(runtime::Crowd* crowd = nullptr) : crowd_(crowd) {}

    /// Writes, and reads that are short.
    void lock() {
        awaited_.fetch_add(1, std::memory_order_relaxed);
        door_.lock();
        inside_.lock();
        awaited_.fetch_sub(1, std::memory_order_relaxed);
        door_.unlock();
    }
    void unlock() { inside_.unlock(); }
    /// Whether somebody waits to enter: who is inside for long leaves at the next good moment and
    /// queues again, behind them.
    bool is_awaited() const {
        return awaited_.load(std::memory_order_relaxed) > 0 ||
               (crowd_ != nullptr && crowd_->waits());
    }
    /// Lets in who waits, and is inside again behind them.
    void hand_over() {
        unlock();
        if (crowd_ != nullptr) crowd_->come_in();
        lock();
    }
    /// From outside: what real threads may do at any moment, a simulation does here.
    void let_pass() {
        if (crowd_ != nullptr && crowd_->waits()) crowd_->come_in();
    }

    /// One step of a query: as a mutex of its own.
    class Steps {
    public:
        explicit Steps(Monitor& monitor) : monitor_(monitor) {}
        void lock() {
            monitor_.turn_.lock();
            monitor_.lock();
        }
        void unlock() {
            monitor_.unlock();
            monitor_.turn_.unlock();
        }

    private:
        Monitor& monitor_;
    };

private:
    runtime::Crowd* const crowd_;
    std::mutex turn_;  ///< Held by the query whose step is next or under way.
    std::mutex door_;  ///< Held by who enters next: the step after this one queues behind it.
    std::mutex inside_;
    std::atomic<int> awaited_ = 0;
};

}  // namespace tidal::shard
