// Any bytes as an archive segment: read in full or refused, never more memory than its size allows.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime/sim_disk.h"
#include "wal/archive_segment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    const std::string path = "r0001-s0003-00000000000000004096.seg";
    runtime::SimDisk disk;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (!runtime::write_file(disk, path, bytes)) std::abort();
    auto reader = wal::SegmentReader::open(disk, path);
    if (!reader) return 0;
    if (reader->info().file_bytes != size) std::abort();
    for (const auto& block : reader->blocks()) {
        const auto plain = reader->read_block(block);
        if (plain && plain->size() > block.plain_bytes) std::abort();
    }
    return 0;
}
