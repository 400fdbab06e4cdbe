// A start on any bytes as the only log file: it succeeds or refuses, and a second start after a
// success finds the same batches and damages nothing.
//
// Input: the first byte chooses, the rest is patched into a sound log at a place it names.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/sim_runtime.h"
#include "wal/log_inspect.h"
#include "wal/node_log.h"

namespace {

using namespace tidal;
using namespace tidal::wal;

const std::string kPath = "wal/00000000000000000001.log";

void require(bool holds) {
    if (!holds) std::abort();
}

LogOptions options() {
    LogOptions small;
    small.file_bytes = 4096;
    return small;
}

/// Three groups of one batch.
std::string sound_log() {
    runtime::SimDisk disk;
    runtime::SimWorld world(1);
    const auto node = world.create_node("node", disk);
    auto log = NodeLog::open(*node, options(), [](const auto&, auto) { return Result<void>(); });
    for (std::uint64_t index = 1; index <= 3; ++index) {
        PendingBatch batch;
        batch.header.first_index = LogIndex(index);
        batch.header.count = 1;
        batch.payload.assign(300 * index, static_cast<char>('a' + index));
        require((*log)->append(std::move(batch)).ok());
        world.run_until_idle();
    }
    return *runtime::read_file(disk, kPath);
}

bool start(runtime::SimDisk& disk, std::vector<std::string>* seen) {
    runtime::SimWorld world(1);
    const auto node = world.create_node("node", disk);
    const auto log =
        NodeLog::open(*node, options(), [&](const BatchHeader&, std::string_view payload) {
            seen->emplace_back(payload);
            return Result<void>();
        });
    return log.ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::string kSound = sound_log();
    if (size < 3) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
    std::string image = data[0] % 4 == 0 ? std::string(bytes) : kSound;
    if (data[0] % 4 != 0) {
        const std::size_t at = (data[1] | data[2] << 8) % image.size();
        const auto room = std::min(bytes.size(), image.size() - at);
        image.replace(at, room, bytes.substr(0, room));
    }
    runtime::SimDisk disk;
    require(disk.create_directories("wal").ok() && disk.create_directories("archive").ok());
    require(runtime::write_file(disk, kPath, image).ok());
    const auto report = inspect_log(disk, "wal", "archive");
    require(report.ok());
    std::vector<std::string> first;
    if (!start(disk, &first)) return 0;
    std::vector<std::string> second;
    require(start(disk, &second));
    require(first == second);
    const auto after = inspect_log(disk, "wal", "archive");
    require(after.ok() && after->damage.empty());
    return 0;
}
