#include "raft/tests/checker.h"

#include <algorithm>

namespace tidal::raft {

void Checker::fail(PeerId id, const std::string& what) {
    if (failure_.empty()) failure_ = "replica " + std::to_string(id.value()) + ": " + what;
}

void Checker::on_send(const Message& message) {
    const PeerId id = message.from;
    trace_ = mix(trace_, message.body.index() + 16 * message.to.value());
    const Replica& replica = cluster->at(id);
    if (message_bytes(message) > 64 + 8 * 16 + replica.options.message_bytes_max +
                                     replica.options.chunk_bytes_max +
                                     replica.options.entry_bytes_max)
        fail(id, "a message above its bound");
    if (message.term > replica.disk.hard.term) fail(id, "a message of a term that is not durable");
    PeerId candidate;
    if (const auto* request = std::get_if<VoteRequest>(&message.body))
        if (!request->pre) candidate = id;
    if (const auto* reply = std::get_if<VoteReply>(&message.body))
        if (!reply->pre && reply->granted) candidate = message.to;
    if (candidate != kNobody) {
        const auto [vote, first] = votes_.emplace(std::pair{message.term, id}, candidate);
        if (!first && vote->second != candidate)
            fail(id, "two votes in term " + std::to_string(message.term.value()));
    }
    if (const auto* reply = std::get_if<AppendReply>(&message.body))
        if (!reply->rejected && reply->match > replica.disk.last())
            fail(id, "acknowledges " + std::to_string(reply->match.value()) + ", durable is " +
                         std::to_string(replica.disk.last().value()));
}

void Checker::on_ready(PeerId id, const Ready& ready) {
    for (const Entry& entry : ready.entries) {
        std::uint64_t content = static_cast<std::uint64_t>(entry.kind);
        for (const char c : entry.bytes()) content = mix(content, static_cast<unsigned char>(c));
        const Term before = cluster->node(id).term_at(previous(entry.index));
        const auto [seen, first] =
            entries_.emplace(std::pair{entry.index, entry.term}, Seen{before, content});
        // What was written before it in the same log may have been replaced since, so that the term
        // before is only known for the first of a Ready's entries and those behind it.
        if (!first && (seen->second.content != content || seen->second.before != before))
            fail(id, "log matching: index " + std::to_string(entry.index.value()) + " term " +
                         std::to_string(entry.term.value()) + " is not the same everywhere");
    }
}

void Checker::check_chain(PeerId id, const Machine& machine) {
    const std::uint64_t index = machine.index.value();
    if (chains_.size() <= index) chains_.resize(index + 1);
    if (chains_[index] == 0) chains_[index] = machine.chain;
    if (chains_[index] != machine.chain)
        fail(id, "state machine safety: another state at index " + std::to_string(index));
}

void Checker::on_apply(PeerId id, const Entry&, const Machine& machine) {
    trace_ = mix(trace_, machine.chain);
    check_chain(id, machine);
}

void Checker::on_install(PeerId id, const Machine& machine) {
    ++installs_;
    commits_.erase(id);
    check_chain(id, machine);
}

void Checker::read_asked(PeerId id, std::uint64_t read) {
    asked_[{id, read}] = committed_;
}

void Checker::on_read(PeerId id, const ReadState& read) {
    const auto asked = asked_.find({id, read.id});
    if (asked == asked_.end()) return fail(id, "a read is answered twice");
    if (read.confirmed && read.index < asked->second)
        fail(id, "a read at " + std::to_string(read.index.value()) + " misses the commit of " +
                     std::to_string(asked->second.value()));
    reads_confirmed_ += read.confirmed;
    asked_.erase(asked);
}

/// What is asked for all the time says what the whole status says.
void Checker::check_brief(PeerId id, const Status& status) {
    const Brief brief = cluster->node(id).brief();
    if (brief.role != status.role || brief.term != status.term || brief.leader != status.leader ||
        brief.durable != status.durable || brief.applied != status.applied)
        fail(id, "the brief status is not the status");
    if (status.role != Role::kLeader) return;
    std::vector<LogIndex> expected, voters;
    if (status.configuration.is_voter(id)) expected.push_back(status.durable);
    for (const PeerStatus& peer : status.peers)
        if (status.configuration.is_voter(peer.peer)) expected.push_back(peer.match);
    std::sort(expected.rbegin(), expected.rend());
    cluster->node(id).voters_durable(&voters);
    if (voters != expected) fail(id, "voters are not as durable as they are said to be");
}

void Checker::on_step(PeerId id) {
    if (!cluster->up(id)) return;
    const Status status = cluster->node(id).status();
    check_brief(id, status);
    if (status.role == Role::kLeader) check_leader(id, status);
    check_commit(id, status);
    if (status.applied > status.commit || status.commit > status.last)
        fail(id, "applied beyond commit, or commit beyond the log");
    const Options& options = cluster->at(id).options;
    for (const PeerStatus& peer : status.peers)
        if (peer.inflight_messages > options.inflight_messages_max ||
            peer.inflight_bytes >
                options.inflight_bytes_max + options.message_bytes_max + options.entry_bytes_max)
            fail(id, "more in flight than allowed");
}

void Checker::check_leader(PeerId id, const Status& status) {
    const auto [leader, first] = leaders_.emplace(status.term, id);
    if (!first) {
        if (leader->second != id)
            fail(id, "election safety: two leaders in term " + std::to_string(status.term.value()));
        return;
    }
    trace_ = mix(trace_, status.term.value() * 64 + id.value());
    for (LogIndex i = previous(status.first); i <= committed_; i = i.next())
        if (i.value() > 0 && cluster->node(id).term_at(i) != terms_[i.value()])
            return fail(id, "leader completeness: term " + std::to_string(status.term.value()) +
                                " leads without committed index " + std::to_string(i.value()));
}

bool Checker::durable_on_quorum(const Configuration& configuration, LogIndex index, Term term) {
    return configuration.vote_result([&](PeerId peer) {
        const auto found = cluster->replicas().find(peer);
        if (found == cluster->replicas().end()) return 0;
        const Disk& disk = found->second.disk;
        return disk.base >= index || disk.term_at(index) == term ? 1 : 0;
    }) == VoteResult::kWon;
}

void Checker::check_commit(PeerId id, const Status& status) {
    LogIndex& before = commits_[id];
    if (status.commit < before) fail(id, "commit falls");
    before = status.commit;
    const Node& node = cluster->node(id);
    const bool news = status.commit > committed_;
    for (LogIndex i = committed_.next(); i <= status.commit; i = i.next()) {
        terms_.push_back(node.term_at(i));
        committed_ = i;
    }
    if (status.commit.value() >= status.first.value() &&
        node.term_at(status.commit) != terms_[status.commit.value()])
        fail(id, "commits another entry at index " + std::to_string(status.commit.value()));
    if (news && status.role == Role::kLeader && terms_[committed_.value()] != status.term)
        fail(id, "counts replicas of index " + std::to_string(committed_.value()) +
                     ", which is of an older term");
    // Only when it commits: a later configuration owes nothing to entries before it.
    if (news && !durable_on_quorum(status.configuration, committed_, terms_[committed_.value()]))
        fail(id, "index " + std::to_string(committed_.value()) +
                     " is committed and not durable on a quorum");
}

}  // namespace tidal::raft
