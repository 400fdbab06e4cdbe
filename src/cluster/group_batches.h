// cluster/group_batches.h: what groups keep, as batches of the node's log and back.
// Format: docs/formats/wal.md, "What replicated shards add".
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "raft/wire.h"
#include "wal/node_log.h"

namespace tidal::cluster {

/// Term and vote of all groups of a node, by group.
using GroupStates = std::map<raft::GroupKey, raft::HardState>;

inline constexpr Incarnation kNodeIncarnation{1};

/// A record of shard wal::kNodeShard.
std::string encode_states(const GroupStates& states);
/// kCorruption for anything encode_states() does not write; kIncompatible for a later version.
Result<GroupStates> decode_states(std::string_view record);
/// The batch that makes `states` durable as record number `index` of the node's history.
wal::PendingBatch batch_of_states(const GroupStates& states, LogIndex index);
Result<GroupStates> states_of_batch(const wal::BatchHeader& header, std::string_view payload);

/// The commit stamp a record carries, for the batch's header.
using StampOf = std::function<HybridTime(std::string_view record)>;

/// Runs of one term and of one kind, each batch within `payload_bytes_max` or of one entry.
/// `stamp` is of the record before, and becomes the last one's.
std::vector<wal::PendingBatch> batches_of(const raft::GroupKey& group, RegionId region,
                                          std::span<const raft::Entry> entries,
                                          const StampOf& stamp_of, HybridTime* stamp,
                                          std::size_t payload_bytes_max);
/// A snapshot takes the place of everything up to `index`, and of all behind it.
wal::PendingBatch batch_of_base(const raft::GroupKey& group, RegionId region, LogIndex index,
                                Term term, HybridTime stamp);

/// What one batch of a group says.
struct GroupBatch {
    bool base = false;                 ///< It is the mark of batch_of_base(); no entries.
    std::vector<raft::Entry> entries;  ///< Dense, of one term.
};
/// kCorruption when the payload is not what batches_of() or batch_of_base() write.
Result<GroupBatch> group_batch_of(const wal::BatchHeader& header, std::string_view payload);

}  // namespace tidal::cluster
