// cluster/group_log.h: what the groups of a node write to its one log, and read back from it.
#pragma once

#include <absl/functional/any_invocable.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cluster/group_batches.h"
#include "cluster/group_recovery.h"
#include "raft/log_store.h"
#include "raft/node.h"
#include "runtime/runtime.h"

namespace tidal::cluster {

/// One write of a group: a Ready's term and vote and its entries, or the mark of a snapshot.
struct GroupWrite {
    std::uint64_t number = 0;  ///< Rising within the group, for persisted().
    std::optional<raft::HardState> hard;
    std::vector<raft::Entry> entries;
    struct Base {
        LogIndex index;
        Term term;
    };
    std::optional<Base> base;  ///< The log begins here; without entries.
};

/// All writes that wait when the log comes to them share one sync, whatever their groups. Within a
/// group they are durable in order. Want of space or room in the queue keeps a write, and all
/// behind it, until a later attempt succeeds: a group then stalls, and nothing is lost or
/// acknowledged.
///
/// Threads   The loop executor's, but where said. Callbacks run there, never from within a call.
/// Memory    Writes not yet durable (their payloads are shared with the core), and per group what
///           was read ahead, at most `read_ahead_bytes`.
/// Lifetime  Borrows runtime, log and executors. After the loop executor has stopped it may be
///           destroyed before the log is.
class GroupLog {
public:
    struct Options {
        RegionId region = kFirstRegion;
        StampOf stamp_of;  ///< None: batches have no stamp.
        std::uint64_t retry_ns = 100'000'000;
        std::size_t read_ahead_bytes = 4 << 20;
        std::size_t batch_bytes_max = 1 << 20;
    };
    struct Callbacks {
        absl::AnyInvocable<void(const raft::GroupKey&, std::uint64_t number)> persisted;
        /// What LogStore::read() had not at hand may be at hand now.
        absl::AnyInvocable<void(const raft::GroupKey&)> fetched;
    };

    /// @param  files         Reads run there.
    /// @param  states_index  GroupRecovery::Found's.
    GroupLog(runtime::Runtime& runtime, wal::NodeLog& log, runtime::Executor& loop,
             runtime::Executor& files, Options options, LogIndex states_index, Callbacks callbacks);
    ~GroupLog();

    /// Before any call for the group. All groups, before the first write of any.
    /// @param  stamp  Of its newest batch: of those that hold no record, until one does.
    void add_group(const raft::GroupKey& group, const raft::DurableState& state,
                   HybridTime stamp = {});

    /// Takes the write whatever the disk says; persisted() tells when it is durable.
    void write(const raft::GroupKey& group, GroupWrite write);
    /// Everything up to `index` is in a durable checkpoint: its place in the log may go.
    void checkpointed(const raft::GroupKey& group, LogIndex index);
    /// For the group's core.
    raft::LogStore& store(const raft::GroupKey& group);

    struct Status {
        std::size_t writes = 0;  ///< Not yet durable.
        bool stalled = false;    ///< The newest attempt found no space.
        std::string read_error;  ///< Of the newest failed read; empty = none.
        std::uint64_t retries = 0;
        std::uint64_t fetches = 0;
    };
    Status status(const raft::GroupKey& group) const;

private:
    struct Group;
    struct Queued {
        GroupWrite write;
        std::uint32_t outstanding = 0;  ///< Batches the log has not answered for.
        bool submitted = false;
        bool refused = false;
    };
    struct Answer {
        raft::GroupKey group;
        std::uint64_t number;
        LogIndex states_index;  ///< 0 = of entries.
        Result<void> result;
    };
    struct Answers;

    void submit(Group& group);
    bool append(Group& group, Queued& queued, wal::PendingBatch batch, LogIndex states_index);
    bool append_states(Group& group, Queued& queued);
    void renew_states();
    void collect();
    void take(Answer& answer);
    void settle(Group& group);
    void retry_later(Group& group);
    void fetch(Group& group, LogIndex from, LogIndex last);
    void fetched(const raft::GroupKey& key, Result<std::vector<raft::Entry>> entries);

    runtime::Runtime& runtime_;
    wal::NodeLog& log_;
    runtime::Executor& loop_;
    runtime::Executor& files_;
    const Options options_;
    Callbacks callbacks_;
    std::map<raft::GroupKey, std::unique_ptr<Group>> groups_;
    GroupStates states_;
    LogIndex states_last_;           ///< Newest record handed to the log.
    LogIndex states_durable_;        ///< Newest known durable.
    std::uint64_t states_file_ = 0;  ///< The log's file when that was handed over, or before.
    std::map<LogIndex, std::uint64_t> states_under_way_;  ///< To their files.
    std::shared_ptr<Answers> answers_;
};

}  // namespace tidal::cluster
