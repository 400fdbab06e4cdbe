// runtime/real_runtime.h: the operating system behind the seam.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/runtime.h"

namespace tidal::runtime {

inline constexpr int kFatalExitCode = 70;

struct RealOptions {
    /// The data directory; made when absent. Empty: files live in memory and die with the runtime.
    std::string root;
    /// Called by fatal() on the failing thread, to log; the process then ends at once, without
    /// destructors. Standard error gets the message in any case.
    std::function<void(const Error&)> on_fatal;
};

/// Executors are one thread each. Every object made here must be gone before the runtime is.
/// @return kIo or another code of runtime/disk.h when the root cannot be made or opened.
Result<std::unique_ptr<Runtime>> make_real_runtime(RealOptions options);

}  // namespace tidal::runtime
