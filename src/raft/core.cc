// What goes in is dispatched; what has to go out is collected.
#include "raft/internal/core.h"

#include <algorithm>
#include <cassert>
#include <functional>

#include "raft/internal/planted.h"

namespace tidal::raft {

Core::Core(const Options& options, DurableState state, LogStore& store)
    : options_(options),
      log_(state, store, options.cache_bytes_max),
      configurations_(std::move(state.configurations)),
      term_(state.hard.term),
      vote_(state.hard.vote),
      random_(options.seed),
      commit_(state.applied),
      handed_(state.applied),
      applied_(state.applied),
      verified_(state.applied) {
    if (state.partial && state.partial->index > state.applied) {
        incoming_ = Incoming{.meta = *state.partial,
                             .received = state.partial_bytes,
                             .durable = state.partial_bytes};
        if (incoming_->durable == incoming_->meta.bytes) snapshot_complete();
    }
    reset_election_timer();
}

void Core::set_hard(Term term, PeerId vote) {
    if (term == term_ && vote == vote_) return;
    assert(term > term_ || (term == term_ && vote_ == kNobody));
    term_ = term;
    vote_ = vote;
    hard_unwritten_ = true;
    hard_number_ = next_number_;
}

void Core::send(PeerId to, Body body) {
    assert(to != options_.self && to != kNobody);
    Held held{planted(Bug::kAnswerBeforeVoteDurable) ? 0 : hard_number_,
              Message{options_.self, to, term_, std::move(body)}};
    if (held.after > persisted_number_) {
        // Who leads asked for votes in its term, and so has it on disk: no heartbeat waits here,
        // and none of round 0 replaces one that is to be answered.
        assert(role_ != Role::kLeader);
        // While the disk is slow the latest of a kind says all: what waits stays bounded.
        for (Held& other : outbox_) {
            if (other.message.to != to || other.message.body.index() != held.message.body.index())
                continue;
            other = std::move(held);
            return;
        }
    }
    outbox_.push_back(std::move(held));
}

void Core::release_messages(Ready* ready) {
    std::deque<Held> kept;
    for (Held& held : outbox_) {
        if (held.after <= persisted_number_)
            ready->messages.push_back(std::move(held.message));
        else
            kept.push_back(std::move(held));
    }
    outbox_ = std::move(kept);
}

// --- in ---------------------------------------------------------------------------------------

void Core::tick() {
    ++elapsed_;
    tick_forwarded_reads();
    if (role_ == Role::kLeader) return tick_leader();
    if (elapsed_ < timeout_) return;
    if (may_campaign())
        campaign();
    else
        become_follower(term_, kNobody);  // no leader is known any more
}

namespace {

bool from_leader(const Message& message) {
    return std::holds_alternative<Append>(message.body) ||
           std::holds_alternative<Heartbeat>(message.body) ||
           std::holds_alternative<SnapshotChunk>(message.body);
}

/// What no correct peer sends, whatever state the receiver is in.
bool well_formed(const Message& message) {
    if (message.from == kNobody) return false;
    if (message.term == Term(0)) {  // only a pre-vote asks, and is answered, in term 0
        const auto* request = std::get_if<VoteRequest>(&message.body);
        const auto* reply = std::get_if<VoteReply>(&message.body);
        return (request && request->pre && request->campaign_term == Term(1)) ||
               (reply && reply->pre);
    }
    if (const auto* append = std::get_if<Append>(&message.body)) {
        LogIndex index = append->prev_index;
        Term term = append->prev_term;
        for (const Entry& entry : append->entries) {
            index = index.next();
            if (entry.index != index || entry.term < term || entry.term > message.term)
                return false;
            term = entry.term;
            if (entry.kind > EntryKind::kConfiguration) return false;
            if (entry.kind == EntryKind::kConfiguration && !decode_configuration(entry.bytes()))
                return false;
        }
    }
    if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body))
        return chunk->data && chunk->data->size() == chunk->size && chunk->size > 0 &&
               chunk->offset <= chunk->meta.bytes &&
               chunk->size <= chunk->meta.bytes - chunk->offset && chunk->meta.term <= message.term;
    if (const auto* request = std::get_if<VoteRequest>(&message.body))
        return request->campaign_term == (request->pre ? message.term.next() : message.term);
    return true;
}

}  // namespace

Result<void> Core::check(const Message& message) const {
    const auto bad = [&](std::string_view what) {
        return Error(ErrorCode::kCorruption, std::string(what))
            .with("kind", message_name(message))
            .with("from", message.from.value())
            .with("to", message.to.value())
            .with("term", message.term.value());
    };
    if (message.to != options_.self) return bad("a message for another replica");
    if (message.from == options_.self) return bad("another replica has this one's id");
    if (!well_formed(message)) return bad("a message no correct peer sends");
    if (message.term < term_) return {};
    if (message.term == term_ && role_ == Role::kLeader && from_leader(message))
        return bad("two leaders of one term");
    if (const auto* append = std::get_if<Append>(&message.body))
        if (contradicts(*append)) return bad("entries that contradict committed ones");
    return {};
}

bool Core::contradicts(const Append& append) const {
    for (const Entry& entry : append.entries) {
        if (entry.index > commit_) break;
        if (entry.index >= log_.base() && log_.term_at(entry.index) != entry.term) return true;
    }
    return false;
}

Result<void> Core::step(Message message) {
    TIDAL_TRY(check(message));
    if (message.term < term_ && from_older_term(message)) return {};
    if (message.term > term_ && !adopt_newer_term(message)) return {};
    dispatch(std::move(message));
    return {};
}

/// @return true when the message ends here.
bool Core::from_older_term(const Message& message) {
    // Who grants a pre-vote keeps its own term, which may well be older.
    const auto* reply = std::get_if<VoteReply>(&message.body);
    if (reply && reply->pre) return false;
    if (const auto* request = std::get_if<VoteRequest>(&message.body)) {
        send(message.from, VoteReply{.pre = request->pre, .campaign_term = request->campaign_term});
    } else if (from_leader(message)) {
        // Tells a deposed leader, or one this replica can never follow because its own term ran
        // ahead while it was cut off, that there is a newer term.
        send(message.from, AppendReply{.rejected = true});
    }
    return true;
}

/// @return false when the message is to be ignored.
bool Core::adopt_newer_term(const Message& message) {
    if (const auto* request = std::get_if<VoteRequest>(&message.body)) {
        if (request->pre) return true;  // answered in our own term
        // 4.2.3: who hears from a leader does not help to depose it.
        if (!request->transfer && hears_leader()) return false;
    }
    become_follower(message.term, from_leader(message) ? message.from : kNobody);
    return true;
}

void Core::dispatch(Message message) {
    const PeerId from = message.from;
    std::visit([&](auto&& body) { handle(from, std::move(body)); }, std::move(message.body));
}

void Core::persisted(std::uint64_t number) {
    assert(number < next_number_ && number >= persisted_number_);
    persisted_number_ = number;
    const LogIndex before = log_.durable();
    log_.persisted(number);
    persisted_chunks(number);
    if (role_ == Role::kCandidate) count_votes();
    if (log_.durable() == before) return;
    if (role_ == Role::kLeader)
        count_commits();
    else if (acknowledge_durable_)
        acknowledge();
}

void Core::applied(LogIndex index) {
    assert(index <= handed_);
    while (applied_ < index) {
        applied_ = applied_.next();
        handed_bytes_ -= handed_costs_.front();
        handed_costs_.pop_front();
    }
    log_.evict(applied_);
}

void Core::compact(LogIndex index) {
    assert(index <= applied_);
    log_.compact(index);
    while (configurations_.size() > 1 && configurations_[1].index <= log_.base())
        configurations_.erase(configurations_.begin());
}

// --- out --------------------------------------------------------------------------------------

Ready Core::take_ready() {
    pump_reads();
    if (role_ == Role::kLeader) {
        try_transfer();
        send_appends();
    }
    Ready ready;
    collect_writes(&ready);
    collect_committed(&ready);
    release_messages(&ready);
    ready.reads = std::move(read_states_);
    read_states_.clear();
    ready.snapshot_wanted = snapshot_wanted_;
    snapshot_wanted_ = false;
    if (incoming_ && incoming_->installing && !incoming_->told) {
        incoming_->told = true;
        ready.install = incoming_->meta;
    }
    return ready;
}

void Core::collect_writes(Ready* ready) {
    if (!hard_unwritten_ && !log_.has_unwritten() && chunks_.empty()) return;
    ready->number = next_number_++;
    if (hard_unwritten_) ready->hard_state = HardState{term_, vote_};
    hard_unwritten_ = false;
    ready->entries = log_.take_unwritten(ready->number);
    ready->chunks = std::move(chunks_);
    chunks_.clear();
    for (ChunkWrite& write : chunk_writes_)
        if (write.number == 0) write.number = ready->number;
}

void Core::collect_committed(Ready* ready) {
    // The state may be the snapshot's by now, which holds these.
    if (incoming_ && incoming_->installing) return;
    const LogIndex last = std::min(commit_, log_.durable());
    ready->held_back = handed_ < last;
    if (handed_ >= last || handed_bytes_ >= options_.apply_bytes_max) return;
    auto entries = log_.slice(handed_.next(), last, options_.apply_bytes_max - handed_bytes_);
    if (!entries.ok()) return;  // not at hand: asked for again with the next Ready
    for (const Entry& entry : *entries) {
        handed_costs_.push_back(entry.cost());
        handed_bytes_ += entry.cost();
    }
    handed_ = entries->back().index;
    ready->held_back = handed_ < last;
    ready->committed = std::move(*entries);
}

Status Core::status() const {
    Status out{.self = options_.self,
               .role = role_,
               .term = term_,
               .vote = vote_,
               .leader = leader_,
               .transferee = transferee_,
               .first = log_.first(),
               .last = log_.last(),
               .durable = log_.durable(),
               .commit = commit_,
               .applied = applied_,
               .uncommitted_bytes = uncommitted_bytes_,
               .cache_bytes = log_.cache_bytes(),
               .reads = reads_,
               .configuration = configuration(),
               .configuration_index = configurations_.back().index};
    for (const auto& [id, peer] : peers_) {
        PeerStatus status{.peer = id,
                          .flow = peer.flow,
                          .active = peer.active,
                          .match = peer.match,
                          .next = peer.next,
                          .inflight_messages = peer.inflights.messages(),
                          .inflight_bytes = peer.inflights.bytes()};
        if (peer.snapshot) {
            status.snapshot_id = peer.snapshot->meta.id;
            status.snapshot_offset = peer.snapshot->acked;
        }
        out.peers.push_back(status);
    }
    return out;
}

Brief Core::brief() const {
    return {.role = role_,
            .term = term_,
            .leader = leader_,
            .durable = log_.durable(),
            .applied = applied_};
}

void Core::voters_durable(std::vector<LogIndex>* out) const {
    out->clear();
    if (configuration().is_voter(options_.self)) out->push_back(log_.durable());
    for (const auto& [id, peer] : peers_)
        if (configuration().is_voter(id)) out->push_back(peer.match);
    std::sort(out->begin(), out->end(), std::greater<>());
}

Term Core::term_at(LogIndex index) const {
    return index < log_.base() || index > log_.last() ? Term(0) : log_.term_at(index);
}

}  // namespace tidal::raft
