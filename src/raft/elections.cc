// Roles, votes and time-outs: thesis 3.4, 4.2.3, 9.6.
#include <cassert>

#include "raft/internal/core.h"
#include "raft/internal/planted.h"

namespace tidal::raft {

void Core::reset_election_timer() {
    // SplitMix64 (Steele, Lea & Flood 2014): the same seed gives the same time-outs.
    random_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = random_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    const std::uint32_t spread = options_.election_ticks_max - options_.election_ticks_min;
    elapsed_ = 0;
    timeout_ = options_.election_ticks_min + static_cast<std::uint32_t>(z % spread);
}

bool Core::may_campaign() const {
    if (incoming_ && incoming_->installing) return false;
    // 4.2.2: until the configuration that leaves this replica out is committed, its log may be the
    // only one that can bring it to those who stay.
    for (auto at = configurations_.rbegin(); at != configurations_.rend(); ++at) {
        if (at->configuration.is_voter(options_.self)) return true;
        if (at->index <= commit_) return false;
    }
    return false;
}

bool Core::hears_leader() const {
    if (role_ == Role::kLeader) return true;  // check_quorum() ends a leadership nobody hears
    return leader_ != kNobody && elapsed_ < options_.election_ticks_min;
}

void Core::leave_role() {
    refuse_reads();
    peers_.clear();
    votes_.clear();
    acknowledge_durable_ = false;
    transferee_ = kNobody;
    uncommitted_bytes_ = 0;
}

void Core::become_follower(Term term, PeerId leader) {
    leave_role();
    if (term > term_) set_hard(term, kNobody);
    role_ = Role::kFollower;
    leader_ = leader;
    // Committed entries are in the log of every leader of this and later terms.
    verified_ = commit_;
    reset_election_timer();
}

void Core::campaign() {
    reset_election_timer();
    if (role_ == Role::kLeader || !may_campaign()) return;
    start_election(true, false);
}

void Core::start_election(bool pre, bool by_transfer) {
    leave_role();
    role_ = pre ? Role::kPreCandidate : Role::kCandidate;
    leader_ = kNobody;
    if (!pre) {
        set_hard(term_.next(), options_.self);
        reset_election_timer();
    }
    for (const PeerId peer : configuration().all()) {
        if (peer == options_.self || !configuration().is_voter(peer)) continue;
        send(peer, VoteRequest{.pre = pre,
                               .transfer = by_transfer,
                               .campaign_term = pre ? term_.next() : term_,
                               .last_index = log_.last(),
                               .last_term = log_.last_term()});
    }
    count_votes();
}

void Core::count_votes() {
    // The own vote is one like others: it counts once it is durable.
    const bool durable =
        persisted_number_ >= hard_number_ || planted(Bug::kAnswerBeforeVoteDurable);
    if (role_ == Role::kPreCandidate || durable) votes_[options_.self] = true;
    if (role_ == Role::kCandidate && !durable) return;  // Who leads has its term on disk.
    const VoteResult result = configuration().vote_result([&](PeerId peer) {
        const auto vote = votes_.find(peer);
        return vote == votes_.end() ? -1 : vote->second ? 1 : 0;
    });
    if (result == VoteResult::kPending) return;
    if (result == VoteResult::kLost) return become_follower(term_, kNobody);
    if (role_ == Role::kPreCandidate) return start_election(false, false);
    become_leader();
}

void Core::become_leader() {
    assert(role_ == Role::kCandidate);
    leave_role();
    role_ = Role::kLeader;
    leader_ = options_.self;
    elapsed_ = heartbeat_elapsed_ = 0;
    round_ = 0;
    for (const PeerId peer : configuration().all())
        if (peer != options_.self) peers_[peer].next = log_.last().next();
    // 3.6.2, 6.4: commits whatever older terms left behind, and shows how far that goes.
    term_start_ = append_own(EntryKind::kEmpty, nullptr);
    broadcast_heartbeat();
}

void Core::handle(PeerId from, const VoteRequest& request) {
    const bool complete =
        log_.up_to_date(request.last_index, request.last_term) || planted(Bug::kVoteForShorterLog);
    if (request.pre) {
        // Who hears from a leader stays silent; the time-out of the one that asks ends it.
        if (hears_leader()) return;
        send(from, VoteReply{.pre = true,
                             .granted = complete && request.campaign_term > term_,
                             .campaign_term = request.campaign_term});
        return;
    }
    assert(request.campaign_term == term_);
    const bool free = vote_ == from || (vote_ == kNobody && leader_ == kNobody);
    const bool granted = free && complete;
    if (granted) {
        set_hard(term_, from);
        reset_election_timer();
    }
    send(from, VoteReply{.granted = granted, .campaign_term = request.campaign_term});
}

void Core::handle(PeerId from, const VoteReply& reply) {
    const bool awaited = reply.pre
                             ? role_ == Role::kPreCandidate && reply.campaign_term == term_.next()
                             : role_ == Role::kCandidate && reply.campaign_term == term_;
    if (!awaited) return;
    votes_.emplace(from, reply.granted);  // the first answer of a peer stands
    count_votes();
}

void Core::handle(PeerId, const TimeoutNow&) {
    if (role_ != Role::kFollower || !may_campaign()) return;
    start_election(false, true);  // no pre-vote: the others still hear the leader
}

}  // namespace tidal::raft
