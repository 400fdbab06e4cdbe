// api/internal/answered.h: a task whose result goes to a callback.
#pragma once

#include <absl/functional/any_invocable.h>

#include <utility>

#include "base/result.h"
#include "runtime/task.h"

namespace tidal::api {

template <typename T>
runtime::Task<void> answered(runtime::Task<Result<T>> task,
                             absl::AnyInvocable<void(Result<T>)> done) {
    Result<T> result = co_await std::move(task);
    done(std::move(result));
}

}  // namespace tidal::api
