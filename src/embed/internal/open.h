// embed/internal/open.h: what a Library holds, and how its calls wait.
#pragma once

#include <memory>
#include <utility>

#include "api/database.h"
#include "runtime/task.h"
#include "tidal/tidal.h"

namespace tidal {

struct Library::Open {
    std::unique_ptr<runtime::Runtime> runtime;
    std::unique_ptr<api::Database> database;

    ~Open();
};

namespace internal {

template <typename T, typename Start>
runtime::Task<Result<T>> answered(Start start) {
    runtime::Completion<T> done;
    start(done.completer());
    Result<T> result = co_await done;
    co_return result;
}

/// Blocks the calling thread until what `start` hands the callback to has called it.
template <typename T, typename Start>
Result<T> wait(Start start) {
    return runtime::sync_wait(answered<T>(std::move(start)));
}

}  // namespace internal
}  // namespace tidal
