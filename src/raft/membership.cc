// Changes of members and of leadership: thesis 3.10, 4.2, 4.3.
#include <algorithm>
#include <cassert>

#include "raft/internal/core.h"
#include "raft/internal/planted.h"

namespace tidal::raft {

Result<Position> Core::change_members(const Members& members) {
    TIDAL_TRY(check_proposal(0));
    if (!committed_own_term())
        return Error(ErrorCode::kConflict, "the leader has not committed an entry of its term yet")
            .with_reason("no_commit_yet");
    if (configuration().joint() || configurations_.back().index > commit_)
        return Error(ErrorCode::kConflict, "another change of members is under way")
            .with_reason("change_under_way")
            .with("configuration", configuration().to_string());
    TIDAL_ASSIGN(auto next, step_towards(configuration(), members));
    if (planted(Bug::kSkipJoint)) next = leave_joint(next);
    const LogIndex index =
        append_own(EntryKind::kConfiguration, make_payload(encode_configuration(next)));
    return Position{term_, index, index};
}

void Core::push_configuration(const Entry& entry) {
    auto decoded = decode_configuration(entry.bytes());
    assert(decoded.ok());  // step() and change_members() let nothing else in
    configurations_.push_back({entry.index, std::move(*decoded)});
    configuration_changed();
}

void Core::pop_configurations(LogIndex from) {
    while (configurations_.size() > 1 && configurations_.back().index >= from)
        configurations_.pop_back();
}

/// 4.1: a configuration counts from the moment it is in the log.
void Core::configuration_changed() {
    if (role_ != Role::kLeader) return;
    const Configuration& now = configuration();
    std::erase_if(peers_, [&](const auto& peer) { return !now.contains(peer.first); });
    for (const PeerId peer : now.all()) {
        if (peer == options_.self || peers_.contains(peer)) continue;
        peers_[peer].next = log_.last().next();
        // Not heard yet, and not to be held against the leader at the next check of the quorum.
        peers_[peer].active = true;
    }
    if (transferee_ != kNobody && !now.is_voter(transferee_)) transferee_ = kNobody;
}

/// 4.3: once the joint configuration is committed, the new one may stand alone.
void Core::finish_joint() {
    if (role_ != Role::kLeader || !configuration().joint()) return;
    if (configurations_.back().index > commit_ || !committed_own_term()) return;
    append_own(EntryKind::kConfiguration,
               make_payload(encode_configuration(leave_joint(configuration()))));
}

/// 4.2.2: a leader that is not in the new configuration leads until that is committed. It hands
/// over, so that nobody waits for a time-out.
void Core::leave_if_removed() {
    if (role_ != Role::kLeader || configurations_.back().index > commit_) return;
    if (configuration().is_voter(options_.self)) return;
    PeerId best;
    LogIndex match;
    for (const auto& [id, peer] : peers_) {
        if (!configuration().is_voter(id) || peer.match < match) continue;
        best = id;
        match = peer.match;
    }
    // The others learn of the commit here, or from the next leader.
    broadcast_heartbeat();
    if (best != kNobody) send(best, TimeoutNow{});
    become_follower(term_, kNobody);
}

Result<void> Core::transfer(PeerId target) {
    if (role_ != Role::kLeader) return check_proposal(0);
    if (transferee_ != kNobody)
        return Error(ErrorCode::kConflict, "leadership is being handed over")
            .with_reason("transfer_under_way")
            .with("to", transferee_.value());
    if (target == options_.self || !configuration().is_voter(target))
        return Error(ErrorCode::kInvalidArgument, "leadership goes to another voter")
            .with("peer", target.value())
            .with_hint(configuration().to_string());
    transferee_ = target;
    transfer_elapsed_ = 0;
    transfer_sent_ = false;
    return {};
}

void Core::try_transfer() {
    if (transferee_ == kNobody || transfer_sent_) return;
    if (peers_.at(transferee_).match < log_.last()) return;
    transfer_sent_ = true;
    send(transferee_, TimeoutNow{});
}

Configuration Core::configuration_at(LogIndex index) const {
    auto at = configurations_.end() - 1;
    while (at != configurations_.begin() && at->index > index) --at;
    return at->configuration;
}

}  // namespace tidal::raft
