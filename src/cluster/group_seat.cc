#include "cluster/internal/group_seat.h"

#include <algorithm>
#include <cassert>

#include "cluster/internal/planted.h"

namespace tidal::cluster {

// --- in ---------------------------------------------------------------------------------------

void GroupHost::Seat::propose(Proposal proposal) {
    const raft::Brief status = node->brief();
    // Stamped for an earlier leadership of this replica: others have written since.
    const bool stale = status.role == raft::Role::kLeader && status.term != proposal.stamped_for;
    Result<raft::Position> position =
        stale ? Error(ErrorCode::kUnavailable, "this replica led the group in another term")
                    .with_reason("not_leader")
                    .with("leader", host.options_.self.value())
              : node->propose(std::move(proposal.records));
    if (proposal.appended) proposal.appended(position);
    if (!position.ok() || !proposal.decided) return;
    proposals.push_back({*position, position->first, std::move(proposal.decided)});
}

void GroupHost::Seat::read(absl::AnyInvocable<void(Result<LogIndex>)> done) {
    const std::uint64_t id = ++last_read;
    if (auto asked = node->read(id); !asked.ok()) return done(asked.take_error());
    reads[id] = std::move(done);
}

// --- out --------------------------------------------------------------------------------------

bool GroupHost::Seat::drive() {
    raft::Ready ready = node->take_ready();
    held_back = ready.held_back;  // before the sink can say what it has applied
    tell_role();
    tell_durable();  // before what is committed by it
    if (std::exchange(ready.snapshot_wanted, false)) want_snapshot();
    if (ready.empty()) return false;
    if (ready.number != 0) store(ready);
    for (raft::Message& message : ready.messages) {
        if (std::holds_alternative<raft::SnapshotChunk>(message.body))
            host.send_chunk(*this, std::move(message));
        else
            host.send(key, std::move(message));
    }
    if (!ready.committed.empty()) deliver(std::move(ready.committed));
    for (const raft::ReadState& state : ready.reads) answer(state);
    if (ready.install) {
        installing = std::move(ready.install);
        stage();
    }
    return true;
}

void GroupHost::Seat::store(raft::Ready& ready) {
    const std::uint64_t number = ++last_write;
    const bool logs = ready.hard_state || !ready.entries.empty();
    writes.push_back({number, ready.number, !logs, ready.chunks.size()});
    if (logs)
        host.log_.write(key, {.number = number,
                              .hard = ready.hard_state,
                              .entries = std::move(ready.entries),
                              .base = {}});
    for (raft::ChunkToStore& chunk : ready.chunks)
        host.store_chunk(*this, number, std::move(chunk));
}

void GroupHost::Seat::persisted(std::uint64_t number) {
    for (Write& write : writes)
        if (write.number == number) write.log_done = true;
    settle_writes();
}

void GroupHost::Seat::chunk_stored(std::uint64_t number) {
    for (Write& write : writes)
        if (write.number == number) --write.chunks_left;
    settle_writes();
}

void GroupHost::Seat::settle_writes() {
    while (!writes.empty() && writes.front().log_done && writes.front().chunks_left == 0) {
        const Write write = writes.front();
        writes.pop_front();
        if (write.ready != 0) {
            node->persisted(write.ready);
        } else {
            switch_over();
        }
    }
    host.touch(*this);
}

// --- committed --------------------------------------------------------------------------------

void GroupHost::Seat::deliver(std::vector<raft::Entry> entries) {
    for (std::size_t begin = 0; begin < entries.size();) {
        const raft::Entry& first = entries[begin];
        CommittedRun run{
            .first = first.index, .term = first.term, .records = {}, .configuration = {}};
        if (first.kind != raft::EntryKind::kRecord) {
            run.control = true;
            if (first.kind == raft::EntryKind::kConfiguration) {
                auto configuration = raft::decode_configuration(first.bytes());
                assert(configuration.ok());  // the core lets nothing else in
                run.configuration = std::move(*configuration);
            }
            ++begin;
        } else {
            run.records.reserve(entries.size() - begin);
            for (; begin < entries.size() && entries[begin].kind == first.kind &&
                   entries[begin].term == run.term;
                 ++begin) {
                // A record is never null for those who read it.
                run.records.push_back(entries[begin].payload ? std::move(entries[begin].payload)
                                                             : raft::make_payload({}));
            }
        }
        hand_over(std::move(run));
    }
}

void GroupHost::Seat::hand_over(CommittedRun run) {
    const LogIndex last = run.last();
    const Term of = run.term;
    sink.committed(std::move(run));
    decide(last, of);
}

/// Entries up to `last` are committed, those not yet looked at of one term.
void GroupHost::Seat::decide(LogIndex last, Term of) {
    while (!proposals.empty() && proposals.front().next <= last) {
        Pending& pending = proposals.front();
        if (pending.position.term == of || planted(Bug::kDecideByIndex)) {
            pending.next = std::min(last, pending.position.last).next();
            if (pending.next <= pending.position.last) return;
            pending.decided(pending.position);
        } else {
            const bool none = pending.next == pending.position.first;
            Error error(ErrorCode::kConflict, none ? "another leader's records stand in their place"
                                                   : "another leader's records replace the rest");
            error.with("committed", pending.next.value() - 1);
            pending.decided(
                std::move(error).with_reason(none ? "superseded" : "partly_superseded"));
        }
        proposals.pop_front();
    }
}

/// Leading anew: the log has everything that is committed, so that what is not in it never will be.
void GroupHost::Seat::decide_lost() {
    std::deque<Pending> kept;
    for (Pending& pending : proposals) {
        if (node->term_at(pending.next) == pending.position.term) {
            kept.push_back(std::move(pending));
            continue;
        }
        const bool none = pending.next == pending.position.first;
        Error error(ErrorCode::kConflict, "lost with the leadership they were proposed in");
        error.with("committed", pending.next.value() - 1);
        pending.decided(std::move(error).with_reason(none ? "superseded" : "partly_superseded"));
    }
    proposals = std::move(kept);
}

void GroupHost::Seat::answer(const raft::ReadState& state) {
    const auto read = reads.find(state.id);
    if (read == reads.end()) return;
    auto done = std::move(read->second);
    reads.erase(read);
    if (state.confirmed) return done(state.index);
    done(Error(ErrorCode::kUnavailable, "leadership changed before the read was confirmed")
             .with_reason("leadership_changed"));
}

void GroupHost::Seat::tell_role() {
    const raft::Brief status = node->brief();
    const bool now = status.role == raft::Role::kLeader;
    if (told && now == leads && status.term == term && status.leader == leader) return;
    told = true;
    leads = now;
    term = status.term;
    leader = status.leader;
    told_own = {};
    told_voters.clear();
    if (now) {
        decide_lost();
        sink.leading(term);
    } else {
        sink.following(term, leader);
    }
}

void GroupHost::Seat::tell_durable() {
    if (!leads) return;
    const LogIndex own = node->brief().durable;
    node->voters_durable(&voters);
    if (own == told_own && voters == told_voters) return;
    told_own = own;
    told_voters.swap(voters);
    sink.durable(told_own, told_voters);
}

/// The core says so with each Ready; making one takes a while.
void GroupHost::Seat::want_snapshot() {
    if (wanted_ticks > 0) return;
    wanted_ticks = host.options_.timing.election_ms_max / host.options_.timing.tick_ms;
    sink.snapshot_wanted();
}

// --- snapshots --------------------------------------------------------------------------------

void GroupHost::Seat::stage() {
    sink.stage_snapshot(*installing, host.snapshots_.path(key, installing->id),
                        [this](Result<void> result) mutable {
                            host.post_seat(*this, [result = std::move(result)](Seat& seat) mutable {
                                seat.staged(std::move(result));
                            });
                        });
}

void GroupHost::Seat::staged(Result<void> result) {
    if (later(result, [this] { stage(); })) return;
    if (!result.ok()) {
        installing.reset();
        return node->snapshot_refused();
    }
    if (planted(Bug::kNoBaseMark)) return switch_over();
    // Before the state changes: the next start must not take entries behind the snapshot, of a
    // history that was given up, for part of the log.
    const std::uint64_t number = ++last_write;
    writes.push_back({.number = number});
    host.log_.write(key, {.number = number,
                          .hard = {},
                          .entries = {},
                          .base = GroupWrite::Base{installing->index, installing->term}});
}

void GroupHost::Seat::switch_over() {
    sink.switch_to_snapshot(*installing, [this](Result<void> result) mutable {
        host.post_seat(*this, [result = std::move(result)](Seat& seat) mutable {
            seat.switched(std::move(result));
        });
    });
}

/// A full disk passes: true, and `step` is tried again.
bool GroupHost::Seat::later(const Result<void>& result, Work step) {
    if (result.ok() || result.error().code() != ErrorCode::kDiskFull) return false;
    host.loop_.post_after(host.options_.log.retry_ns, std::move(step));
    return true;
}

void GroupHost::Seat::switched(Result<void> result) {
    if (later(result, [this] { switch_over(); })) return;
    if (!result.ok()) return host.runtime_.fatal(result.error());
    const raft::SnapshotMeta meta = std::move(*installing);
    installing.reset();
    // What was proposed here and lies before the snapshot may be in it, or not.
    while (!proposals.empty() && proposals.front().next <= meta.index) {
        proposals.front().decided(Error(
            ErrorCode::kTimeout, "a snapshot came before the decision; the write may survive"));
        proposals.pop_front();
    }
    node->snapshot_installed();
    host.log_.checkpointed(key, meta.index);
    host.remove_received(*this);
}

void GroupHost::Seat::give_up() {
    for (Pending& pending : proposals)
        pending.decided(Error(ErrorCode::kTimeout, "the node stops; the write may survive"));
    proposals.clear();
    for (auto& [id, done] : reads)
        done(Error(ErrorCode::kUnavailable, "the node stops").with_reason("shutting_down"));
    reads.clear();
}

}  // namespace tidal::cluster
