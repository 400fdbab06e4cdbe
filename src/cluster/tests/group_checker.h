// What the groups of a simulated cluster promise, checked as it happens.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/group_sink.h"

namespace tidal::cluster {

std::uint64_t mix(std::uint64_t a, std::uint64_t b);

/// Election safety; one state per index and nothing committed lost or repeated; what was refused is
/// never applied; no message of a term, no vote and no read that a crash or another leader belies.
class GroupChecker {
public:
    struct Committed {
        Term term;
        std::uint64_t chain = 0;  ///< Over all up to here.
    };
    struct Group {
        std::vector<Committed> log{{}};  ///< By index.
        std::map<Term, raft::PeerId> leaders;
        std::map<std::pair<Term, raft::PeerId>, raft::PeerId> votes;
        std::set<std::string> applied, refused;  ///< Records.
        LogIndex acknowledged;
    };
    Group& group(ShardId shard) { return groups_[shard]; }

    void leading(ShardId shard, raft::PeerId node, Term term);
    /// @return the chain behind the entry.
    std::uint64_t committed(ShardId shard, raft::PeerId node, LogIndex index, Term term,
                            const std::string& record, std::uint64_t chain_before);
    void installed(ShardId shard, raft::PeerId node, LogIndex index, std::uint64_t chain);
    void sent(raft::PeerId node, const std::string& packet);
    void started(ShardId shard, raft::PeerId node, const raft::HardState& hard);
    void refused(ShardId shard, const std::vector<raft::Payload>& records);
    void acknowledged(ShardId shard, LogIndex index);

    void fail(const std::string& what) {
        if (failure.empty()) failure = what;
    }
    std::string failure;

private:
    std::map<ShardId, Group> groups_;
    std::map<std::pair<ShardId, raft::PeerId>, raft::HardState> said_;
};

}  // namespace tidal::cluster
