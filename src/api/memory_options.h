// api/memory_options.h: budgets of memory that a database is opened with.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "record/record.h"

namespace tidal::api {

/// Of each data shard, for what it knows of users, in bytes. nullopt = what the directory has; a
/// new one has those of record::MemoryBudgets.
struct MemoryOptions {
    std::optional<std::uint64_t> user_states = {};
    std::optional<std::uint64_t> tastes = {};
    std::optional<std::uint64_t> co_engagement = {};
    std::optional<std::uint64_t> cohorts = {};
    std::optional<std::uint64_t> collections = {};

    /// With what was not chosen as a shard has it.
    record::MemoryBudgets over(const record::MemoryBudgets& of_shard) const {
        return {.user_states = user_states.value_or(of_shard.user_states),
                .tastes = tastes.value_or(of_shard.tastes),
                .co_engagement = co_engagement.value_or(of_shard.co_engagement),
                .cohorts = cohorts.value_or(of_shard.cohorts),
                .collections = collections.value_or(of_shard.collections)};
    }
};

/// What the log would not take back when it is read again is not written to it. Of nothing nobody
/// would be known, and every hide refused.
/// @return kInvalidArgument, field `memory`.
inline Result<void> check_memory(const MemoryOptions& memory) {
    for (const auto& budget : {memory.user_states, memory.tastes, memory.co_engagement,
                               memory.cohorts, memory.collections})
        if (budget && (*budget == 0 || *budget > record::kMemoryBudgetMax))
            return Error(ErrorCode::kInvalidArgument, "a budget of memory is 1 to 2^50 bytes")
                .with_field("memory")
                .with("asked_for", *budget)
                .with_hint("leave it out for what the directory has");
    return {};
}

}  // namespace tidal::api
