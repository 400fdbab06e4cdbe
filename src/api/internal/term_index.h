// api/internal/term_index.h: which of the batches in a member's log became part of a shard's
// history.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "wal/batch.h"
#include "wal/node_log.h"

namespace tidal::api {

/// A replica's log also has what leaders wrote that was never committed, and that entries of a
/// later term replaced. Entries of the history are those of the term that stands at their index.
/// Built by reading the log once, and what came since. Threads: one at a time.
class TermIndex {
public:
    explicit TermIndex(ShardId shard) : shard_(shard) {}

    /// @param applied  Up to there the history is final.
    Result<void> read_up_to(wal::NodeLog& log, LogIndex applied);
    /// Of a record at `index` (<= the newest `applied`) in a batch of `term`.
    bool is_history(LogIndex index, Term term) const;
    /// A snapshot brought this replica here: of what is up to it, some or all is in no log of this
    /// node. 0 = nothing is missing.
    LogIndex missing_through() const { return missing_through_; }

private:
    struct Run {
        LogIndex first;
        Term term;
    };
    void add(const wal::BatchHeader& header);
    void forget_last(LogIndex before);

    const ShardId shard_;
    LogIndex known_;            ///< All up to it is in `runs_`.
    std::vector<Run> runs_;     ///< Rising in both.
    LogIndex missing_through_;  ///< Of the newest snapshot.
};

}  // namespace tidal::api
