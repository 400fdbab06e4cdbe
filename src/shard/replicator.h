// shard/replicator.h: what a replicated shard needs of consensus. Implemented in cluster.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "shard/committer.h"

namespace tidal::shard {

/// One encoded record (record/codec): without shard, incarnation and index, which its place in the
/// log says. Never null.
using RecordBytes = std::shared_ptr<const std::string>;

/// Consecutive committed entries of one term.
struct ReplicatedRun {
    LogIndex first;
    Term term;
    /// An entry of consensus itself: takes one index, and has no record.
    bool control = false;
    std::vector<RecordBytes> records;
    /// Of a control entry: the members of the group from here on, as consensus encodes them. Empty
    /// = unchanged.
    std::string members;

    LogIndex last() const { return control ? first : LogIndex(first.value() + records.size() - 1); }
};

/// Which entry a state stands at, and the group's members as of it: what a log that begins there
/// has to know. Part of each checkpoint (row `r/group`), not of the content hash.
struct GroupPlace {
    LogIndex index;
    Term term;            ///< Of that entry; 0 = of a group that never ran.
    std::string members;  ///< As consensus encodes them; empty = never heard of any.
    bool operator==(const GroupPlace&) const = default;
};

class Replicator : public LogKeeper {
public:
    struct Batch {
        Term stamped_for;  ///< Refused unless this replica leads in this very term.
        std::vector<RecordBytes> records;
        /// Index of the first; or why they stand nowhere: kUnavailable "not_leader" (context
        /// leader=ID when known) or "transfer_under_way", kOverloaded, kTooLarge. Before any run
        /// that has them.
        absl::AnyInvocable<void(Result<LogIndex>)> appended;
        /// After appended() succeeded, once: all are committed, and the shard was given them
        /// before; so many voters have them at least. Or kConflict "superseded" (none of them ever
        /// will be) or "partly_superseded" (the first few were). Or kTimeout: they may survive.
        absl::AnyInvocable<void(Result<std::uint32_t>)> decided;
    };
    /// Batches of one term stand in the log in the order of the calls. An error: no callback comes.
    /// Callbacks run on any thread but never within the call, and only queue something.
    virtual Result<void> propose(Batch batch) = 0;
    /// The shard has applied up to `index`.
    virtual void applied(LogIndex index) = 0;
};

}  // namespace tidal::shard
