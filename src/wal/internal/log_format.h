// wal/internal/log_format.h: names, headers and positions of log files. Format:
// docs/formats/wal.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wal/batch.h"
#include "wal/node_log.h"

namespace tidal::wal {

inline constexpr std::size_t kFileHeaderBytes = 64;
inline constexpr std::size_t kSectorBytes = 512;  ///< Written whole or not at all in a crash.
inline constexpr std::string_view kPrepareName = "prepare.tmp";

/// First 64 bytes of every log file that is in use.
struct FileHeader {
    std::uint64_t sequence = 0;      ///< From 1; the number in the file's name.
    std::uint32_t file_bytes = 0;    ///< Size of the whole file.
    std::uint32_t previous_end = 0;  ///< Where the file before ends; all of it was synced by then.
};

std::string encode_file_header(const FileHeader& header);
/// kCorruption names the field; kIncompatible for a whole header of another version.
Result<FileHeader> decode_file_header(std::string_view bytes);

/// "00000000000000000001.log"
std::string log_file_name(std::uint64_t sequence);
/// nullopt when `name` is not that of a log file.
std::optional<std::uint64_t> parse_log_file_name(std::string_view name);
std::string join_path(std::string_view folder, std::string_view name);

/// Positions of all files on one line, files at a fixed stride whatever their size: what synced
/// distances are measured in.
inline std::uint64_t linear(LogPosition position) {
    return position.file * kLogFileBytes + position.offset;
}

/// The linear position that a batch at `position` says was synced when it was written.
inline std::uint64_t synced_before(std::uint64_t position, const BatchHeader& header) {
    return position - std::min<std::uint64_t>(position, header.synced_distance);
}

bool all_zero(std::string_view bytes);

}  // namespace tidal::wal
