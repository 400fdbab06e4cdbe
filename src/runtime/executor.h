// runtime/executor.h: the only door to threads.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace tidal::runtime {

using Work = absl::AnyInvocable<void()>;

/// Runs work one piece at a time, in the order posted. Work must not throw. Real: one thread each.
/// Simulated: events of the one virtual timeline. Threads: any.
class Executor {
public:
    using TimerId = std::uint64_t;
    virtual ~Executor() = default;
    /// After `stop()` the work is destroyed without being run.
    virtual void post(Work work) = 0;
    /// Runs `work` once, at least `delay_ns` from now on the monotonic clock.
    virtual TimerId post_after(std::uint64_t delay_ns, Work work) = 0;
    /// True when the timer had not fired and never will.
    virtual bool cancel(TimerId timer) = 0;
    /// Finishes the piece under way, drops the rest, joins. Idempotent. Not from its own work.
    virtual void stop() = 0;
};

/// Makes executors; owns none of them. `name` shows in thread lists and logs.
class ExecutorFactory {
public:
    virtual ~ExecutorFactory() = default;
    virtual std::unique_ptr<Executor> create_executor(std::string_view name) = 0;
};

}  // namespace tidal::runtime
