// cluster/group_recovery.h: what the groups of a node find in its log at a start.
#pragma once

#include <map>
#include <vector>

#include "raft/durable_state.h"
#include "raft/wire.h"
#include "wal/node_log.h"

namespace tidal::cluster {

/// Fed by NodeLog::open(): names each group with the state before its log, visits every batch, and
/// then says what each group may believe: term and vote, and the shape of its log behind the base.
///
/// Entries are not kept. Nothing in the log is known to be committed beyond the base.
/// Threads   One.
class GroupRecovery {
public:
    /// @param  base  raft::DurableState::base() of the group's checkpoint, or of an empty log.
    void add_group(const raft::GroupKey& group, raft::DurableState base);

    /// Batches of earlier incarnations of a shard change nothing.
    /// @return kCorruption    entries are missing, or a batch is none of a group.
    ///         kIncompatible  a shard, or an incarnation of one, that nobody named.
    Result<void> visit(const wal::BatchHeader& header, std::string_view payload);

    struct Found {
        std::map<raft::GroupKey, raft::DurableState> groups;
        std::map<raft::GroupKey, HybridTime> stamps;  ///< Of each group's newest batch.
        LogIndex states_index;  ///< Newest record of wal::kNodeShard; 0 = none.
    };
    /// Once, after everything was visited.
    /// @return kCorruption  a log and the checkpoint before it do not fit together.
    Result<Found> finish();

private:
    /// The entries of a group as far as the log was visited. What they have to fit is known at the
    /// end only: a snapshot may have taken the place of any of them.
    struct Tail {
        LogIndex first, last;  ///< None while last < first.
        std::vector<raft::TermRun> terms;
        std::vector<raft::ConfigurationAt> configurations;

        void truncate_from(LogIndex index);
        Result<void> add(const raft::Entry& entry);
        Term term_at(LogIndex index) const;
    };
    static Result<void> join(const Tail& tail, raft::DurableState* state);
    Result<void> visit_states(const wal::BatchHeader& header, std::string_view payload);

    Found found_;
    std::map<raft::GroupKey, Tail> tails_;
    std::map<raft::GroupKey, raft::HardState> hard_;
};

}  // namespace tidal::cluster
