// shard/batch_records.h: the records of one batch of the log.
#pragma once

#include <absl/functional/any_invocable.h>

#include <span>
#include <vector>

#include "record/record.h"
#include "wal/batch.h"

namespace tidal::shard {

/// Decodes a batch's payload, filling in what the header says for all its records. kCorruption when
/// the payload holds anything but `count` records.
/// @param  memory  Only grows, so that records of later batches find room for their strings.
/// @return         Its first `count` records; good until the next use of `memory`.
Result<std::span<const record::Record>> decode_records(const wal::BatchHeader& header,
                                                       std::string_view payload,
                                                       std::vector<record::Record>* memory);

/// The same one by one; the record is good during the visit. The visitor's error ends it. One that
/// is empty is passed over: nobody can read it any more (wal/archive_codec.h).
Result<void> visit_records(const wal::BatchHeader& header, std::string_view payload,
                           absl::AnyInvocable<Result<void>(const record::Record&)> visit);

}  // namespace tidal::shard
