#include "cluster/group_recovery.h"

#include <algorithm>

#include "cluster/group_batches.h"
#include "cluster/internal/planted.h"

namespace tidal::cluster {

void GroupRecovery::add_group(const raft::GroupKey& group, raft::DurableState base) {
    found_.groups.insert_or_assign(group, std::move(base));
}

Result<void> GroupRecovery::visit(const wal::BatchHeader& header, std::string_view payload) {
    if (header.shard == wal::kNodeShard) return visit_states(header, payload);
    const raft::GroupKey key{header.shard, header.incarnation};
    const auto group = found_.groups.find(key);
    if (group == found_.groups.end()) {
        const auto later = found_.groups.upper_bound(key);
        if (later != found_.groups.end() && later->first.shard == key.shard) return {};
        return Error(ErrorCode::kIncompatible, "the log has entries of a group this node lacks")
            .with("shard", key.shard.value())
            .with("incarnation", key.incarnation.value())
            .with_hint("a folder of another node, or a store that lost a shard");
    }
    Tail& tail = tails_.try_emplace(key, Tail{LogIndex(1), {}, {}, {}}).first->second;
    TIDAL_ASSIGN(const auto batch, group_batch_of(header, payload));
    found_.stamps[key] = header.stamp;
    if (batch.base) {
        tail.truncate_from(header.first_index);
        return {};
    }
    for (const raft::Entry& entry : batch.entries) {
        if (auto added = tail.add(entry); !added)
            return added.take_error().with("shard", key.shard.value());
    }
    return {};
}

Result<void> GroupRecovery::visit_states(const wal::BatchHeader& header, std::string_view payload) {
    TIDAL_ASSIGN(hard_, states_of_batch(header, payload));
    found_.states_index = header.first_index;
    return {};
}

void GroupRecovery::Tail::truncate_from(LogIndex index) {
    while (!terms.empty() && terms.back().first >= index) terms.pop_back();
    while (!configurations.empty() && configurations.back().index >= index)
        configurations.pop_back();
    if (last >= index) last = raft::previous(std::max(index, first));
}

Result<void> GroupRecovery::Tail::add(const raft::Entry& entry) {
    truncate_from(entry.index);
    if (last < first || entry.index != last.next()) {
        // Behind a snapshot, or where earlier files have been removed.
        *this = {};
        first = entry.index;
    }
    if (!terms.empty() && entry.term < terms.back().term)
        return Error(ErrorCode::kCorruption, "a term falls within a group's log")
            .with("index", entry.index.value())
            .with("term", entry.term.value())
            .with("before", terms.back().term.value());
    if (entry.kind == raft::EntryKind::kConfiguration) {
        TIDAL_ASSIGN(auto configuration, raft::decode_configuration(entry.bytes()));
        configurations.push_back({entry.index, std::move(configuration)});
    }
    if (terms.empty() || terms.back().term != entry.term)
        terms.push_back({entry.index, entry.term});
    last = entry.index;
    return {};
}

Term GroupRecovery::Tail::term_at(LogIndex index) const {
    auto run = terms.rbegin();
    while (run != terms.rend() && run->first > index) ++run;
    return run == terms.rend() ? Term(0) : run->term;
}

Result<void> GroupRecovery::join(const Tail& tail, raft::DurableState* state) {
    const LogIndex base = state->base_index();
    if (tail.last < tail.first || tail.last <= base) return {};
    if (tail.first > base.next())
        return Error(ErrorCode::kCorruption, "entries are missing between checkpoint and log")
            .with("checkpoint", base.value())
            .with("log", tail.first.value());
    if (tail.first <= base && tail.term_at(base) != state->terms.front().term)
        return Error(ErrorCode::kCorruption, "checkpoint and log are of different histories")
            .with("index", base.value())
            .with("checkpoint_term", state->terms.front().term.value())
            .with("log_term", tail.term_at(base).value());
    for (const raft::TermRun& run : tail.terms)
        if (run.first > base && run.term != state->terms.back().term) state->terms.push_back(run);
    for (const raft::ConfigurationAt& at : tail.configurations)
        if (at.index > base) state->configurations.push_back(at);
    state->last = tail.last;
    return {};
}

Result<GroupRecovery::Found> GroupRecovery::finish() {
    for (auto& [key, state] : found_.groups) {
        if (const auto tail = tails_.find(key); tail != tails_.end()) {
            if (auto joined = join(tail->second, &state); !joined)
                return joined.take_error().with("shard", key.shard.value());
        }
        const auto hard = hard_.find(key);
        if (hard != hard_.end() && !planted(Bug::kForgetVote)) state.hard = hard->second;
        // An entry of a later term got to the disk and the record of that term did not (it found no
        // space): nothing was said in that term, least of all a vote.
        const Term newest = state.terms.back().term;
        if (state.hard.term < newest) state.hard = {newest, raft::kNobody};
    }
    return std::move(found_);
}

}  // namespace tidal::cluster
