// Linearizable reads without writing to the log: thesis 6.4.
#include <algorithm>

#include "raft/internal/core.h"
#include "raft/internal/planted.h"

namespace tidal::raft {
namespace {

/// Rounds without a quorum yet: beyond it reads wait and share the next one.
constexpr std::size_t kReadRoundsMax = 16;

}  // namespace

Result<void> Core::read(std::uint64_t id) {
    if (role_ != Role::kLeader && leader_ == kNobody)
        return Error(ErrorCode::kUnavailable, "no leader is known").with_reason("no_leader");
    if (reads_ >= options_.reads_max)
        return Error(ErrorCode::kOverloaded, "too many reads wait for a quorum")
            .with_reason("reads")
            .with("max", options_.reads_max);
    ++reads_;
    if (role_ == Role::kLeader)
        waiting_reads_.push_back(id);
    else
        forwarded_reads_.push_back({.id = id});
    return {};
}

// --- leader -----------------------------------------------------------------------------------

void Core::handle(PeerId from, const ReadRequest& request) {
    if (role_ != Role::kLeader || !configuration().contains(from)) return;
    ReadRequest& waiting = waiting_remote_[from];
    if (waiting.run != request.run || waiting.number < request.number) waiting = request;
}

void Core::pump_reads() {
    if (role_ == Role::kLeader) {
        if (waiting_reads_.empty() && waiting_remote_.empty()) return;
        // Before that the leader does not know how far its predecessors committed.
        if (!committed_own_term() || read_rounds_.size() >= kReadRoundsMax) return;
        broadcast_heartbeat();
        ReadRound round{.round = round_,
                        .index = commit_,
                        .local = std::move(waiting_reads_),
                        .remote = std::move(waiting_remote_)};
        waiting_reads_.clear();
        waiting_remote_.clear();
        read_rounds_.push_back(std::move(round));
        return confirm_reads();  // a group of one is its own quorum
    }
    if (leader_ == kNobody || forwarded_reads_.empty()) return;
    if (forwarded_reads_.back().number != 0) return;
    ++forward_number_;
    for (auto read = forwarded_reads_.rbegin();
         read != forwarded_reads_.rend() && read->number == 0; ++read)
        read->number = forward_number_;
    send(leader_, ReadRequest{.run = options_.seed, .number = forward_number_});
}

void Core::confirm_reads() {
    if (role_ != Role::kLeader || read_rounds_.empty()) return;
    const std::uint64_t confirmed = configuration().quorum_value([&](PeerId peer) {
        if (peer == options_.self) return round_;
        const auto progress = peers_.find(peer);
        return progress == peers_.end() ? std::uint64_t{0} : progress->second.round_acked;
    });
    while (!read_rounds_.empty() &&
           (read_rounds_.front().round <= confirmed || planted(Bug::kReadWithoutQuorum))) {
        ReadRound& round = read_rounds_.front();
        for (const std::uint64_t id : round.local) read_states_.push_back({id, true, round.index});
        reads_ -= round.local.size();
        for (const auto& [from, request] : round.remote)
            send(from,
                 ReadReply{.run = request.run, .number = request.number, .index = round.index});
        read_rounds_.pop_front();
    }
}

// --- follower ---------------------------------------------------------------------------------

void Core::handle(PeerId from, const ReadReply& reply) {
    if (role_ != Role::kFollower || from != leader_ || reply.run != options_.seed) return;
    // What was confirmed after an earlier read was asked for holds for that one too.
    while (!forwarded_reads_.empty() && forwarded_reads_.front().number != 0 &&
           forwarded_reads_.front().number <= reply.number) {
        read_states_.push_back({forwarded_reads_.front().id, true, reply.index});
        forwarded_reads_.pop_front();
        --reads_;
    }
}

void Core::tick_forwarded_reads() {
    if (forwarded_reads_.empty()) return;
    for (ForwardedRead& read : forwarded_reads_) ++read.ticks;
    while (!forwarded_reads_.empty() &&
           forwarded_reads_.front().ticks >= options_.election_ticks_min) {
        read_states_.push_back({.id = forwarded_reads_.front().id});
        forwarded_reads_.pop_front();
        --reads_;
    }
    if (forwarded_reads_.empty() || forwarded_reads_.back().number == 0 || leader_ == kNobody)
        return;
    if (elapsed_ % options_.heartbeat_ticks == 0)  // the request or its answer may be lost
        send(leader_, ReadRequest{.run = options_.seed, .number = forwarded_reads_.back().number});
}

void Core::refuse_reads() {
    for (const std::uint64_t id : waiting_reads_) read_states_.push_back({.id = id});
    for (const ReadRound& round : read_rounds_)
        for (const std::uint64_t id : round.local) read_states_.push_back({.id = id});
    for (const ForwardedRead& read : forwarded_reads_) read_states_.push_back({.id = read.id});
    waiting_reads_.clear();
    waiting_remote_.clear();
    read_rounds_.clear();
    forwarded_reads_.clear();
    reads_ = 0;
}

}  // namespace tidal::raft
