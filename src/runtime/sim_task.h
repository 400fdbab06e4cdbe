// runtime/sim_task.h: what sync_wait() is on virtual time.
#pragma once

#include <memory>
#include <optional>

#include "runtime/sim_runtime.h"
#include "runtime/task.h"

namespace tidal::runtime {

namespace internal {

template <typename T>
Task<void> finish_in_world(Task<T> task, std::shared_ptr<std::optional<T>> out) {
    T value = co_await std::move(task);
    out->emplace(std::move(value));
}

}  // namespace internal

/// Starts `task` and steps the world until it has ended. Nothing when it did not within the virtual
/// time allowed; it then goes on whenever the world does.
template <typename T>
std::optional<T> run_task(SimWorld& world, Task<T> task,
                          std::uint64_t timeout_ns = 3600ULL * 1'000'000'000) {
    auto out = std::make_shared<std::optional<T>>();
    spawn(internal::finish_in_world(std::move(task), out));
    if (!world.run_until([&] { return out->has_value(); }, timeout_ns)) return std::nullopt;
    return std::move(*out);
}

}  // namespace tidal::runtime
