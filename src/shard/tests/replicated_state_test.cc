// The state of a replica: the same log in any runs gives the same, and a snapshot takes its place
// under whoever reads.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "shard/tests/random_log.h"
#include "shard/tests/replicated_fixture.h"

namespace tidal::shard {
namespace replicated_state_test {

/// `log` in runs of random length and rising terms, an entry of consensus between some of them:
/// the same entries for the same seed, whatever the runs.
struct Entry {
    Term term;
    std::optional<record::Record> record;  ///< nullopt: of consensus itself.
};
std::vector<Entry> entries_of(std::uint64_t seed, std::size_t records) {
    runtime::SeededRandom random(seed);
    std::vector<Entry> entries;
    Term term(1);
    for (record::Record& record : RandomLog(seed).make(records)) {
        if (random.below(10) == 0) {
            term = Term(term.value() + random.below(2));
            entries.push_back({term, std::nullopt});
        }
        entries.push_back({term, std::move(record)});
    }
    return entries;
}

void feed(Replica& replica, std::span<const Entry> entries, runtime::SeededRandom& random) {
    for (std::size_t at = 0; at < entries.size();) {
        if (!entries[at].record) {
            replica.control(entries[at++].term);
            continue;
        }
        std::vector<record::Record> records;
        const Term term = entries[at].term;
        for (std::uint64_t left = 1 + random.below(20);
             left > 0 && at < entries.size() && entries[at].record && entries[at].term == term;
             --left)
            records.push_back(*entries[at++].record);
        replica.commit(term, records);
        if (random.below(4) == 0) replica.settle();
    }
    replica.settle();
}

TEST(ReplicatedState, TheSameLogInAnyRunsAndRestartsGivesTheSame) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        SCOPED_TRACE(seed);
        const auto entries = entries_of(seed, 300);
        runtime::SeededRandom random(seed);
        Replica one(seed), other(seed + 100);
        feed(one, entries, random);
        for (int part = 0; part < 5; ++part) {
            const auto from = static_cast<std::size_t>(other.last().value());
            const std::size_t size = random.below(entries.size() - from + 1);
            feed(other, std::span(entries).subspan(from, size), random);
            if (random.below(2) == 0) other.checkpoint();
            if (random.below(2) == 0) other.restart();
        }
        const auto rest = static_cast<std::size_t>(other.last().value());
        feed(other, std::span(entries).subspan(rest), random);
        EXPECT_EQ(one.hash(), other.hash());
        EXPECT_EQ(one.shard().place(), other.shard().place());
    }
}

/// A replica that lags, and the snapshot of one that does not.
class Replacing : public testing::Test {
protected:
    Replacing() : entries(entries_of(3, 200)), random(3), ahead(1), behind(2) {
        feed(ahead, entries, random);
        ahead.checkpoint();
        must(ahead.disk().create_directories("out"));
        must(storage::write_shard_snapshot(ahead.disk(), ahead.rows(), kHere, "store/s0001",
                                           "out/snapshot"));
        feed(behind, std::span(entries).first(60), random);
        auto bytes = must(runtime::read_file(ahead.disk(), "out/snapshot"));
        must(behind.disk().create_directories("in"));
        must(runtime::write_file(behind.disk(), "in/snapshot", bytes));
    }
    Shard::Replacement replacement() {
        Shard::Replacement out;
        out.install = [this]() -> Result<void> {
            EXPECT_FALSE(behind.shard().readable().ok());
            if (during) during();
            if (full) return Error(ErrorCode::kDiskFull, "no space");
            TIDAL_TRY(storage::install_shard_snapshot(behind.disk(), behind.rows(), kHere,
                                                      "store/s0001", "in/snapshot"));
            return {};
        };
        out.open = [this] { return behind.open_store(); };
        return out;
    }
    Result<void> replace() {
        std::optional<Result<void>> done;
        behind.shard().replace_state(replacement(),
                                     [&](Result<void> result) { done.emplace(std::move(result)); });
        behind.world().run_until([&] { return done.has_value(); });
        if (done->ok()) behind.set_last(behind.shard().place().index);
        return std::move(*done);
    }

    std::vector<Entry> entries;
    runtime::SeededRandom random;
    Replica ahead, behind;
    bool full = false;
    std::function<void()> during;  ///< Within the installation, inside the monitor.
};

TEST_F(Replacing, ASnapshotBecomesTheState) {
    std::optional<Result<void>> waited;
    behind.shard().when_applied(LogIndex(entries.size()), 60'000,
                                [&](Result<void> result) { waited.emplace(std::move(result)); });
    must(replace());
    EXPECT_EQ(behind.hash(), ahead.hash());
    EXPECT_EQ(behind.shard().place(), ahead.shard().place());
    const UnixMillis stamp_ms =
        behind.shard().with_state([](ShardState& state) { return state.last_stamp().wall_ms(); });
    EXPECT_GT(stamp_ms, 0);
    EXPECT_EQ(behind.shard().read_time_ms(0), stamp_ms);
    EXPECT_EQ(behind.shard().read_time_ms(stamp_ms + 1), stamp_ms + 1);
    behind.settle();
    EXPECT_TRUE(waited && waited->ok());
    // And goes on from there, through another end of the process.
    const auto more = entries_of(4, 100);
    std::vector<Entry> next;
    for (const Entry& entry : more) next.push_back({Term(entry.term.value() + 50), entry.record});
    runtime::SeededRandom again(9);
    feed(behind, next, random);
    feed(ahead, next, again);
    EXPECT_EQ(behind.hash(), ahead.hash());
    behind.restart();
    EXPECT_EQ(behind.last(), LogIndex(entries.size()));
    feed(behind, next, random);
    EXPECT_EQ(behind.hash(), ahead.hash());
}

TEST_F(Replacing, AQueryUnderWayEnds) {
    Shard& shard = behind.shard();
    const std::uint64_t generation = shard.generation();
    const auto step = [](ShardState& state) -> Result<std::uint64_t> {
        return state.applied().value();
    };
    EXPECT_TRUE(shard.step_with_state(generation, step).ok());
    must(replace());
    const auto ended = shard.step_with_state(generation, step);
    ASSERT_FALSE(ended.ok());
    EXPECT_EQ(ended.error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(ended.error().reason(), "state_replaced");
    EXPECT_EQ(must(shard.step_with_state(shard.generation(), step)), entries.size());
    EXPECT_TRUE(shard.readable().ok());
}

TEST_F(Replacing, WaitsForACheckpointUnderWay) {
    std::optional<Result<void>> checkpointed;
    behind.shard().checkpoint(
        [&](Result<void> result) { checkpointed.emplace(std::move(result)); });
    must(replace());
    EXPECT_TRUE(checkpointed && checkpointed->ok());
    EXPECT_EQ(behind.hash(), ahead.hash());
}

TEST_F(Replacing, AFullDiskLeavesNothingToReadUntilItPasses) {
    full = true;
    EXPECT_EQ(replace().error().code(), ErrorCode::kDiskFull);
    EXPECT_EQ(behind.shard().readable().error().reason(), "state_replaced");
    std::optional<Result<void>> checkpointed;
    behind.shard().checkpoint(
        [&](Result<void> result) { checkpointed.emplace(std::move(result)); });
    behind.settle();
    EXPECT_TRUE(checkpointed && !checkpointed->ok());
    full = false;
    must(replace());
    EXPECT_TRUE(behind.shard().readable().ok());
    EXPECT_EQ(behind.hash(), ahead.hash());
    behind.checkpoint();
}

/// What is opened after a full disk is the newest checkpoint: older than what was read before.
TEST_F(Replacing, AReadThatWaitedForTheMonitorDoesNotGoBack) {
    Shard& shard = behind.shard();
    const auto applied = [](ShardState& state) -> Result<LogIndex> { return state.applied(); };
    const LogIndex before = must(shard.with_readable(applied));
    std::optional<Result<LogIndex>> read;
    LogIndex behind_it;
    std::thread reader;
    full = true;
    during = [&] {
        reader = std::thread([&] {
            read.emplace(shard.with_readable(applied));
            behind_it = shard.with_state([](ShardState& state) { return state.applied(); });
        });
    };
    EXPECT_EQ(replace().error().code(), ErrorCode::kDiskFull);
    reader.join();
    EXPECT_LT(behind_it, before);
    ASSERT_FALSE(read->ok()) << "reads entry " << (**read).value();
    EXPECT_EQ(read->error().reason(), "state_replaced");
    during = nullptr;
    full = false;
    must(replace());
    EXPECT_GE(must(shard.with_readable(applied)), before);
}

TEST_F(Replacing, ViewsAndTimersGoOn) {
    behind.shard().make_views();
    must(replace());
    behind.shard().make_views();
    EXPECT_EQ(behind.hash(), ahead.hash());
    behind.control(Term(60));
    behind.pass_ms(120'000);
    EXPECT_EQ(behind.group().checkpoint, behind.last());
}

}  // namespace replicated_state_test
}  // namespace tidal::shard
