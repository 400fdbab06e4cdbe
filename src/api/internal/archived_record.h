// api/internal/archived_record.h: one record as the archive keeps it, and back.
// Format: docs/formats/archive.md. Why: docs/decisions/0049-archive-keys.md.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/internal/archive_cipher.h"
#include "audience/archive_keys.h"
#include "record/record.h"
#include "wal/batch.h"

namespace tidal::api {

/// The key of a user for what was committed at a time; nullptr = none, and there will be none.
using KeyOf = std::function<const audience::ArchiveKeys::Key*(const EntityId&, HybridTime)>;
/// Who an alias stands for; nullptr = nobody any more.
using OwnerOf = std::function<Result<const audience::ArchiveKeys::Owner*>(std::uint64_t alias)>;

/// Threads: any, each with its own `scratch`.
class ArchivedRecords {
public:
    explicit ArchivedRecords(const ArchiveCipher& cipher) : cipher_(cipher) {}

    /// @param batch  Its header; `index` is the record's.
    /// @param bytes  As logged. `scratch` is the same decoded, and unspecified afterwards.
    Result<std::string> seal(const wal::BatchHeader& batch, LogIndex index, std::string_view bytes,
                             record::Record* scratch, const KeyOf& key_of) const;
    /// The record's bytes; empty where nobody can read it any more. kCorruption, kIncompatible.
    Result<std::string> open(const wal::BatchHeader& batch, LogIndex index,
                             std::string_view archived, record::Record* scratch,
                             const OwnerOf& owner_of) const;

private:
    Result<std::string> seal_whole(std::string_view place, std::string_view bytes,
                                   const record::Record& record, const KeyOf& key_of) const;
    Result<std::string> seal_parts(std::string_view place, RegionId region, record::Record* record,
                                   const KeyOf& key_of) const;
    Result<std::string> open_whole(std::string_view place, std::string_view archived,
                                   const OwnerOf& owner_of) const;
    Result<std::string> open_parts(std::string_view place, RegionId region,
                                   std::string_view archived, record::Record* scratch,
                                   const OwnerOf& owner_of) const;

    const ArchiveCipher& cipher_;
};

}  // namespace tidal::api
