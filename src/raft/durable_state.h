// raft/durable_state.h: what a group finds on disk when it starts.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "raft/message.h"

namespace tidal::raft {

/// A configuration and the index of the entry that brought it.
struct ConfigurationAt {
    LogIndex index;
    Configuration configuration;
};

/// Entries first .. (first of the next run - 1) have this term.
struct TermRun {
    LogIndex first;
    Term term;
};

/// Built while the log is read, without keeping entries: begin with base(), then add() each entry
/// in the order of the log.
///
/// A new group starts on each initial voter with base index 0, term 0 and the same configuration; a
/// node that joins later starts with an empty configuration and learns it from the leader.
/// Lifetime  A value, moved into Node::create().
struct DurableState {
    HardState hard;
    std::vector<TermRun> terms;                   ///< Begins with the base.
    std::vector<ConfigurationAt> configurations;  ///< Begins with the base's.
    LogIndex last;                                ///< Last entry, or the base.
    LogIndex applied;                             ///< The state machine's; base .. last.
    /// A snapshot of which chunks 0 .. partial_bytes are durable: receiving it goes on from there.
    std::optional<SnapshotMeta> partial;
    std::uint64_t partial_bytes = 0;

    /// The state before the first entry: a checkpoint or an installed snapshot.
    static DurableState base(LogIndex index, Term term, Configuration configuration);

    LogIndex base_index() const { return terms.front().first; }

    /// An entry at or before `last` supersedes everything from its index on, as in the log. One at
    /// or before the base is skipped: a checkpoint covers it.
    /// @return kCorruption  a gap, a term that falls, or a configuration that does not decode.
    Result<void> add(const Entry& entry);
};

}  // namespace tidal::raft
