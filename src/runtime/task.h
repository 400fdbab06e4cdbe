// runtime/task.h: a small coroutine type, and what a coroutine can wait for.
//
//     Task<Result<Feed>> load(Executor& io, Disk& disk) {
//         TIDAL_CO_TRY(co_await schedule(io));        // from here on, on io
//         co_return decode(...);
//     }
//
// A Task is lazy: it starts when awaited, spawned or sync_waited, on the thread that does so, and
// is resumed by whatever completes what it waits for. Once started it runs to its end; it is never
// destroyed half-way, so what it waits for must complete. An executor that is stopped completes its
// waiters with kUnavailable: stop executors while what their tasks use still exists.
//
// Exceptions do not cross: one that leaves a coroutine ends the process. Failures are Result
// values.
//
// With g++ 12: pass arguments by value; no captures in lambda coroutines; name temporaries with
// destructors before a co_await; no co_await inside a catch block.
#pragma once

#include <atomic>
#include <cassert>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"
#include "runtime/executor.h"

namespace tidal::runtime {

template <typename T = void>
class Task;

namespace internal {

/// Parent and child meet here once: whichever comes second makes the parent go on. A child that
/// ends before the parent has suspended lets it run on without a nested resume(), so a loop over
/// children that never wait needs no stack. (Symmetric transfer alone does not give that: g++ 12
/// makes no tail call of it without optimisation or with sanitizers, gcc.gnu.org/PR100897.)
class TaskPromiseBase {
public:
    std::suspend_always initial_suspend() noexcept { return {}; }

    struct FinalAwaiter {
        bool await_ready() noexcept { return false; }
        template <typename Promise>
        void await_suspend(std::coroutine_handle<Promise> self) noexcept {
            // The parent may destroy this frame as soon as the exchange is done.
            const auto parent = self.promise().parent_;
            if (self.promise().met_.exchange(true, std::memory_order_acq_rel)) parent.resume();
        }
        void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }

    void set_parent(std::coroutine_handle<> parent) {
        parent_ = parent;
        started_ = true;
    }
    /// Called by the parent after it suspended; false when the child has ended already.
    bool parent_suspended() { return !met_.exchange(true, std::memory_order_acq_rel); }
    bool started() const { return started_; }

private:
    std::coroutine_handle<> parent_;
    std::atomic<bool> met_ = false;
    bool started_ = false;
};

template <typename T>
class TaskPromise final : public TaskPromiseBase {
public:
    Task<T> get_return_object();
    template <typename U>
    requires std::is_constructible_v<T, U&&>
    void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
    T take() { return std::move(*value_); }

private:
    std::optional<T> value_;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
public:
    inline Task<void> get_return_object();
    void return_void() {}
    void take() {}
};

}  // namespace internal

/// Move-only; awaited at most once, as an rvalue.
template <typename T>
class [[nodiscard]] Task {
public:
    using promise_type = internal::TaskPromise<T>;
    using value_type = T;

    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Task& operator=(Task&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Task() {
        if (!handle_) return;
        assert((handle_.done() || !handle_.promise().started()) && "a task destroyed half-way");
        handle_.destroy();
    }

    class Awaiter {
    public:
        explicit Awaiter(std::coroutine_handle<promise_type> child) : child_(child) {}
        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> parent) {
            auto child = child_;  // This awaiter may be gone before resume() returns.
            child.promise().set_parent(parent);
            child.resume();
            return child.promise().parent_suspended();
        }
        T await_resume() { return child_.promise().take(); }

    private:
        std::coroutine_handle<promise_type> child_;
    };
    Awaiter operator co_await() && {
        assert(handle_ && !handle_.promise().started());
        return Awaiter(handle_);
    }

private:
    friend promise_type;
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

template <typename T>
Task<T> internal::TaskPromise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> internal::TaskPromise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

namespace internal {

struct Detached {
    struct promise_type {
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
    };
};

inline Detached run_detached(Task<void> task) {
    co_await std::move(task);
}

/// Resumes a coroutine exactly once: with success when called, with kUnavailable when destroyed
/// without having been called.
class Resumer {
public:
    Resumer(std::coroutine_handle<> waiter, Result<void>* outcome)
        : waiter_(waiter), outcome_(outcome) {}
    Resumer(Resumer&& other) noexcept
        : waiter_(std::exchange(other.waiter_, nullptr)), outcome_(other.outcome_) {}
    Resumer& operator=(Resumer&&) = delete;
    ~Resumer() {
        if (!waiter_) return;
        *outcome_ = Error(ErrorCode::kUnavailable, "the executor was stopped");
        std::exchange(waiter_, nullptr).resume();
    }
    void operator()() { std::exchange(waiter_, nullptr).resume(); }

private:
    std::coroutine_handle<> waiter_;
    Result<void>* outcome_;  ///< In the coroutine's frame.
};

}  // namespace internal

/// Starts `task` here and now and lets it run on by itself.
inline void spawn(Task<void> task) {
    internal::run_detached(std::move(task));
}

/// co_await schedule(e): goes on as a piece of work of `e`. kUnavailable (on whatever thread) when
/// `e` is or gets stopped.
class [[nodiscard]] ScheduleAwaiter {
public:
    explicit ScheduleAwaiter(Executor& executor) : executor_(executor) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
        executor_.post(internal::Resumer(waiter, &outcome_));
    }
    Result<void> await_resume() { return std::move(outcome_); }

private:
    Executor& executor_;
    Result<void> outcome_;
};
inline ScheduleAwaiter schedule(Executor& executor) {
    return ScheduleAwaiter(executor);
}

/// co_await sleep_for(e, ns): goes on as work of `e`, at least `ns` later. Errors as schedule().
class [[nodiscard]] SleepAwaiter {
public:
    SleepAwaiter(Executor& executor, std::uint64_t delay_ns)
        : executor_(executor), delay_ns_(delay_ns) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
        executor_.post_after(delay_ns_, internal::Resumer(waiter, &outcome_));
    }
    Result<void> await_resume() { return std::move(outcome_); }

private:
    Executor& executor_;
    const std::uint64_t delay_ns_;
    Result<void> outcome_;
};
inline SleepAwaiter sleep_for(Executor& executor, std::uint64_t delay_ns) {
    return {executor, delay_ns};
}

/// A callback turned into something to wait for, once, in either order and from any thread:
///
///     Completion<int> done;
///     start(done.completer());                        // calls it with a Result<int>, or drops it
///     Result<int> result = co_await done;
///
/// The waiter goes on inside the call of the completer, on its thread.
template <typename T>
class Completion {
    enum class Phase : std::uint8_t { kEmpty, kWaiting, kDone };
    struct State {
        std::atomic<Phase> phase = Phase::kEmpty;
        std::optional<Result<T>> value;
        std::coroutine_handle<> waiter;
    };

public:
    /// Call it once. Destroyed uncalled, it completes with kUnavailable.
    class Completer {
    public:
        explicit Completer(std::shared_ptr<State> state) : state_(std::move(state)) {}
        Completer(Completer&&) noexcept = default;
        Completer& operator=(Completer&&) = delete;
        ~Completer() {
            if (state_) (*this)(Error(ErrorCode::kUnavailable, "dropped without an answer"));
        }
        void operator()(Result<T> value) {
            const auto state = std::exchange(state_, nullptr);
            assert(state && "completed twice");
            state->value.emplace(std::move(value));
            if (state->phase.exchange(Phase::kDone, std::memory_order_acq_rel) == Phase::kWaiting)
                state->waiter.resume();
        }

    private:
        std::shared_ptr<State> state_;
    };

    /// At most once.
    Completer completer() {
        assert(!handed_out_);
        handed_out_ = true;
        return Completer(state_);
    }

    bool await_ready() const noexcept {
        return state_->phase.load(std::memory_order_acquire) == Phase::kDone;
    }
    bool await_suspend(std::coroutine_handle<> waiter) {
        state_->waiter = waiter;
        auto expected = Phase::kEmpty;
        return state_->phase.compare_exchange_strong(expected, Phase::kWaiting,
                                                     std::memory_order_acq_rel);
    }
    Result<T> await_resume() { return std::move(*state_->value); }

private:
    std::shared_ptr<State> state_ = std::make_shared<State>();
    bool handed_out_ = false;
};

namespace internal {

template <typename T>
struct SyncState {
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<T> value;
};

template <typename T>
Task<void> finish_sync(Task<T> task, SyncState<T>* state) {
    T value = co_await std::move(task);
    // Notified under the lock: the waiter destroys the state as soon as it sees the value.
    const std::lock_guard lock(state->mutex);
    state->value.emplace(std::move(value));
    state->wake.notify_one();
}

struct Unit {};
inline Task<Unit> with_unit(Task<void> task) {
    co_await std::move(task);
    co_return Unit{};
}

}  // namespace internal

/// Runs `task` and blocks until it ends. For real threads; not on an executor the task needs.
template <typename T>
T sync_wait(Task<T> task) {
    internal::SyncState<T> state;
    spawn(internal::finish_sync(std::move(task), &state));
    std::unique_lock lock(state.mutex);
    state.wake.wait(lock, [&] { return state.value.has_value(); });
    return std::move(*state.value);
}
inline void sync_wait(Task<void> task) {
    sync_wait(internal::with_unit(std::move(task)));
}

}  // namespace tidal::runtime

/// TIDAL_TRY and TIDAL_ASSIGN for coroutines.
#define TIDAL_CO_TRY(expr)                                                   \
    do {                                                                     \
        auto tidal_try_result = (expr);                                      \
        if (!tidal_try_result.ok()) co_return tidal_try_result.take_error(); \
    } while (false)

#define TIDAL_CO_ASSIGN(declaration, expr) \
    TIDAL_CO_ASSIGN_INNER(TIDAL_CONCAT(tidal_assign_, __LINE__), declaration, expr)
#define TIDAL_CO_ASSIGN_INNER(temporary, declaration, expr) \
    auto temporary = (expr);                                \
    if (!temporary.ok()) co_return temporary.take_error();  \
    declaration = std::move(temporary).value()
