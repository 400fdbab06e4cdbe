// LD_PRELOAD of a program under test: its wall clock runs ahead or behind by as many milliseconds
// as the file $TIDAL_CLOCK_SHIFT_FILE says (a decimal number, read at every call; what is no number
// changes nothing). Monotonic clocks stay as they are, as they do when somebody sets the clock of a
// machine.
//
// libfaketime does the same for most programs, but asks malloc for memory before it can tell the
// time, and jemalloc asks for the time before it can give memory.
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <ctime>

#include "tests/process/number_file.h"

namespace {

constexpr long kNsPerS = 1'000'000'000;
constexpr long kNsPerMs = 1'000'000;

long shift_ms() {
    static tidal::tests::NumberFile file("TIDAL_CLOCK_SHIFT_FILE");
    return file.read();
}

void move(timespec* time) {
    const long shift = shift_ms();
    const long ns = time->tv_nsec + shift % 1000 * kNsPerMs;
    time->tv_sec += shift / 1000 + (ns < 0 ? -1 : ns / kNsPerS);
    time->tv_nsec = ns < 0 ? ns + kNsPerS : ns % kNsPerS;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, timespec* time) noexcept {
    const long done = syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) move(time);
    return static_cast<int>(done);
}

__attribute__((visibility("default"))) int gettimeofday(timeval* time, void*) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

__attribute__((visibility("default"))) time_t time(time_t* out) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) *out = now.tv_sec;
    return now.tv_sec;
}
}
