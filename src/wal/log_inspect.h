// wal/log_inspect.h: looks at every byte of a log and its archive, and changes none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "wal/archive_segment.h"
#include "wal/log_range.h"
#include "wal/node_log.h"

namespace tidal::wal {

/// One place where bytes are not what the format says.
struct LogDamage {
    enum class Kind {
        kTornTail,    ///< The next start cuts the log here: a crash left it, nobody was told
                      ///< "durable".
        kStopsStart,  ///< The next start refuses.
        kArchive,     ///< Reading this shard's history fails here; the node starts.
    };
    Kind kind = Kind::kStopsStart;
    std::string path;
    std::uint64_t offset = 0;
    std::string what;
};
std::string_view damage_kind_name(LogDamage::Kind kind);

struct LogFileReport {
    std::string path;
    std::uint64_t sequence = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t used_bytes = 0;  ///< 0: made ahead of its use.
    std::uint64_t batches = 0;
    ShardRanges ranges;  ///< Of the whole batches, those behind damage included.
};

struct SegmentReport {
    std::string path;
    SegmentInfo info;  ///< What the name says, when the header is damaged.
};

struct LogReport {
    std::vector<LogFileReport> files;     ///< Oldest first.
    std::vector<SegmentReport> segments;  ///< By name.
    std::vector<LogDamage> damage;        ///< All of it, log first; empty = every byte is right.
};

/// Every checksum of every batch, block and header, the zeros behind the end, and that files follow
/// one another. Damage is reported, not returned; behind it the search goes on at the next header.
/// The log must not be open for writing. Memory: one log file or archive block.
/// @return kNotFound, kIo  the folders could not be read.
Result<LogReport> inspect_log(runtime::Disk& disk, const std::string& directory,
                              const std::string& archive_directory);

}  // namespace tidal::wal
