// LD_PRELOAD of a program under test: each sync of a file takes as many milliseconds longer as the
// file $TIDAL_DISK_DELAY_FILE says (tests/process/number_file.h).
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "tests/process/number_file.h"

namespace {

constexpr long kNsPerMs = 1'000'000;

void wait() {
    static tidal::tests::NumberFile file("TIDAL_DISK_DELAY_FILE");
    const long ms = file.read();
    timespec left{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * kNsPerMs};
    while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int fsync(int fd) {
    wait();
    return static_cast<int>(syscall(SYS_fsync, fd));
}

__attribute__((visibility("default"))) int fdatasync(int fd) {
    wait();
    return static_cast<int>(syscall(SYS_fdatasync, fd));
}
}
