// api/backup_manifest.h: what a backup holds. docs/formats/backup.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hlc.h"
#include "base/result.h"

namespace tidal::api {

inline constexpr std::string_view kManifestFile = "MANIFEST";
/// In a folder that is not yet, or no longer, a backup.
inline constexpr std::string_view kUnfinishedFile = "UNFINISHED";
inline constexpr std::string_view kBackupRowsFile = "rows";
inline constexpr std::uint32_t kBackupFormat = 1;

struct BackupFile {
    std::string path;  ///< Below the backup's folder.
    std::uint64_t bytes = 0;
    std::uint32_t crc = 0;  ///< CRC-32C of all bytes.
    bool operator==(const BackupFile&) const = default;
};

struct BackupManifest {
    UnixMillis taken_ms = 0;
    std::string cluster_id;
    std::string instance_id;  ///< Of the source.
    std::uint32_t schema_version = 0;
    std::string schema_fingerprint;
    std::uint64_t log_file = 0,
                  log_offset = 0;   ///< The cut: everything before it is in the backup.
    std::vector<BackupFile> files;  ///< In the order they were copied.

    std::uint64_t bytes() const;
    bool operator==(const BackupManifest&) const = default;
};

std::string print_manifest(const BackupManifest& manifest);
/// kCorruption: the checksum or a line is wrong. kIncompatible: of another format.
Result<BackupManifest> parse_manifest(std::string_view text);

}  // namespace tidal::api
