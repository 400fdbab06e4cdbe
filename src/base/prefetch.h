// base/prefetch.h: functions that ask the memory for what is read soon.
#pragma once

// A function that only prefetches has no effect in GCC's eyes, and calls to it are dropped: hence
// forced inline wherever there is one.
#define TIDAL_PREFETCHES [[gnu::always_inline]]
