// shard/internal/text_files.h: the files that segments of text indexes lie in, one a kind beside
// the shard's page files (docs/formats/text_segments.md). Derived: any of them may be missing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/runtime.h"
#include "schema/schema.h"
#include "storage/shard_store.h"
#include "text/text_index.h"

namespace tidal::shard {

/// Where a shard's are.
struct TextFiles {
    runtime::Disk* disk = nullptr;  ///< nullptr = nowhere: every start analyses all texts.
    std::string directory;
    ShardId shard;

    std::string path(EntityKind kind) const;
    /// nullopt = there is none. Checksums are the reader's business.
    /// @return kCorruption, kIncompatible  also when it is another shard's.
    Result<std::optional<text::Segment>> read(EntityKind kind) const;
    /// Replaces the file. kDiskFull, kIo: the old one stays.
    Result<void> write(const text::Segment& segment) const;
};

/// The fields of a kind that are analysed.
std::vector<text::TextIndex::Field> text_fields(const schema::Schema& schema, EntityKind kind);

/// Makes the file anew from the rows of the newest durable checkpoint, taking over from the old one
/// what is still the same. Where write_checkpoint() runs, not beside it.
/// @param index  Of the checkpoint. @param seed  Random.
Result<void> renew_text_file(const TextFiles& files, EntityKind kind, const schema::Schema& schema,
                             storage::ShardStore& store, LogIndex index, std::uint64_t seed);

}  // namespace tidal::shard
