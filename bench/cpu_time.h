// What benchmarks of one thread share: its processor time, and the end when something fails.
#pragma once

#include <time.h>

#include <cstdio>
#include <cstdlib>

#include "base/error.h"

namespace tidal {

/// Of this thread: what else runs on the machine does not count.
inline double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

[[noreturn]] inline void fail(const Error& error) {
    std::fprintf(stderr, "%s\n", error.to_string().c_str());
    std::exit(1);
}

}  // namespace tidal
