// api/forward.h: writes for one shard on their way to its leader, and what comes of them, as bytes.
// Format: docs/formats/forward.md. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "record/record.h"
#include "shard/outcome.h"
#include "shard/write_concern.h"

namespace tidal::api {

/// The records are rows of an import: each is written where its position is above the shard's mark
/// for the import, which only the leader knows; the others are answered as repeated.
struct ImportPart {
    std::string import_id;
    std::vector<std::uint64_t> positions;  ///< One per record, rising.
    std::uint64_t mark = 0;                ///< What the shard's mark becomes: >= the last position.
    SchemaVersion schema_version;
    bool operator==(const ImportPart&) const = default;
};

/// Records that are not stamped yet: what stamping fills in is zero.
struct Proposal {
    ShardId shard;
    std::vector<record::Record> records;
    shard::WriteConcern concern = shard::WriteConcern::kLocal;
    std::optional<ImportPart> import;
};

std::string encode_proposal(const Proposal& proposal);
/// @return kCorruption  nothing encode_proposal() writes; kIncompatible  a later version.
Result<Proposal> decode_proposal(std::string_view bytes);

/// One per record, refusals included. An error of the whole call travels as the call's
/// (cluster/error_codec.h).
std::string encode_outcomes(const std::vector<shard::Outcome>& outcomes);
/// As decode_proposal().
Result<std::vector<shard::Outcome>> decode_outcomes(std::string_view bytes);

/// Every record has an idempotency key, or writing it again changes nothing: after an unknown fate
/// it may be proposed again.
bool may_repeat(const Proposal& proposal);
/// Nothing of the proposal was appended anywhere, nor will be: it may go to another node.
bool nothing_appended(const Error& error);

}  // namespace tidal::api
