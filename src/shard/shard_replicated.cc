// A replicated shard: proposals go to the group; what it commits, by whichever leader, is applied
// here in the order of its log; and a proposal made here is answered by what became of it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "shard/internal/item_prefetch.h"
#include "shard/internal/planted.h"
#include "shard/shard.h"

namespace tidal::shard {
namespace {

Error given_up() {
    return Error(ErrorCode::kTimeout, "the node stops before the decision; the write may survive")
        .with_hint("retry with the same idempotency key");
}

}  // namespace

void Shard::start_replicated(Replicator& replicator, std::string_view members) {
    const std::lock_guard lock(mutex_);
    if (state_->place().members.empty()) state_->set_members(members);
    replicator_ = &replicator;
    keeper_ = &replicator;
    begin();
}

// --- proposing --------------------------------------------------------------------------------

Error Shard::not_leading() {
    const Role role = this->role();
    Error error(ErrorCode::kUnavailable, "this node does not lead the shard");
    error.with("shard", options_.state.shard.value());
    if (role.leader == 0) return std::move(error).with_reason("no_leader");
    error.with("leader", role.leader);
    return std::move(error).with_reason("not_leader");
}

/// @return the answer, when it is known at once.
std::optional<Shard::Finished> Shard::replicate(InFlight batch) {
    const Ticket ticket = ++last_ticket_;
    batch.ticket = ticket;
    batch.term = lead_term_;
    Replicator::Batch out;
    out.stamped_for = lead_term_;
    Encoder encoder;
    prefetch_items(*state_, batch.records);
    out.records.reserve(batch.records.size());
    for (record::Record& record : batch.records) {
        stamp(&record, LogIndex(0));  // known later, and not part of the bytes
        encoder.clear();
        record::encode_record(record, options_.region, &encoder);
        out.records.push_back(std::make_shared<const std::string>(encoder.view()));
        batch.bytes += encoder.view().size();
    }
    out.appended = [this, ticket](Result<LogIndex> first) {
        queue(Appended{ticket, std::move(first)});
    };
    out.decided = [this, ticket](Result<std::uint32_t> replicas) {
        queue(Decided{ticket, std::move(replicas)});
    };
    if (batch.concern != WriteConcern::kMajority || planted(Bug::kAnswerBeforeMajority)) {
        const std::lock_guard lock(queue_mutex_);
        durable_awaited_ = true;
    }
    proposed_bytes_ += batch.bytes;
    in_flight_.push_back(std::move(batch));
    auto proposed = replicator_->propose(std::move(out));
    if (proposed.ok()) return std::nullopt;
    InFlight refused = std::move(in_flight_.back());
    in_flight_.pop_back();
    forget_in_flight(refused);
    return Finished{std::move(refused.done), proposed.take_error()};
}

std::optional<Shard::InFlight> Shard::take_in_flight(Ticket ticket) {
    const auto found = std::lower_bound(
        in_flight_.begin(), in_flight_.end(), ticket,
        [](const InFlight& batch, Ticket wanted) { return batch.ticket < wanted; });
    if (found == in_flight_.end() || found->ticket != ticket) return std::nullopt;
    InFlight batch = std::move(*found);
    in_flight_.erase(found);
    forget_in_flight(batch);
    return batch;
}

// --- what the group says ----------------------------------------------------------------------

void Shard::committed(ReplicatedRun run) {
    const auto slice_records = static_cast<std::ptrdiff_t>(options_.group_slice);
    auto rest = run.records.begin();
    while (run.records.end() - rest > slice_records) {
        ReplicatedRun slice{.first = run.first, .term = run.term, .records = {}, .members = {}};
        const auto end = rest + slice_records;
        slice.records.assign(std::move_iterator(rest), std::move_iterator(end));
        rest = end;
        run.first = slice.last().next();
        queue(std::move(slice));
    }
    run.records.erase(run.records.begin(), rest);
    queue(std::move(run));
}

void Shard::lead(Term term) {
    {
        const std::lock_guard lock(queue_mutex_);
        role_ = {term, 0, true};
        newest_durable_.reset();
    }
    queue(Leads{term});
}

void Shard::follow(Term term, std::uint64_t leader) {
    {
        const std::lock_guard lock(queue_mutex_);
        role_ = {term, leader, false};
        newest_durable_.reset();
    }
    queue(Follows{});
}

Shard::Role Shard::role() {
    const std::lock_guard lock(queue_mutex_);
    return role_;
}

void Shard::queue(GroupEvent event) {
    // Where a batch stands is asked for once some of it is durable or committed: told behind it.
    const auto* appended = std::get_if<Appended>(&event);
    const bool can_wait = appended != nullptr && appended->first.ok();
    // Never waits for the monitor: the group's thread goes on.
    const std::lock_guard lock(queue_mutex_);
    events_.push_back(std::move(event));
    if (!can_wait) post_drain_group();
}

void Shard::durable_at(LogIndex own, std::span<const LogIndex> voters) {
    const std::lock_guard lock(queue_mutex_);
    newest_durable_ = {role_.term, own, {voters.begin(), voters.end()}};
    if (durable_awaited_) post_drain_group();
}

/// Inside queue_mutex_.
void Shard::post_drain_group() {
    if (std::exchange(drain_posted_, true)) return;
    executor_.post([this] { drain_group(); });
}

/// @return whether there is more to do, which is posted then.
bool Shard::drain_group() {
    std::deque<GroupEvent> events;
    std::optional<DurableAt> durable;
    {
        const std::lock_guard lock(queue_mutex_);
        drain_posted_ = false;
        if (replacing_.load()) return false;  // end_replacement() comes back
        events.swap(events_);
        durable = std::exchange(newest_durable_, std::nullopt);
    }
    std::vector<Finished> finished;
    std::vector<Waiter> ready;
    LogIndex before, applied;
    {
        const std::lock_guard lock(mutex_);
        before = state_->applied();
        if (durable) durable_ = std::move(*durable);
        handle_some(&events, &finished);
        note_progress();
        if (auto settled = state_->settle(); !settled) {
            runtime_.fatal(settled.error());
            return false;
        }
        answer_durable(&finished);
        can_propose_ = leads_ && (state_->place().term == lead_term_ ||
                                  planted(Bug::kProposeBeforeEmptyApplied));
        collect_waiters(&ready);
        applied = state_->applied();
        if (applied.value() - std::min(applied, checkpoint_index_).value() >=
                options_.checkpoint_events &&
            may_checkpoint())
            begin_checkpoint_locked({});
    }
    mutex_.let_pass();
    const bool more = put_back(std::move(events));
    if (applied > before) replicator_->applied(applied);
    for (Finished& each : finished)
        if (each.done) each.done(std::move(each.result));
    for (Waiter& waiter : ready) waiter({});
    if (on_applied_) on_applied_();
    advance_stop();
    return more;
}

/// Reads and proposals come between slices.
void Shard::handle_some(std::deque<GroupEvent>* events, std::vector<Finished>* finished) {
    for (std::size_t records = 0; !events->empty() && records < options_.group_slice;
         events->pop_front()) {
        if (const auto* run = std::get_if<ReplicatedRun>(&events->front()))
            records += run->records.size();
        std::visit([&](auto& each) { handle(each, finished); }, events->front());
    }
}

bool Shard::put_back(std::deque<GroupEvent> events) {
    if (events.empty()) return false;
    const std::lock_guard lock(queue_mutex_);
    events_.insert(planted(Bug::kRestBehindNews) ? events_.end() : events_.begin(),
                   std::move_iterator(events.begin()), std::move_iterator(events.end()));
    post_drain_group();
    return true;
}

void Shard::handle(Leads& leads, std::vector<Finished>*) {
    leads_ = true;
    lead_term_ = leads.term;
}

void Shard::handle(Follows&, std::vector<Finished>* finished) {
    leads_ = false;
    give_up_spreading(finished);
}

void Shard::handle(Appended& appended, std::vector<Finished>* finished) {
    if (!appended.first.ok()) {
        // Nowhere in the log, so that nothing of it is in flight any more.
        if (auto batch = take_in_flight(appended.ticket))
            finish(std::move(*batch), appended.first.take_error(), finished);
        return;
    }
    for (auto batch = in_flight_.rbegin(); batch != in_flight_.rend(); ++batch) {
        if (batch->ticket != appended.ticket) continue;
        batch->first = *appended.first;
        return;
    }
}

void Shard::handle(ReplicatedRun& run, std::vector<Finished>*) {
    if (auto applied = apply_run(run); !applied.ok()) return runtime_.fatal(applied.error());
    last_index_ = std::max(last_index_, state_->applied());
    clock_.observe(state_->last_stamp());
    if (!run.control) hand_out(run);
}

Result<void> Shard::apply_run(const ReplicatedRun& run) {
    if (run.first != state_->applied().next())
        return Error(ErrorCode::kInternal, "the group's next entry is not the state's")
            .with("entry", run.first.value())
            .with("applied", state_->applied().value());
    if (run.control) {
        state_->apply_control(run.first, run.term, run.members);
        return {};
    }
    if (replayed_.size() < run.records.size()) replayed_.resize(run.records.size());
    for (std::size_t i = 0; i < run.records.size(); ++i) {
        record::Record& record = replayed_[i];
        TIDAL_TRY(record::decode_record(*run.records[i], options_.region, &record));
        record.envelope.shard = options_.state.shard;
        record.envelope.incarnation = options_.state.incarnation;
        record.envelope.index = LogIndex(run.first.value() + i);
    }
    state_->enter_term(run.term);
    return state_->apply(std::span(replayed_).first(run.records.size()), &replayed_outcomes_);
}

/// The outcomes of a run to the batches that were proposed here and stand in it.
void Shard::hand_out(const ReplicatedRun& run) {
    for (InFlight& batch : in_flight_) {
        if (batch.term > run.term || batch.first > run.last()) return;
        if (batch.term < run.term || batch.first.value() == 0) continue;
        const std::uint64_t end = batch.first.value() + batch.records.size();
        std::uint64_t at = batch.first.value() + batch.outcomes.size();
        for (; at < end && at <= run.last().value(); ++at)
            batch.outcomes.push_back(std::move(replayed_outcomes_[at - run.first.value()]));
    }
}

void Shard::handle(Decided& decided, std::vector<Finished>* finished) {
    auto batch = take_in_flight(decided.ticket);
    if (!batch) return;  // given up
    if (decided.replicas.ok()) {
        if (batch->outcomes.size() < batch->records.size())
            return runtime_.fatal(Error(ErrorCode::kInternal, "decided before it was applied")
                                      .with("index", batch->first.value()));
        return answer_committed(std::move(*batch), *decided.replicas, finished);
    }
    const std::string_view reason = decided.replicas.error().reason();
    if (reason == "superseded")  // nothing of it ever counts: as if it had not been taken
        return finish(std::move(*batch), not_leading(), finished);
    if (reason != "partly_superseded")
        return finish(std::move(*batch), decided.replicas.take_error(), finished);
    while (batch->outcomes.size() < batch->records.size())
        batch->outcomes.push_back(Outcome::refuse(not_leading()));
    // The first few are committed: on a majority of the voters there were when this node led.
    const auto voters = static_cast<std::uint32_t>(durable_.voters.size());
    answer_committed(std::move(*batch), voters / 2 + 1, finished);
}

// --- answers ----------------------------------------------------------------------------------

std::uint32_t Shard::wanted_replicas(const WriteConcern& concern) const {
    if (concern.level == WriteConcern::kReplicas) return concern.replicas;
    if (concern.level != WriteConcern::kAll || planted(Bug::kAllIsMajority)) return 0;
    return static_cast<std::uint32_t>(std::max<std::size_t>(durable_.voters.size(), 1));
}

/// @param  replicas  Voters that have it at least.
void Shard::answer_committed(InFlight batch, std::uint32_t replicas,
                             std::vector<Finished>* finished) {
    Spreading spreading;
    spreading.last = LogIndex(batch.first.value() + batch.records.size() - 1);
    spreading.concern = batch.concern;
    spreading.deadline_ns = batch.deadline_ns;
    replicas = std::max(replicas, durable_.count(spreading.last));
    std::vector<Outcome> outcomes = std::move(batch.outcomes);
    std::vector<Finished> answers;
    finish(std::move(batch), std::move(outcomes), &answers);
    for (Finished& answer : answers)
        for (Outcome& outcome : *answer.result) outcome.replicas = replicas;
    Finished& own = answers.front();
    if (own.done && replicas < wanted_replicas(spreading.concern)) {
        spreading.outcomes = std::move(*own.result);
        spreading.done = std::exchange(own.done, Done());
        spreading_.push_back(std::move(spreading));
        if (!leads_) give_up_spreading(finished);
    }
    for (Finished& answer : answers) finished->push_back(std::move(answer));
}

/// What waits for so many replicas, or for this one only.
void Shard::answer_durable(std::vector<Finished>* finished) {
    {
        const std::lock_guard lock(queue_mutex_);
        if (!durable_awaited_) return;
    }
    std::erase_if(spreading_, [&](Spreading& each) {
        const std::uint32_t replicas = durable_.count(each.last);
        if (replicas < wanted_replicas(each.concern)) return false;
        for (Outcome& outcome : each.outcomes) outcome.replicas = replicas;
        finished->push_back({std::move(each.done), std::move(each.outcomes)});
        return true;
    });
    bool awaited = !spreading_.empty();
    for (InFlight& batch : in_flight_) {
        const bool soon =
            batch.concern == WriteConcern::kLocal || planted(Bug::kAnswerBeforeMajority);
        if (!batch.done || (batch.concern == WriteConcern::kMajority && !soon)) continue;
        if (waits(batch.records)) continue;
        const std::uint64_t last = batch.first.value() + batch.records.size() - 1;
        if (!soon || batch.first.value() == 0 || !leads_ || batch.term != durable_.term ||
            last > durable_.own.value() || awaits_any(batch.early)) {
            awaited = true;
            continue;
        }
        for (std::size_t i = 0; i < batch.records.size(); ++i)
            batch.records[i].envelope.index = LogIndex(batch.first.value() + i);
        auto promised = merge_early(promise(batch.records), std::move(batch.early));
        for (Outcome& outcome : promised)
            outcome.replicas = std::max(1U, durable_.count(LogIndex(last)));
        if (planted(Bug::kAnswerBeforeMajority))
            for (Outcome& outcome : promised) outcome.promised = false, outcome.replicas = 3;
        finished->push_back({std::exchange(batch.done, Done()), std::move(promised)});
        batch.early.clear();
    }
    const std::lock_guard lock(queue_mutex_);
    durable_awaited_ = awaited;
}

Error Shard::spread_too_little(const Spreading& spreading) const {
    return Error(ErrorCode::kTimeout,
                 "committed, but not known to be on as many replicas as asked for; the write may "
                 "survive the loss of a majority or not")
        .with_reason("replicas_missing")
        .with("replicas", spreading.outcomes.front().replicas)
        .with("wanted", wanted_replicas(spreading.concern));
}

/// Only a leader knows who has what.
void Shard::give_up_spreading(std::vector<Finished>* finished) {
    for (Spreading& each : spreading_)
        finished->push_back({std::move(each.done), spread_too_little(each)});
    spreading_.clear();
}

/// A stop does not wait for a quorum that may never come.
void Shard::give_up_in_flight() {
    std::vector<Finished> finished;
    {
        const std::lock_guard lock(mutex_);
        give_up_spreading(&finished);
        while (!in_flight_.empty()) {
            InFlight batch = std::move(in_flight_.front());
            in_flight_.pop_front();
            forget_in_flight(batch);
            finish(std::move(batch), given_up(), &finished);
        }
    }
    for (Finished& each : finished)
        if (each.done) each.done(std::move(each.result));
    advance_stop();
}

}  // namespace tidal::shard
