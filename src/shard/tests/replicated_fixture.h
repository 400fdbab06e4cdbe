// A replicated shard on a simulated node, and a group that does what a test says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/sim_runtime.h"
#include "shard/shard.h"
#include "shard/tests/state_fixture.h"
#include "storage/shard_snapshot.h"

namespace tidal::shard {

/// Keeps what was proposed until the test decides over it. Entries before are of others.
class FakeGroup final : public Replicator {
public:
    Result<void> propose(Batch batch) override {
        if (full)
            return Error(ErrorCode::kOverloaded, "too much waits for the groups of this node");
        proposed.push_back(std::move(batch));
        return {};
    }
    void applied(LogIndex index) override { applied_index = index; }
    void checkpointed(LogIndex index) override { checkpoint = index; }
    std::uint64_t bytes_pinned() const override { return 0; }
    bool durable() const override { return true; }

    std::vector<Batch> proposed;
    LogIndex applied_index, checkpoint;
    bool full = false;
};

/// What a batch of a test was answered.
struct Answer {
    std::optional<Result<std::vector<Outcome>>> result;
    int times = 0;

    bool given() const { return result.has_value(); }
    const Outcome& outcome(std::size_t at = 0) const { return result->value()[at]; }
    std::string reason() const { return result->ok() ? "" : std::string(result->error().reason()); }
};

/// One replica and its group. Entries get terms and indexes as the test hands them over.
class Replica {
public:
    explicit Replica(std::uint64_t seed = 1)
        : world_(seed), runtime_(world_.create_node("n1", disk_)) {
        open();
    }
    ~Replica() { close(); }

    Shard& shard() { return *shard_; }
    FakeGroup& group() { return group_; }
    runtime::SimWorld& world() { return world_; }
    runtime::SimRuntime& runtime() { return *runtime_; }
    runtime::Disk& disk() { return runtime_->disk(); }
    storage::RowEngine& rows() { return *rows_; }
    void settle() { world_.run_until_idle(); }
    void pass_ms(std::uint64_t ms) { world_.advance(ms * 1'000'000); }

    /// Leads in `term`: its empty entry is committed.
    void lead(Term term) {
        shard_->lead(term);
        control(term);
        shard_->durable_at(last_, std::vector<LogIndex>{last_, last_, LogIndex(0)});
        settle();
    }
    void control(Term term, std::string members = {}) {
        ReplicatedRun run;
        last_ = run.first = last_.next();
        run.term = term;
        run.control = true;
        run.members = std::move(members);
        shard_->committed(std::move(run));
    }
    /// Records of any leader.
    void commit(Term term, std::vector<RecordBytes> records) {
        ReplicatedRun run;
        run.first = last_.next();
        run.term = term;
        run.records = std::move(records);
        last_ = run.last();
        shard_->committed(std::move(run));
    }
    void commit(Term term, const std::vector<record::Record>& records) {
        std::vector<RecordBytes> bytes;
        for (const record::Record& each : records) {
            Encoder out;
            record::encode_record(each, kFirstRegion, &out);
            bytes.push_back(std::make_shared<const std::string>(out.take()));
        }
        commit(term, std::move(bytes));
    }

    /// Proposes; the answer stays good.
    std::shared_ptr<Answer> propose(std::vector<record::Record> records,
                                    WriteConcern concern = WriteConcern::kMajority,
                                    std::uint64_t timeout_ms = 10'000) {
        auto answer = std::make_shared<Answer>();
        shard_->propose(std::move(records), concern, timeout_ms, [answer](auto result) {
            answer->result.emplace(std::move(result));
            ++answer->times;
        });
        settle();
        return answer;
    }
    static record::Record make(record::Body body, std::string key = {}) {
        record::Record record;
        record.body = std::move(body);
        record.envelope.idempotency_key = std::move(key);
        return record;
    }
    static std::vector<record::Record> one(record::Body body, std::string key = {}) {
        std::vector<record::Record> records;
        records.push_back(make(std::move(body), std::move(key)));
        return records;
    }
    static record::UpsertBody item(std::uint64_t id) {
        record::UpsertBody body;
        body.id = EntityId(id);
        return body;
    }

    Replicator::Batch take(std::size_t at = 0) {
        Replicator::Batch batch = std::move(group_.proposed[at]);
        group_.proposed.erase(group_.proposed.begin() + static_cast<std::ptrdiff_t>(at));
        return batch;
    }
    /// In the log behind all there is, not yet committed.
    void append(Replicator::Batch& batch) {
        batch.appended(last_.next());
        settle();
    }
    /// Committed and decided.
    void decide(Replicator::Batch& batch) {
        commit(batch.stamped_for, batch.records);
        batch.decided(2);
        settle();
    }
    void through(Replicator::Batch batch) {
        append(batch);
        decide(batch);
    }

    /// Configuration, schema and items 1..3, by the leader of `term`.
    void configure() {
        std::vector<record::Record> records;
        records.push_back(make(record::ShardConfigBody{kApplyVersion, Epoch(0), 0, kOwnedEnd}));
        records.push_back(make(record::SchemaBody{schema::encode_schema(test_schema())}));
        for (std::uint64_t id = 1; id <= 3; ++id) records.push_back(make(item(id)));
        const auto answer = propose(std::move(records));
        through(take());
        EXPECT_TRUE(answer->given() && answer->result->ok());
    }
    std::uint64_t hash() {
        return shard_->with_state([](ShardState& state) { return must(state.content_hash()); });
    }
    void checkpoint() {
        std::optional<Result<void>> done;
        shard_->checkpoint([&](Result<void> result) { done.emplace(std::move(result)); });
        world_.run_until([&] { return done.has_value(); });
        must(*done);
    }
    /// The process dies and comes back at its checkpoint.
    void restart() {
        close();
        disk_.die();
        disk_.crash({.keep = runtime::CrashSpec::Keep::kNothing});
        runtime_ = world_.create_node("n1", disk_);
        open();
        last_ = shard_->place().index;
    }
    Result<std::unique_ptr<storage::ShardStore>> open_store() {
        return storage::ShardStore::open(disk(), *rows_, kHere, "store/s0001");
    }
    LogIndex last() const { return last_; }
    void set_last(LogIndex last) { last_ = last; }

private:
    void open() {
        executor_ = runtime_->executors().create_executor("shard");
        background_ = runtime_->executors().create_executor("background");
        rows_ = must(storage::open_simple_rows(disk(), "store/rows"));
        Shard::Options options;
        options.state.shard = kHere;
        shard_ =
            must(Shard::open(options, *runtime_, *executor_, *background_, must(open_store())));
        shard_->start_replicated(group_, "first members");
    }
    void close() {
        executor_->stop();
        background_->stop();
        shard_->turns().stop();
        shard_.reset();
        rows_.reset();
        executor_.reset();
        background_.reset();
        group_.proposed.clear();
    }

    runtime::SimWorld world_;
    runtime::SimDisk disk_;
    std::unique_ptr<runtime::SimRuntime> runtime_;
    std::unique_ptr<runtime::Executor> executor_, background_;
    std::unique_ptr<storage::RowEngine> rows_;
    FakeGroup group_;
    std::unique_ptr<Shard> shard_;
    LogIndex last_;
};

}  // namespace tidal::shard
