// raft/configuration.h: who votes, who only listens, and what a quorum of them is.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "raft/types.h"

namespace tidal::raft {

/// The members a group is asked to have.
struct Members {
    std::vector<PeerId> voters;
    std::vector<PeerId> learners;  ///< Receive the log and do not count.
};

enum class VoteResult : std::uint8_t { kPending, kWon, kLost };

/// The members of a group as of one log entry. While `outgoing` is not empty the configuration is
/// joint: elections and commits need a majority of `voters` and a majority of `outgoing`.
///
/// Source    4.3 (joint consensus), 4.2.1 (learners, there "non-voting members").
/// Shape     Each list ascending, without repeats; a peer is either a voter (of one or both halves)
///           or a learner. `learners_next` are voters of `outgoing` that become learners at the
///           end.
/// Lifetime  A value.
struct Configuration {
    std::vector<PeerId> voters;
    std::vector<PeerId> outgoing;
    std::vector<PeerId> learners;
    std::vector<PeerId> learners_next;

    bool operator==(const Configuration&) const = default;

    bool joint() const { return !outgoing.empty(); }
    bool is_voter(PeerId peer) const;  ///< Of either half.
    bool contains(PeerId peer) const;  ///< As voter or learner.
    /// Ascending, each once.
    std::vector<PeerId> all() const;

    /// The greatest value that a quorum (of both halves) has reached; 0 without voters.
    std::uint64_t quorum_value(const std::function<std::uint64_t(PeerId)>& value_of) const;
    /// `vote_of` answers 1 for yes, 0 for no, -1 for not yet.
    VoteResult vote_result(const std::function<int(PeerId)>& vote_of) const;

    /// "voters=1,2,3 outgoing=1 learners=4": empty lists are left out.
    std::string to_string() const;
};

/// The configuration that leads from `current` to `members`: joint if the voters differ.
/// @return kInvalidArgument  no voter, a repeated or zero id, a peer that is voter and learner, or
///         nothing would change.
Result<Configuration> step_towards(const Configuration& current, const Members& members);
/// The configuration a joint one ends in.
Configuration leave_joint(const Configuration& joint);

/// Version byte, then four lists of ids. Held by a golden test; part of the log's format.
std::string encode_configuration(const Configuration& configuration);
/// kCorruption for anything encode_configuration() does not write; kIncompatible for a later
/// version.
Result<Configuration> decode_configuration(std::string_view bytes);

}  // namespace tidal::raft
