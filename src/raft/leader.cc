// A leader's log: proposals, replication with flow control, commit: thesis 3.5, 3.6.2, 10.2.
#include <algorithm>
#include <cassert>

#include "raft/internal/core.h"
#include "raft/internal/planted.h"

namespace tidal::raft {

// --- proposals --------------------------------------------------------------------------------

Result<void> Core::check_proposal(std::size_t bytes) const {
    if (role_ != Role::kLeader) {
        Error error = Error(ErrorCode::kUnavailable, "this replica does not lead the group")
                          .with_reason("not_leader");
        if (leader_ != kNobody) error.with("leader", leader_.value());
        return error;
    }
    if (transferee_ != kNobody)
        return Error(ErrorCode::kUnavailable, "leadership is being handed over")
            .with_reason("transfer_under_way")
            .with("to", transferee_.value());
    // One proposal is always taken: a limit below one record must not stop the group.
    if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + bytes > options_.uncommitted_bytes_max)
        return Error(ErrorCode::kOverloaded, "too much waits for a quorum")
            .with_reason("uncommitted_bytes")
            .with("bytes", uncommitted_bytes_)
            .with("max", options_.uncommitted_bytes_max);
    return {};
}

Result<Position> Core::propose(std::vector<Payload> records) {
    if (records.empty()) return Error(ErrorCode::kInvalidArgument, "nothing is proposed");
    std::size_t bytes = 0;
    for (const Payload& record : records) {
        const std::size_t size = record ? record->size() : 0;
        if (size > options_.entry_bytes_max)
            return Error(ErrorCode::kTooLarge, "a record is too large for the log")
                .with("bytes", size)
                .with("max", options_.entry_bytes_max);
        bytes += size + kEntryOverheadBytes;
    }
    TIDAL_TRY(check_proposal(bytes));
    Position position{term_, log_.last().next(), log_.last().next()};
    for (Payload& record : records)
        position.last = append_own(EntryKind::kRecord, std::move(record));
    return position;
}

LogIndex Core::append_own(EntryKind kind, Payload payload) {
    assert(role_ == Role::kLeader);
    Entry entry{term_, log_.last().next(), kind, std::move(payload)};
    uncommitted_bytes_ += entry.cost();
    if (kind == EntryKind::kConfiguration) push_configuration(entry);
    log_.append(std::move(entry));
    if (planted(Bug::kLeaderCountsUnsynced)) count_commits();
    return log_.last();
}

// --- commit -----------------------------------------------------------------------------------

bool Core::committed_own_term() const {
    return commit_ >= term_start_;
}

void Core::count_commits() {
    const LogIndex quorum(configuration().quorum_value([&](PeerId peer) {
        if (peer == options_.self)
            return planted(Bug::kLeaderCountsUnsynced) ? log_.last().value()
                                                       : log_.durable().value();
        const auto progress = peers_.find(peer);
        return progress == peers_.end() ? 0 : progress->second.match.value();
    }));
    // 3.6.2, figure 3.7 (figure 8 of the paper): an entry of an older term on a majority can still
    // be replaced; it is committed by a later entry of this term.
    if (quorum <= commit_) return;
    if (log_.term_at(quorum) != term_ && !planted(Bug::kCountOlderTerms)) return;
    const LogIndex before = commit_;
    commit_ = quorum;
    after_commit(before);
}

void Core::after_commit(LogIndex before) {
    for (LogIndex index = std::max(before.next(), term_start_); index <= commit_;
         index = index.next())
        uncommitted_bytes_ -= std::min(uncommitted_bytes_, log_.cost_at(index));
    finish_joint();
    leave_if_removed();
}

// --- answers ----------------------------------------------------------------------------------

void Core::take_match(Progress& peer, LogIndex match) {
    if (match > log_.last()) return;  // no correct peer acknowledges what was never sent
    peer.inflights.acknowledged(match);
    if (match > peer.match) peer.match = match;
    if (peer.next <= match) peer.next = match.next();
    // It has the snapshot, or did not need it. If the log has moved on since, another one follows.
    if (peer.snapshot && match >= std::min(log_.base(), peer.snapshot->meta.index))
        peer.probe_from(match.next());
}

/// The logs agree up to `received`: from there on entries go without waiting for answers.
void Core::take_received(Progress& peer, LogIndex received) {
    if (peer.flow != Flow::kProbe || received.next() < peer.next || received > log_.last()) return;
    peer.flow = Flow::kReplicate;
    peer.waiting = false;
    peer.next = received.next();
}

void Core::handle(PeerId from, const AppendReply& reply) {
    const auto found = peers_.find(from);
    if (role_ != Role::kLeader || found == peers_.end()) return;
    Progress& peer = found->second;
    peer.active = true;
    if (reply.rejected) return handle_rejection(peer, reply);
    const LogIndex before = peer.match;
    take_match(peer, reply.match);
    take_received(peer, reply.received);
    if (peer.match > before) count_commits();
}

void Core::handle_rejection(Progress& peer, const AppendReply& reply) {
    if (peer.flow == Flow::kSnapshot || reply.match <= peer.match) return;  // an old answer
    if (peer.flow == Flow::kReplicate) return peer.probe_from(peer.match.next());
    if (reply.match != previous(peer.next)) return;  // of another probe
    LogIndex next = reply.hint_index.next();
    if (reply.hint_index <= log_.last() && reply.hint_index >= log_.base())
        next = log_.last_not_above(reply.hint_index, reply.hint_term).next();
    peer.probe_from(std::max(peer.match.next(), std::min(next, previous(peer.next))));
}

void Core::handle(PeerId from, const HeartbeatReply& reply) {
    const auto found = peers_.find(from);
    if (role_ != Role::kLeader || found == peers_.end()) return;
    Progress& peer = found->second;
    peer.active = true;
    peer.round_acked = std::max(peer.round_acked, reply.round);
    const LogIndex before = peer.match;
    take_match(peer, reply.match);
    // An answer that left before the probe arrived says nothing of it.
    if (!peer.waiting || reply.received >= peer.next) take_received(peer, reply.received);
    if (reply.round >= peer.append_round) {
        // Answered after the last Append left: without it, that is lost. What is received and
        // waits for its disk there is not sent again.
        if (peer.flow == Flow::kReplicate && reply.received < previous(peer.next))
            peer.probe_from(std::max(peer.match, reply.received).next());
        peer.waiting = false;
    }
    if (peer.match > before) count_commits();
    confirm_reads();
}

// --- time -------------------------------------------------------------------------------------

void Core::tick_leader() {
    if (elapsed_ >= options_.election_ticks_min) {
        elapsed_ = 0;
        check_quorum();
        if (role_ != Role::kLeader) return;
    }
    if (transferee_ != kNobody && ++transfer_elapsed_ >= options_.election_ticks_min)
        transferee_ = kNobody;
    if (++heartbeat_elapsed_ >= options_.heartbeat_ticks) {
        heartbeat_elapsed_ = 0;
        broadcast_heartbeat();
    }
    for (auto& [id, peer] : peers_) tick_snapshot(peer);
}

void Core::check_quorum() {
    // 6.2: clients of a leader cut off from its quorum are not kept waiting.
    const VoteResult heard = configuration().vote_result([&](PeerId peer) {
        if (peer == options_.self) return 1;
        const auto progress = peers_.find(peer);
        return progress != peers_.end() && progress->second.active ? 1 : 0;
    });
    for (auto& [id, peer] : peers_) peer.active = false;
    if (heard != VoteResult::kWon) become_follower(term_, kNobody);
}

void Core::broadcast_heartbeat() {
    ++round_;
    for (auto& [id, peer] : peers_)
        send(id, Heartbeat{.round = round_, .commit = std::min(commit_, peer.match)});
}

void Core::unreachable(PeerId peer) {
    const auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.flow != Flow::kReplicate) return;
    found->second.probe_from(found->second.match.next());
}

// --- replication ------------------------------------------------------------------------------

bool Core::may_send(const Progress& peer) const {
    if (peer.flow == Flow::kProbe) return !peer.waiting;
    if (peer.flow == Flow::kSnapshot) return false;
    return !peer.inflights.full(options_.inflight_messages_max, options_.inflight_bytes_max);
}

void Core::send_appends() {
    for (auto& [id, peer] : peers_) {
        while (may_send(peer) && send_append(id, peer)) {
        }
        if (peer.flow == Flow::kSnapshot) send_chunks(id, peer);
    }
}

/// What a peer has may be committed later: it is told without an Append, which would be refused
/// where it overtakes the entries before it, and without being asked for an answer.
void Core::send_commit(PeerId id, Progress& peer) {
    const LogIndex commit = std::min(commit_, peer.match);
    if (peer.commit_sent >= commit) return;
    peer.commit_sent = commit;
    send(id, Heartbeat{.round = 0, .commit = commit});
}

/// @return true when an Append left.
bool Core::send_append(PeerId id, Progress& peer) {
    const LogIndex prev = previous(peer.next);
    if (prev < log_.base()) {
        start_snapshot(peer);
        return false;
    }
    if (peer.flow == Flow::kReplicate && peer.next > log_.last()) {
        send_commit(id, peer);
        return false;
    }
    auto entries = log_.slice(peer.next, log_.last(), options_.message_bytes_max);
    if (!entries.ok()) return false;  // being fetched
    Append append{.prev_index = prev,
                  .prev_term = log_.term_at(prev),
                  .commit = commit_,
                  .entries = std::move(*entries)};
    std::size_t bytes = 0;
    for (const Entry& entry : append.entries) bytes += entry.cost();
    if (peer.flow == Flow::kProbe) {
        peer.waiting = true;
    } else if (!append.entries.empty()) {
        peer.next = append.entries.back().index.next();
        peer.inflights.add(append.entries.back().index, bytes);
    }
    peer.append_round = round_ + 1;
    peer.commit_sent = commit_;
    send(id, std::move(append));
    return true;
}

}  // namespace tidal::raft
