#include "runtime/internal/process_memory.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>

#include "runtime/internal/posix_error.h"

namespace tidal::runtime::internal {
namespace {

constexpr const char* kStatus = "/proc/self/status";
// Of Linux 6: some 1,500 bytes. What is looked for is in the first half.
constexpr std::size_t kStatusBytesMax = 8 << 10;

/// "RssAnon:\t     112 kB"
std::optional<std::uint64_t> kilobytes_of(std::string_view name, std::string_view status) {
    const std::string line_begin = "\n" + std::string(name) + ":";
    const std::size_t at = status.find(line_begin);
    if (at == std::string_view::npos) return std::nullopt;
    std::string_view rest = status.substr(at + line_begin.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    std::uint64_t number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (read.ec != std::errc() || number > (~std::uint64_t{0} >> 11)) return std::nullopt;
    if (!rest.substr(static_cast<std::size_t>(read.ptr - rest.data())).starts_with(" kB"))
        return std::nullopt;
    return number;
}

}  // namespace

Result<std::uint64_t> held_bytes_in(std::string_view status) {
    const auto anonymous = kilobytes_of("RssAnon", status);
    const auto swapped = kilobytes_of("VmSwap", status);
    if (!anonymous || !swapped)
        return Error(ErrorCode::kUnsupported, "the system does not say what the process holds")
            .with("file", kStatus)
            .with_hint("Linux from 4.5 on says RssAnon and VmSwap there");
    return (*anonymous + *swapped) * 1024;
}

ProcessMemory::ProcessMemory() : status_(::open(kStatus, O_RDONLY | O_CLOEXEC)) {}

Result<std::uint64_t> ProcessMemory::held_bytes() {
    char status[kStatusBytesMax];
    ssize_t got = -1;
    do {
        got = ::pread(status_.get(), status, sizeof(status), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return posix_error(errno, "read", kStatus);
    return held_bytes_in({status, static_cast<std::size_t>(got)});
}

void ProcessMemory::give_back() {
    using Mallctl = int (*)(const char*, void*, std::size_t*, void*, std::size_t);
    // Who links the allocator is the program, not this library (decision 24).
    if (const auto mallctl = reinterpret_cast<Mallctl>(::dlsym(RTLD_DEFAULT, "mallctl"))) {
        constexpr const char* kPurgeEveryArena = "arena.4096.purge";  // MALLCTL_ARENAS_ALL
        mallctl(kPurgeEveryArena, nullptr, nullptr, nullptr, 0);
        return;
    }
    ::malloc_trim(0);
}

}  // namespace tidal::runtime::internal
