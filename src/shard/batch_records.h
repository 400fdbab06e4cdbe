// shard/batch_records.h: the records of one batch of the log.
#pragma once

#include <absl/functional/any_invocable.h>

#include "record/record.h"
#include "wal/batch.h"

namespace tidal::shard {

/// Decodes a batch's payload, filling in what the header says for all its records. kCorruption when
/// the payload holds anything but `count` records; the visitor's error ends the visit.
Result<void> visit_records(const wal::BatchHeader& header, std::string_view payload,
                           absl::AnyInvocable<Result<void>(record::Record)> visit);

}  // namespace tidal::shard
