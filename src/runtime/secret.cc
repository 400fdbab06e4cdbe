#include "runtime/secret.h"

#include <sys/random.h>

#include <cerrno>

#include "runtime/internal/posix_error.h"

namespace tidal::runtime {

Result<std::string> secret_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t got = 0; got < size;) {
        const ssize_t more = ::getrandom(bytes.data() + got, size - got, 0);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) return internal::posix_error(errno, "getrandom", "");
        got += static_cast<std::size_t>(more);
    }
    return bytes;
}

}  // namespace tidal::runtime
