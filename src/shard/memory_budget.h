// shard/memory_budget.h: how much the process may hold before nothing more is taken that makes it
// grow. Why: docs/decisions/0072-growth-is-refused.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/log.h"
#include "base/trouble.h"
#include "record/record.h"
#include "runtime/runtime.h"

namespace tidal::shard {

/// Whether a record adds to memory that nothing else bounds: entities, vectors, what users keep and
/// follow, sessions that begin. Signals, collections and what is known of users have budgets of
/// their own; whatever takes something away never grows.
bool grows(const record::Body& body);

/// One for all shards of a node. Asked before a record is logged, never when it is applied: what is
/// committed is applied everywhere.
///
/// Threads: any. Lifetime: longer than the shards; `background` is stopped before it goes.
class MemoryBudget {
public:
    /// Memory is looked at when somebody asks and the last look is older. Meanwhile growth is
    /// admitted as it was then: some MiB at full speed.
    static constexpr std::uint64_t kLookNs = 20'000'000;
    /// While too much is held the allocator is asked at most so often to give back what is free.
    static constexpr std::uint64_t kGiveBackNs = 1'000'000'000;
    /// What who is refused is told to wait: room does not come by itself.
    static constexpr std::uint64_t kRetryAfterMs = 5'000;

    struct Options {
        std::uint64_t bytes_max = 0;  ///< Of the process; above 0.
        Logger logger;                ///< When refusals begin and when they end.
    };
    /// @param background  Where the allocator works, which may take long.
    /// @return as runtime::Memory::held_bytes().
    static Result<std::unique_ptr<MemoryBudget>> open(const Options& options,
                                                      runtime::Runtime& runtime,
                                                      runtime::Executor& background);

    /// Whether something that grows may be logged now.
    /// @return kOverloaded, reason "memory_full": no more than the budget may be held. kIo.
    Result<void> admit();
    void count_refused(std::uint64_t writes) { refused_ += writes; }

    struct Stats {
        std::uint64_t bytes_max = 0;
        std::uint64_t refused = 0;  ///< Writes, since the start.
    };
    Stats stats() const { return {options_.bytes_max, refused_}; }

private:
    MemoryBudget(const Options& options, runtime::Runtime& runtime, runtime::Executor& background);
    void look(std::uint64_t now_ns);
    std::optional<Error> above(Result<std::uint64_t> held) const;

    const Options options_;
    runtime::Runtime& runtime_;
    runtime::Executor& background_;
    std::atomic<std::uint64_t> look_at_ns_ = 0;  ///< Monotonic: from then on.
    std::atomic<bool> looking_ = false;          ///< Somebody does.
    std::atomic<bool> refusing_ = false;
    std::atomic<std::uint64_t> refused_ = 0;
    std::atomic<bool> giving_back_ = false;  ///< Posted, and not done.

    std::mutex mutex_;
    std::optional<Error> why_;  ///< Growth is refused. Guarded by mutex_.

    // Of whoever looks.
    Trouble trouble_;
    std::uint64_t give_back_at_ns_ = 0;
};

}  // namespace tidal::shard
