// Bringing a peer up to date whose entries are no longer in the log: thesis 5.3, 7.2. The bytes
// travel in chunks, several at once, and go on after a cut from where the receiver's disk has them.
#include <algorithm>
#include <cassert>

#include "raft/internal/core.h"

namespace tidal::raft {

// --- sender -----------------------------------------------------------------------------------

Result<void> Core::offer_snapshot(const SnapshotMeta& meta) {
    const auto bad = [&](std::string_view what) {
        return Error(ErrorCode::kInvalidArgument, "a snapshot that cannot be offered")
            .with_field(what)
            .with("index", meta.index.value());
    };
    if (meta.bytes == 0) return bad("bytes");
    if (meta.id == 0) return bad("id");
    if (meta.index > applied_ || meta.index < log_.base()) return bad("index");
    if (meta.term != log_.term_at(meta.index)) return bad("term");
    offered_ = meta;
    return {};
}

void Core::withdraw_snapshot(std::uint64_t id) {
    if (offered_ && offered_->id == id) offered_.reset();
    for (auto& [peer_id, peer] : peers_)
        if (peer.snapshot && peer.snapshot->meta.id == id) peer.probe_from(peer.next);
}

void Core::start_snapshot(Progress& peer) {
    if (!peer.active) return;  // nothing is made for a peer that is away
    if (!offered_ || offered_->index < log_.base()) {
        snapshot_wanted_ = true;
        return;
    }
    peer.flow = Flow::kSnapshot;
    peer.inflights.clear();
    peer.snapshot = SnapshotSend{.meta = *offered_};
}

void Core::send_chunks(PeerId id, Progress& peer) {
    SnapshotSend& send_state = *peer.snapshot;
    if (send_state.held_ticks > 0) return;
    const std::uint64_t window =
        std::uint64_t{options_.chunks_inflight_max} * options_.chunk_bytes_max;
    // Where a receiver stands is not known before its first answer: one chunk asks.
    const std::uint64_t end =
        std::min(send_state.meta.bytes,
                 send_state.acked + (send_state.answered ? window : options_.chunk_bytes_max));
    while (send_state.sent < end) {
        const std::uint64_t size =
            std::min<std::uint64_t>(options_.chunk_bytes_max, end - send_state.sent);
        send(id, SnapshotChunk{
                     .meta = send_state.meta, .offset = send_state.sent, .size = size, .data = {}});
        send_state.sent += size;
    }
}

void Core::handle(PeerId from, const SnapshotReply& reply) {
    const auto found = peers_.find(from);
    if (role_ != Role::kLeader || found == peers_.end()) return;
    Progress& peer = found->second;
    peer.active = true;
    if (!peer.snapshot || peer.snapshot->meta.id != reply.id) return;
    SnapshotSend& send_state = *peer.snapshot;
    if (reply.received > send_state.meta.bytes || reply.durable > reply.received) return;
    send_state.quiet_ticks = 0;
    // One that asks for a chunk anew frees no room: it answers what followed the refused one.
    if (!reply.resend) send_state.held_ticks = 0;
    if (reply.resend || !send_state.answered) {
        send_state.acked = reply.durable;
        send_state.sent = reply.received;
    }
    send_state.answered = true;
    send_state.acked = std::max(send_state.acked, reply.durable);
    send_state.sent = std::max(send_state.sent, reply.received);
}

void Core::chunk_refused(PeerId id, std::uint64_t snapshot, std::uint64_t offset) {
    const auto found = peers_.find(id);
    if (found == peers_.end() || !found->second.snapshot) return;
    SnapshotSend& send_state = *found->second.snapshot;
    if (send_state.meta.id != snapshot || offset >= send_state.sent) return;
    send_state.sent = std::max(offset, send_state.acked);
    send_state.held_ticks = options_.heartbeat_ticks;
}

void Core::tick_snapshot(Progress& peer) {
    if (!peer.snapshot) return;
    SnapshotSend& send_state = *peer.snapshot;
    if (send_state.held_ticks > 0) --send_state.held_ticks;
    if (++send_state.quiet_ticks < options_.election_ticks_min) return;
    // Begins as at first: with one chunk, whose answer tells where the peer stands.
    send_state.quiet_ticks = 0;
    send_state.answered = false;
    const std::uint64_t last = send_state.meta.bytes - 1;
    send_state.sent = send_state.acked = std::min(send_state.acked, last);
}

// --- receiver ---------------------------------------------------------------------------------

void Core::handle(PeerId from, SnapshotChunk chunk) {
    hear_leader(from);
    const LogIndex index = chunk.meta.index;
    if (index <= commit_) return acknowledge();
    if (log_.matches(index, chunk.meta.term)) {
        // The entries are here: nothing has to be received to know that they are committed.
        verified_ = std::max(verified_, index);
        commit_to(index);
        return acknowledge();
    }
    if (incoming_ && incoming_->installing) {
        if (incoming_->meta.id == chunk.meta.id) reply_snapshot(false);
        return;
    }
    const bool in_order = accept_chunk(std::move(chunk));
    // Kept chunks are answered when they are durable.
    if (!in_order) reply_snapshot(true);
}

/// @return false when the chunk is not the next one.
bool Core::accept_chunk(SnapshotChunk chunk) {
    if (!incoming_ || incoming_->meta != chunk.meta)
        incoming_ = Incoming{.meta = chunk.meta, .attempt = ++attempts_};
    if (chunk.offset != incoming_->received) return false;
    incoming_->received += chunk.size;
    chunk_writes_.push_back({0, incoming_->attempt, incoming_->received});
    chunks_.push_back({std::move(chunk.meta), chunk.offset, std::move(chunk.data)});
    return true;
}

void Core::reply_snapshot(bool resend) {
    send(leader_, SnapshotReply{.id = incoming_->meta.id,
                                .durable = incoming_->durable,
                                .received = incoming_->received,
                                .resend = resend});
}

void Core::persisted_chunks(std::uint64_t number) {
    bool news = false;
    while (!chunk_writes_.empty() && chunk_writes_.front().number != 0 &&
           chunk_writes_.front().number <= number) {
        if (incoming_ && incoming_->attempt == chunk_writes_.front().attempt) {
            incoming_->durable = std::max(incoming_->durable, chunk_writes_.front().end);
            news = true;
        }
        chunk_writes_.pop_front();
    }
    if (!news) return;
    if (incoming_->durable == incoming_->meta.bytes) {
        snapshot_complete();
        if (!incoming_) return;
    }
    if (role_ == Role::kFollower && leader_ != kNobody) reply_snapshot(false);
}

/// Every byte is durable. While they were being written the same entries may have come from another
/// leader, and more behind them, acknowledged: those must not make room for the snapshot.
void Core::snapshot_complete() {
    if (!log_.matches(incoming_->meta.index, incoming_->meta.term)) {
        incoming_->installing = true;
        return;
    }
    // A snapshot holds what is committed, and logs that match there match before.
    commit_ = std::max(commit_, incoming_->meta.index);
    verified_ = std::max(verified_, commit_);
    incoming_.reset();
}

void Core::snapshot_installed() {
    assert(incoming_ && incoming_->installing && incoming_->told);
    const SnapshotMeta meta = std::move(incoming_->meta);
    incoming_.reset();
    chunk_writes_.clear();
    log_.reset(meta.index, meta.term);
    configurations_ = {{meta.index, meta.configuration}};
    commit_ = handed_ = applied_ = verified_ = meta.index;
    handed_costs_.clear();
    handed_bytes_ = 0;
    offered_.reset();
    if (role_ == Role::kFollower && leader_ != kNobody) acknowledge();
}

void Core::snapshot_refused() {
    assert(incoming_ && incoming_->installing && incoming_->told);
    const SnapshotMeta meta = std::move(incoming_->meta);
    incoming_ = Incoming{.meta = meta, .attempt = ++attempts_};
    chunk_writes_.clear();
    if (role_ == Role::kFollower && leader_ != kNobody) reply_snapshot(true);
}

}  // namespace tidal::raft
