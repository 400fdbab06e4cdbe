// shard/monitor.h: one thread is inside a shard at a time; queries that take many steps come
// between the others.
#pragma once

#include <mutex>

namespace tidal::shard {

/// A mutex alone does not do: a thread that gives it up and takes it again at once, as a query does
/// from step to step, gets it before those who wait have woken up. Here who enters plainly waits
/// for the step under way and at most one more.
class Monitor {
public:
    /// Writes, and reads that are short.
    void lock() {
        door_.lock();
        inside_.lock();
        door_.unlock();
    }
    void unlock() { inside_.unlock(); }

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
    std::mutex turn_;  ///< Held by the query whose step is next or under way.
    std::mutex door_;  ///< Held by who enters next: the step after this one queues behind it.
    std::mutex inside_;
};

}  // namespace tidal::shard
