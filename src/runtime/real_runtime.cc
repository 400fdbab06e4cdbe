#include "runtime/real_runtime.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "runtime/internal/asio_network.h"
#include "runtime/internal/posix_disk.h"
#include "runtime/internal/process_memory.h"
#include "runtime/internal/thread_executor.h"
#include "runtime/secret.h"
#include "runtime/seeded_random.h"
#include "runtime/sim_disk.h"

namespace tidal::runtime {

namespace {

class SystemClock final : public Clock {
public:
    UnixMillis wall_ms() override {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    }
    std::uint64_t monotonic_ns() override { return internal::steady_now_ns(); }
};

Result<std::uint64_t> system_seed() {
    std::uint64_t seed = 0;
    TIDAL_ASSIGN(const std::string bytes, secret_bytes(sizeof(seed)));
    std::memcpy(&seed, bytes.data(), sizeof(seed));
    return seed;
}

class SystemRandom final : public SeededRandom {
public:
    using SeededRandom::SeededRandom;
    Result<std::string> secret_bytes(std::size_t size) override {
        return runtime::secret_bytes(size);
    }
};

class RealRuntime final : public Runtime {
public:
    RealRuntime(std::unique_ptr<Disk> disk, std::uint64_t seed,
                std::function<void(const Error&)> on_fatal)
        : disk_(std::move(disk)), random_(seed), on_fatal_(std::move(on_fatal)) {}

    Clock& clock() override { return clock_; }
    Random& random() override { return random_; }
    Disk& disk() override { return *disk_; }
    ExecutorFactory& executors() override { return executors_; }
    Network& network() override { return *network_; }
    Memory& memory() override { return memory_; }

    [[noreturn]] void fatal(const Error& error) override {
        const std::string line = "fatal: " + error.to_string() + "\n";
        std::fputs(line.c_str(), stderr);
        if (on_fatal_) on_fatal_(error);
        ::_exit(kFatalExitCode);
    }

private:
    const std::unique_ptr<Disk> disk_;
    SystemClock clock_;
    SystemRandom random_;
    internal::ThreadExecutorFactory executors_;
    const std::unique_ptr<Network> network_ = internal::make_asio_network();
    internal::ProcessMemory memory_;
    const std::function<void(const Error&)> on_fatal_;
};

}  // namespace

Result<std::unique_ptr<Runtime>> make_real_runtime(RealOptions options) {
    std::unique_ptr<Disk> disk;
    if (options.root.empty()) {
        disk = std::make_unique<SimDisk>();
    } else {
        TIDAL_ASSIGN(disk, internal::make_posix_disk(options.root));
    }
    TIDAL_ASSIGN(const auto seed, system_seed());
    return std::unique_ptr<Runtime>(
        std::make_unique<RealRuntime>(std::move(disk), seed, std::move(options.on_fatal)));
}

}  // namespace tidal::runtime
