// What a follower does with its leader's messages: thesis 3.5.
#include <algorithm>
#include <cassert>

#include "raft/internal/core.h"
#include "raft/internal/planted.h"

namespace tidal::raft {

void Core::hear_leader(PeerId leader) {
    assert(role_ != Role::kLeader);  // step() refused it
    if (role_ != Role::kFollower || leader_ != leader) become_follower(term_, leader);
    elapsed_ = 0;
}

LogIndex Core::acknowledged() const {
    return planted(Bug::kAcknowledgeReceived) ? verified_ : std::min(verified_, log_.durable());
}

void Core::acknowledge() {
    send(leader_, AppendReply{.match = acknowledged(), .received = verified_});
    acknowledge_durable_ = acknowledged() < verified_;
}

void Core::commit_to(LogIndex index) {
    if (incoming_ && incoming_->installing) return;  // the snapshot brings its own commit
    if (index > commit_) commit_ = index;
    // What a snapshot was to bring has come as entries.
    if (incoming_ && incoming_->meta.index <= commit_) incoming_.reset();
}

void Core::handle(PeerId from, Append append) {
    hear_leader(from);
    // A snapshot replaces the log as soon as the caller is done: nothing is worth adding to it.
    if (incoming_ && incoming_->installing) return;
    // What is committed matches; the leader may have compacted it, and so may we.
    if (append.prev_index < commit_) {
        const auto known =
            std::min<std::uint64_t>(distance(append.prev_index, commit_), append.entries.size());
        append.entries.erase(append.entries.begin(),
                             append.entries.begin() + static_cast<std::ptrdiff_t>(known));
        if (append.entries.empty()) return acknowledge();
        append.prev_index = previous(append.entries.front().index);
        append.prev_term = log_.term_at(append.prev_index);
    }
    if (!log_.matches(append.prev_index, append.prev_term)) {
        const LogIndex hint = log_.last_not_above(append.prev_index, append.prev_term);
        send(from, AppendReply{.rejected = true,
                               .match = append.prev_index,
                               .received = verified_,
                               .hint_index = hint,
                               .hint_term = log_.term_at(hint)});
        return;
    }
    const LogIndex last = plus(append.prev_index, append.entries.size());
    const bool grown = append_new(std::move(append.entries));
    verified_ = std::max(verified_, last);
    commit_to(std::min(append.commit, verified_));
    acknowledge_durable_ = true;
    // With new entries the answer comes from persisted().
    if (!grown || planted(Bug::kAcknowledgeReceived)) acknowledge();
}

/// @return true when the log changed.
bool Core::append_new(std::vector<Entry> entries) {
    bool grown = false;
    for (Entry& entry : entries) {
        if (entry.index <= log_.last()) {
            if (log_.term_at(entry.index) == entry.term) continue;
            assert(entry.index > commit_);  // a committed entry is never replaced
            log_.truncate_from(entry.index);
            pop_configurations(entry.index);
        }
        if (entry.kind == EntryKind::kConfiguration) push_configuration(entry);
        log_.append(std::move(entry));
        grown = true;
    }
    return grown;
}

void Core::handle(PeerId from, const Heartbeat& heartbeat) {
    hear_leader(from);
    commit_to(std::min(heartbeat.commit, verified_));
    if (heartbeat.round == 0) return;
    send(from,
         HeartbeatReply{.round = heartbeat.round, .match = acknowledged(), .received = verified_});
}

}  // namespace tidal::raft
