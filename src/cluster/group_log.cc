#include "cluster/group_log.h"

#include <algorithm>
#include <cassert>

#include "cluster/internal/planted.h"

namespace tidal::cluster {

/// What the log's executor hands over. Outlives the GroupLog in the log's callbacks.
struct GroupLog::Answers {
    std::mutex mutex;
    std::vector<Answer> waiting;
    bool posted = false;
    GroupLog* owner = nullptr;          ///< Null once that is gone; read on the loop executor only.
    runtime::Executor* loop = nullptr;  ///< Null likewise; guarded by mutex.

    static void add(const std::shared_ptr<Answers>& self, Answer answer) {
        const std::lock_guard lock(self->mutex);
        self->waiting.push_back(std::move(answer));
        if (self->posted || self->loop == nullptr) return;
        self->posted = true;
        self->loop->post([self] {
            if (self->owner != nullptr) self->owner->collect();
        });
    }
};

struct GroupLog::Group final : raft::LogStore {
    GroupLog& owner;
    const raft::GroupKey key;
    std::vector<raft::TermRun> terms;
    HybridTime stamp;
    std::deque<Queued> writes;
    bool stalled = false;  ///< Nothing more is handed to the log until the next attempt.
    bool retry_posted = false;
    std::vector<raft::Entry> ahead;  ///< Read; dense, and right for all we know.
    bool fetching = false;
    Status status;

    Group(GroupLog& log, const raft::GroupKey& group, const raft::DurableState& state)
        : owner(log), key(group), terms(state.terms) {}

    Term term_at(LogIndex index) const {
        auto run = terms.rbegin();
        while (run != terms.rend() && run->first > index) ++run;
        return run == terms.rend() ? Term(0) : run->term;
    }
    void note_entry(const raft::Entry& entry) {
        while (!terms.empty() && terms.back().first >= entry.index) terms.pop_back();
        if (terms.empty() || terms.back().term != entry.term)
            terms.push_back({entry.index, entry.term});
        while (!ahead.empty() && ahead.back().index >= entry.index) ahead.pop_back();
    }
    Result<std::vector<raft::Entry>> read(LogIndex from, LogIndex last,
                                          std::size_t bytes_max) override;
};

GroupLog::GroupLog(runtime::Runtime& runtime, wal::NodeLog& log, runtime::Executor& loop,
                   runtime::Executor& files, Options options, LogIndex states_index,
                   Callbacks callbacks)
    : runtime_(runtime),
      log_(log),
      loop_(loop),
      files_(files),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      states_last_(states_index),
      states_durable_(states_index),
      answers_(std::make_shared<Answers>()) {
    answers_->owner = this;
    answers_->loop = &loop;
}

GroupLog::~GroupLog() {
    answers_->owner = nullptr;
    const std::lock_guard lock(answers_->mutex);
    answers_->loop = nullptr;
}

void GroupLog::add_group(const raft::GroupKey& key, const raft::DurableState& state,
                         HybridTime stamp) {
    groups_[key] = std::make_unique<Group>(*this, key, state);
    groups_[key]->stamp = stamp;
    if (state.hard != raft::HardState{}) states_[key] = state.hard;
}

raft::LogStore& GroupLog::store(const raft::GroupKey& key) {
    return *groups_.at(key);
}

GroupLog::Status GroupLog::status(const raft::GroupKey& key) const {
    const Group& group = *groups_.at(key);
    Status status = group.status;
    status.writes = group.writes.size();
    status.stalled = group.stalled;
    return status;
}

// --- writing ----------------------------------------------------------------------------------

void GroupLog::write(const raft::GroupKey& key, GroupWrite write) {
    assert(write.hard || write.base || !write.entries.empty());
    Group& group = *groups_.at(key);
    for (const raft::Entry& entry : write.entries) group.note_entry(entry);
    if (write.base) {
        group.terms = {{write.base->index, write.base->term}};
        group.ahead.clear();
    }
    group.writes.push_back({.write = std::move(write)});
    submit(group);
}

/// Hands over what the log has not been asked to write, in order, up to the first refusal.
void GroupLog::submit(Group& group) {
    for (Queued& queued : group.writes) {
        if (group.stalled) break;
        if (queued.submitted) continue;
        queued.submitted = true;
        // Before the entries of its term: GroupRecovery relies on that.
        if (queued.write.hard) {
            states_[group.key] = *queued.write.hard;
            if (!append_states(group, queued)) break;
        }
        if (queued.write.base)
            append(group, queued,
                   batch_of_base(group.key, options_.region, queued.write.base->index,
                                 queued.write.base->term, group.stamp),
                   {});
        auto batches = batches_of(group.key, options_.region, queued.write.entries,
                                  options_.stamp_of, &group.stamp, options_.batch_bytes_max);
        for (wal::PendingBatch& batch : batches)
            if (!append(group, queued, std::move(batch), {})) break;
    }
    settle(group);
}

/// @return false when the log refused it, and nothing behind it may be handed over.
bool GroupLog::append(Group& group, Queued& queued, wal::PendingBatch batch,
                      LogIndex states_index) {
    batch.on_durable = [answers = answers_, key = group.key, number = queued.write.number,
                        states_index](Result<void> result) {
        Answers::add(answers, {key, number, states_index, std::move(result)});
    };
    if (auto taken = log_.append(std::move(batch)); !taken) {
        queued.refused = group.stalled = true;
        if (taken.error().code() != ErrorCode::kOverloaded &&
            taken.error().code() != ErrorCode::kUnavailable)
            runtime_.fatal(taken.error());
        return false;
    }
    ++queued.outstanding;
    return true;
}

bool GroupLog::append_states(Group& group, Queued& queued) {
    // After a refusal the log takes nothing of a history but from the refused index on.
    if (states_under_way_.empty()) states_last_ = states_durable_;
    const LogIndex index = states_last_.next();
    const std::uint64_t file = log_.stats().durable.file;
    if (!append(group, queued, batch_of_states(states_, index), index)) return false;
    states_last_ = index;
    states_under_way_[index] = file;
    return true;
}

void GroupLog::collect() {
    std::vector<Answer> answers;
    {
        const std::lock_guard lock(answers_->mutex);
        answers.swap(answers_->waiting);
        answers_->posted = false;
    }
    std::vector<raft::GroupKey> touched;
    for (Answer& answer : answers) {
        take(answer);
        if (touched.empty() || touched.back() != answer.group) touched.push_back(answer.group);
    }
    for (const raft::GroupKey& key : touched) settle(*groups_.at(key));
}

void GroupLog::take(Answer& answer) {
    if (answer.states_index != LogIndex()) {
        const auto under_way = states_under_way_.find(answer.states_index);
        if (answer.result.ok()) {
            states_durable_ = answer.states_index;
            states_file_ = under_way->second;
            // The one before is no longer needed, nor is what it keeps from being removed.
            log_.checkpointed(wal::kNodeShard, kNodeIncarnation,
                              LogIndex(states_durable_.value() - 1));
        }
        states_under_way_.erase(under_way);
    }
    if (answer.number == 0) return;  // renew_states()
    Group& group = *groups_.at(answer.group);
    const auto queued =
        std::find_if(group.writes.begin(), group.writes.end(),
                     [&](const Queued& each) { return each.write.number == answer.number; });
    if (planted(Bug::kTellDurableEarly) && queued == group.writes.end()) return;
    assert(queued != group.writes.end() && queued->outstanding > 0);
    --queued->outstanding;
    if (!answer.result.ok()) queued->refused = group.stalled = true;
}

/// Reports what is durable; begins anew once everything has been answered after a refusal.
void GroupLog::settle(Group& group) {
    while (!group.writes.empty()) {
        const Queued& front = group.writes.front();
        const bool synced = front.outstanding == 0 || planted(Bug::kTellDurableEarly);
        if (!front.submitted || !synced || front.refused) break;
        const std::uint64_t number = front.write.number;
        group.writes.pop_front();
        callbacks_.persisted(group.key, number);
    }
    if (!group.stalled || group.retry_posted) return;
    const bool answered = std::all_of(group.writes.begin(), group.writes.end(),
                                      [](const Queued& each) { return each.outstanding == 0; });
    if (answered) retry_later(group);
}

void GroupLog::retry_later(Group& group) {
    group.retry_posted = true;
    loop_.post_after(options_.retry_ns, [this, &group] {
        group.retry_posted = false;
        // The records of terms and votes under way belong to one history: the next one may only be
        // numbered once all have been answered.
        if (!states_under_way_.empty()) return retry_later(group);
        ++group.status.retries;
        group.stalled = false;
        // All from the first refusal on: the same indexes once more, in the same order.
        bool behind = false;
        for (Queued& queued : group.writes) {
            behind = behind || queued.refused;
            if (behind) queued.refused = queued.submitted = false;
        }
        submit(group);
    });
}

void GroupLog::checkpointed(const raft::GroupKey& key, LogIndex index) {
    Group& group = *groups_.at(key);
    while (group.terms.size() > 1 && group.terms[1].first <= index)
        group.terms.erase(group.terms.begin());
    std::erase_if(group.ahead, [&](const raft::Entry& entry) { return entry.index <= index; });
    log_.checkpointed(key.shard, key.incarnation, index);
    renew_states();
}

/// Terms and votes are written anew when the log has gone on to another file: they alone would keep
/// the one they are in.
void GroupLog::renew_states() {
    if (states_.empty() || !states_under_way_.empty()) return;
    const std::uint64_t file = log_.stats().durable.file;
    if (file <= states_file_) return;
    const LogIndex index = states_durable_.next();
    wal::PendingBatch batch = batch_of_states(states_, index);
    batch.on_durable = [answers = answers_, index,
                        key = groups_.begin()->first](Result<void> result) {
        Answers::add(answers, {key, 0, index, std::move(result)});
    };
    if (!log_.append(std::move(batch))) return;  // with the next checkpoint, then
    states_last_ = index;
    states_under_way_[index] = file;
}

// --- reading ----------------------------------------------------------------------------------

Result<std::vector<raft::Entry>> GroupLog::Group::read(LogIndex from, LogIndex last,
                                                       std::size_t bytes_max) {
    if (ahead.empty() || from < ahead.front().index || from > ahead.back().index) {
        if (!fetching) owner.fetch(*this, from, last);
        return Error(ErrorCode::kUnavailable, "entries are being read from the log");
    }
    std::vector<raft::Entry> out;
    std::size_t bytes = 0;
    for (auto i = raft::distance(ahead.front().index, from); i < ahead.size(); ++i) {
        if (ahead[i].index > last) break;
        bytes += ahead[i].cost();
        if (bytes > bytes_max && !out.empty()) break;
        out.push_back(ahead[i]);
    }
    return out;
}

namespace {

/// Collects entries from .. last as long as they have the terms the core knows: with the same term
/// an entry of an index is the same, and superseded ones have another.
struct Collector {
    LogIndex next, last;
    std::size_t bytes_left = 0;
    std::vector<raft::TermRun> terms;
    std::vector<raft::Entry> entries;

    Term term_at(LogIndex index) const {
        auto run = terms.rbegin();
        while (run != terms.rend() && run->first > index) ++run;
        return run == terms.rend() ? Term(0) : run->term;
    }
    bool done() const { return next > last || bytes_left == 0; }
    void take(raft::Entry entry) {
        if (done() || entry.index != next) return;
        if (entry.term != term_at(next) && !planted(Bug::kFetchIgnoresTerm)) return;
        bytes_left -= std::min(bytes_left, entry.cost());
        entries.push_back(std::move(entry));
        next = next.next();
    }
};

}  // namespace

void GroupLog::fetch(Group& group, LogIndex from, LogIndex last) {
    group.fetching = true;
    ++group.status.fetches;
    Collector collector{from, last, options_.read_ahead_bytes, group.terms, {}};
    files_.post([this, answers = answers_, &log = log_, key = group.key,
                 collector = std::move(collector)]() mutable {
        constexpr std::string_view kEnough = "enough";
        auto done =
            log.read(key.shard, collector.next,
                     [&](const wal::BatchHeader& header, std::string_view payload) -> Result<void> {
                         if (header.incarnation != key.incarnation) return {};
                         TIDAL_ASSIGN(auto batch, group_batch_of(header, payload));
                         for (raft::Entry& entry : batch.entries) collector.take(std::move(entry));
                         if (!collector.done()) return {};
                         return Error(ErrorCode::kGone, std::string(kEnough));
                     });
        Result<std::vector<raft::Entry>> result = std::move(collector.entries);
        if (!done.ok() && done.error().message() != kEnough) result = done.take_error();
        const std::lock_guard lock(answers->mutex);
        if (answers->loop == nullptr) return;
        answers->loop->post([this, answers, key, result = std::move(result)]() mutable {
            if (answers->owner != nullptr) fetched(key, std::move(result));
        });
    });
}

void GroupLog::fetched(const raft::GroupKey& key, Result<std::vector<raft::Entry>> entries) {
    Group& group = *groups_.at(key);
    group.fetching = false;
    if (!entries.ok()) {
        group.status.read_error = entries.error().to_string();
        return;
    }
    if (entries->empty()) {
        group.status.read_error = "the log lacks entries that the group counts on";
        return;
    }
    group.status.read_error.clear();
    group.ahead = std::move(*entries);
    // The log may have changed meanwhile.
    for (std::size_t i = 0; i < group.ahead.size(); ++i) {
        if (group.term_at(group.ahead[i].index) == group.ahead[i].term ||
            planted(Bug::kFetchIgnoresTerm))
            continue;
        group.ahead.resize(i);
        break;
    }
    callbacks_.fetched(key);
}

}  // namespace tidal::cluster
