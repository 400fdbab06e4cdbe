// api/backup.h: a backup of a live database, and the way back. docs/operations/backup.md.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "api/backup_manifest.h"
#include "runtime/runtime.h"
#include "storage/row_engine.h"
#include "wal/node_log.h"

namespace tidal::api {

/// The files of an open database while no checkpoint can become durable
/// (Database::hold_checkpoints).
struct HeldFiles {
    runtime::Disk& disk;
    storage::RowEngine& rows;
    wal::NodeLog& log;
    const wal::LogOptions& log_options;
};

struct BackupProgress {
    std::atomic<std::uint64_t> bytes{0};        ///< Written so far.
    std::atomic<std::uint64_t> bytes_total{0};  ///< Of the files; rows come on top.
    std::atomic<bool> cancelled{false};
};

/// Copies checkpoint, log up to one durable position, and archive into `folder`; `manifest` has its
/// identity filled in. The folder is a backup once its MANIFEST is there, which comes last and at
/// once; after an error some files may lie there. kDiskFull, kIo, kUnavailable (cancelled).
Result<BackupManifest> write_backup(const HeldFiles& from, runtime::Disk& to,
                                    const std::string& folder, BackupManifest manifest,
                                    BackupProgress& progress);

/// kNotFound: no such folder, or one without a manifest.
Result<BackupManifest> read_backup(runtime::Disk& disk, const std::string& folder);

/// Reads every byte. One line for each file that is missing, of another length or with another
/// checksum; empty = sound. An error means that there is no manifest to compare with.
Result<std::vector<std::string>> verify_backup(runtime::Disk& disk, const std::string& folder);

/// Makes a data directory of a backup, checking every byte on the way. The directory is a database
/// only when all of it is there: its identity comes last, with an instance id of its own.
/// @return kConflict  something but a LOCK lies in `to`.  kCorruption  names the file.
Result<BackupManifest> restore_backup(runtime::Disk& from, const std::string& folder,
                                      runtime::Disk& to, runtime::Random& random);

/// Files and folders below `folder`, and the folder; the mark of an unfinished backup goes last. No
/// error when it is absent.
Result<void> remove_tree(runtime::Disk& disk, const std::string& folder);

}  // namespace tidal::api
