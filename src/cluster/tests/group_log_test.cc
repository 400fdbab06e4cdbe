// The groups' part of the log: whatever the moment of a crash, a start finds term, vote and entries
// as they were after some write that is not older than the last one reported durable.
#include "cluster/group_log.h"

#include <fstream>

#include "group_log_fixture.h"

namespace tidal::cluster {
namespace group_log_test {

using raft::HardState;
using raft::PeerId;

/// What a start may find of one group.
struct Shape {
    HardState hard;
    std::vector<Term> terms;  // of entries 1 .. last
    bool operator==(const Shape&) const = default;
};
std::string text(const Shape& shape) {
    std::string out = "term " + std::to_string(shape.hard.term.value()) + " vote " +
                      std::to_string(shape.hard.vote.value()) + " entries";
    for (const Term term : shape.terms) out += ' ' + std::to_string(term.value());
    return out;
}
Shape shape_of(const raft::DurableState& state) {
    Shape shape{state.hard, {}};
    for (std::size_t run = 0; run < state.terms.size(); ++run) {
        const LogIndex end =
            run + 1 < state.terms.size() ? raft::previous(state.terms[run + 1].first) : state.last;
        shape.terms.resize(end.value(), state.terms[run].term);
    }
    return shape;
}

/// All shapes a group goes through, one per batch: a crash may end the log between any two.
struct Model {
    std::vector<Shape> shapes = {{}};
    std::vector<std::size_t> after_write = {0};  // by number: how many shapes are passed

    void add(const GroupWrite& write) {
        Shape shape = shapes.back();
        if (write.hard) {
            shape.hard = *write.hard;
            shapes.push_back(shape);
        }
        for (const raft::Entry& entry : write.entries) {
            shape.terms.resize(entry.index.value() - 1);
            shape.terms.push_back(entry.term);
            shapes.push_back(shape);
        }
        after_write.push_back(shapes.size() - 1);
    }
    bool allows(const Shape& shape, std::uint64_t persisted) const {
        return std::find(shapes.begin() + static_cast<std::ptrdiff_t>(after_write[persisted]),
                         shapes.end(), shape) != shapes.end();
    }
};

/// Elections, appends, conflicts: enough to fill a few files of 4 KiB.
std::vector<std::pair<raft::GroupKey, GroupWrite>> trace() {
    std::vector<std::pair<raft::GroupKey, GroupWrite>> writes;
    std::map<raft::GroupKey, std::uint64_t> numbers;
    const auto add = [&](const raft::GroupKey& key, std::optional<HardState> hard,
                         std::vector<raft::Entry> entries) {
        writes.push_back(
            {key,
             {.number = ++numbers[key], .hard = hard, .entries = std::move(entries), .base = {}}});
    };
    for (std::uint64_t term = 1; term <= 5; ++term) {
        add(kFirst, HardState{Term(term), PeerId(term)}, {});
        add(kSecond, HardState{Term(term), PeerId()}, {record(term, 2 * term - 1)});
        // Three of each term stay; the last two give way to the next term's.
        const std::uint64_t base = 3 * (term - 1);
        std::vector<raft::Entry> entries;
        for (std::uint64_t i = 1; i <= 5; ++i) entries.push_back(record(term, base + i, 40));
        add(kFirst, {}, std::move(entries));
        add(kSecond, {}, {record(term, 2 * term)});
    }
    return writes;
}

/// Runs the trace until the disk dies in its n-th change; false when it never did.
bool crash_in(std::uint64_t n, const runtime::CrashSpec& spec) {
    runtime::SimWorld world(n);
    runtime::SimDisk disk({.seed = n});
    std::map<raft::GroupKey, Model> models;
    std::map<raft::GroupKey, std::uint64_t> persisted;
    bool died = false;
    {
        LogLife life(world, disk);
        EXPECT_EQ(life.error, "");
        disk.set_crash_after(n);
        int turn = 0;
        for (auto& [key, write] : trace()) {
            models[key].add(write);
            life.groups->write(key, std::move(write));
            // Sometimes several writes of both groups wait for one sync.
            if (++turn % 3 == 0) life.run();
        }
        life.run();
        persisted = life.persisted;
        died = disk.dead();
        if (!died) {
            EXPECT_EQ(persisted[kFirst], 10u);
            EXPECT_EQ(persisted[kSecond], 10u);
        }
    }
    disk.die();
    disk.crash(spec);
    LogLife next(world, disk);
    EXPECT_EQ(next.error, "") << "crash in " << n;
    for (const auto& [key, state] : next.found.groups) {
        const Shape found = shape_of(state);
        EXPECT_TRUE(models[key].allows(found, persisted[key]))
            << "crash in " << n << ", shard " << key.shard.value() << ", persisted "
            << persisted[key] << ": " << text(found);
    }
    return died;
}

TEST(GroupLog, ACrashAtAnyMomentLosesNothingThatWasReported) {
    using Keep = runtime::CrashSpec::Keep;
    for (const auto& spec :
         {runtime::CrashSpec{.keep = Keep::kNothing}, runtime::CrashSpec{.keep = Keep::kAll},
          runtime::CrashSpec{.keep = Keep::kPrefix, .sectors = 1},
          runtime::CrashSpec{.keep = Keep::kSeeded, .seed = 7}}) {
        std::uint64_t n = 1;
        while (crash_in(n, spec) && !testing::Test::HasFailure()) ++n;
        EXPECT_GT(n, 20u);
    }
}

TEST(GroupLog, GroupsShareOneSync) {
    runtime::SimWorld world(1);
    runtime::SimDisk disk;
    LogLife life(world, disk);
    const auto before = life.log().stats().syncs;
    life.groups->write(kFirst, {.number = 1,
                                .hard = HardState{Term(1), PeerId(1)},
                                .entries = {record(1, 1), record(1, 2)},
                                .base = {}});
    life.groups->write(kSecond, {.number = 1,
                                 .hard = HardState{Term(1), PeerId(1)},
                                 .entries = {record(1, 1)},
                                 .base = {}});
    EXPECT_TRUE(life.persisted.empty());
    life.run();
    EXPECT_EQ(life.persisted[kFirst], 1u);
    EXPECT_EQ(life.persisted[kSecond], 1u);
    EXPECT_EQ(life.log().stats().syncs, before + 1);
}

TEST(GroupLog, AFullDiskStallsAndLosesNothing) {
    runtime::SimWorld world(1);
    runtime::SimDisk disk;
    std::map<raft::GroupKey, Model> models;
    {
        LogLife life(world, disk);
        life.run();
        disk.set_capacity(disk.used_bytes());  // no further file
        for (auto& [key, write] : trace()) {
            models[key].add(write);
            life.groups->write(key, std::move(write));
            life.run();
        }
        EXPECT_TRUE(life.groups->status(kFirst).stalled);
        EXPECT_LT(life.persisted[kFirst], 10u);
        world.advance(1'000'000'000);
        EXPECT_LT(life.persisted[kFirst], 10u);
        EXPECT_GT(life.groups->status(kFirst).retries, 3u);
        disk.set_capacity(1 << 20);
        world.advance(1'000'000'000);
        EXPECT_EQ(life.persisted[kFirst], 10u);
        EXPECT_EQ(life.persisted[kSecond], 10u);
        EXPECT_FALSE(life.groups->status(kFirst).stalled);
    }
    disk.die();
    disk.crash({.keep = runtime::CrashSpec::Keep::kNothing});
    LogLife next(world, disk);
    ASSERT_EQ(next.error, "");
    for (const auto& [key, state] : next.found.groups)
        EXPECT_EQ(shape_of(state), models[key].shapes.back()) << text(shape_of(state));
}

/// Entries from .. last of the first group, fetched as often as it takes.
std::vector<raft::Entry> read_all(LogLife& life, std::uint64_t from, std::uint64_t last) {
    std::vector<raft::Entry> out;
    for (int tries = 0; tries < 20 && from <= last; ++tries) {
        auto read = life.groups->store(kFirst).read(LogIndex(from), LogIndex(last), 100);
        if (read.ok()) {
            out.insert(out.end(), read->begin(), read->end());
            from = out.back().index.next().value();
        } else {
            EXPECT_EQ(read.error().code(), ErrorCode::kUnavailable);
            life.run();
        }
    }
    return out;
}

TEST(GroupLog, ReadsWhatStandsAndNothingSuperseded) {
    runtime::SimWorld world(1);
    runtime::SimDisk disk;
    LogLife life(world, disk);
    for (auto& [key, write] : trace()) life.groups->write(key, std::move(write));
    life.run();
    const auto entries = read_all(life, 1, 17);
    ASSERT_EQ(entries.size(), 17u);
    for (std::uint64_t i = 1; i <= 17; ++i) {
        const std::uint64_t term = std::min<std::uint64_t>(5, (i + 2) / 3);
        EXPECT_EQ(entries[i - 1].index, LogIndex(i));
        EXPECT_EQ(entries[i - 1].term, Term(term));
        EXPECT_EQ(entries[i - 1].bytes(), record(term, i, 40).bytes());
    }
    // What was read ahead gives way to what is written.
    const auto fetches = life.fetches;
    life.groups->write(kFirst, {.number = 11, .hard = {}, .entries = {record(6, 3)}, .base = {}});
    life.run();
    const auto again = read_all(life, 1, 3);
    ASSERT_EQ(again.size(), 3u);
    EXPECT_EQ(again.back().term, Term(6));
    EXPECT_GT(life.fetches, fetches);
}

TEST(GroupLog, CheckpointsFreeTheLogAndTermsAndVotesStay) {
    runtime::SimWorld world(1);
    runtime::SimDisk disk;
    {
        LogLife life(world, disk);
        std::uint64_t number = 1;
        life.groups->write(kFirst, {.number = 1,
                                    .hard = HardState{Term(3), PeerId(2)},
                                    .entries = {record(3, 1)},
                                    .base = {}});
        life.groups->write(
            kSecond,
            {.number = 1, .hard = HardState{Term(4), PeerId(1)}, .entries = {}, .base = {}});
        for (std::uint64_t i = 2; i <= 400; ++i) {
            life.groups->write(
                kFirst,
                {.number = ++number, .hard = {}, .entries = {record(3, i, 100)}, .base = {}});
            life.run();
            if (i % 50 == 0) life.groups->checkpointed(kFirst, LogIndex(i));
            life.run();
        }
        EXPECT_GT(life.log().stats().durable.file, 10u);
        EXPECT_LE(life.log().stats().files, 4u);
        EXPECT_GT(life.log().stats().archive_segments, 5u);
    }
    disk.die();
    disk.crash({.keep = runtime::CrashSpec::Keep::kNothing});
    auto base = raft::DurableState::base(LogIndex(400), Term(3), kThree);
    LogLife next(
        world, disk,
        {{kFirst, base}, {kSecond, raft::DurableState::base(LogIndex(0), Term(0), kThree)}});
    ASSERT_EQ(next.error, "");
    EXPECT_EQ(next.found.groups[kFirst].hard, (HardState{Term(3), PeerId(2)}));
    EXPECT_EQ(next.found.groups[kSecond].hard, (HardState{Term(4), PeerId(1)}));
    EXPECT_EQ(next.found.groups[kFirst].last, LogIndex(400));
    const auto names = *disk.list("archive");
    for (const std::string& name : names) EXPECT_TRUE(name.starts_with("r0001-s0001"));
}

TEST(GroupLog, ASnapshotTakesThePlaceOfWhatStoodBehindIt) {
    runtime::SimWorld world(1);
    runtime::SimDisk disk;
    {
        LogLife life(world, disk);
        std::vector<raft::Entry> entries;
        for (std::uint64_t i = 1; i <= 9; ++i) entries.push_back(record(2, i));
        life.groups->write(
            kFirst,
            {.number = 1, .hard = HardState{Term(2), PeerId(2)}, .entries = entries, .base = {}});
        life.groups->write(kFirst, {.number = 2,
                                    .hard = HardState{Term(7), PeerId()},
                                    .entries = {},
                                    .base = GroupWrite::Base{LogIndex(6), Term(5)}});
        life.run();
        EXPECT_EQ(life.persisted[kFirst], 2u);
    }
    disk.die();
    disk.crash({.keep = runtime::CrashSpec::Keep::kNothing});
    const auto start = [&](raft::DurableState base) {
        LogLife life(world, disk,
                     {{kFirst, std::move(base)},
                      {kSecond, raft::DurableState::base(LogIndex(0), Term(0), kThree)}});
        EXPECT_EQ(life.error, "");
        return life.found.groups[kFirst];
    };
    // Before the state machine has switched, and after.
    EXPECT_EQ(start(raft::DurableState::base(LogIndex(0), Term(0), kThree)).last, LogIndex(5));
    const auto after = start(raft::DurableState::base(LogIndex(6), Term(5), kThree));
    EXPECT_EQ(after.last, LogIndex(6));
    EXPECT_EQ(after.terms.size(), 1u);
    EXPECT_EQ(after.hard.term, Term(7));
}

TEST(GroupLog, EntriesOfALaterTermThanTheRecordedOneRaiseIt) {
    GroupRecovery recovery;
    recovery.add_group(kFirst, raft::DurableState::base(LogIndex(0), Term(0), kThree));
    HybridTime stamp;
    const raft::Entry entry = record(4, 1);
    const auto visit = [&](wal::PendingBatch batch) {
        return recovery.visit(batch.header, batch.payload);
    };
    ASSERT_TRUE(visit(batch_of_states({{kFirst, {Term(3), PeerId(2)}}}, LogIndex(1))));
    for (auto& batch : batches_of(kFirst, kFirstRegion, {&entry, 1}, {}, &stamp, 1000))
        ASSERT_TRUE(visit(std::move(batch)));
    EXPECT_EQ(recovery.finish()->groups[kFirst].hard, (HardState{Term(4), raft::kNobody}));
}

TEST(GroupLog, ALogThatDoesNotFitItsCheckpointIsRefused) {
    const auto start = [](raft::DurableState base, std::vector<raft::Entry> entries) {
        GroupRecovery recovery;
        recovery.add_group(kFirst, std::move(base));
        HybridTime stamp;
        for (auto& batch : batches_of(kFirst, kFirstRegion, entries, {}, &stamp, 1000)) {
            auto visited = recovery.visit(batch.header, batch.payload);
            if (!visited.ok()) return visited.error().message();
        }
        auto found = recovery.finish();
        return found.ok() ? std::to_string(found->groups[kFirst].last.value())
                          : found.error().message();
    };
    const auto base = [](std::uint64_t index, std::uint64_t term) {
        return raft::DurableState::base(LogIndex(index), Term(term), kThree);
    };
    EXPECT_EQ(start(base(4, 2), {record(2, 5), record(3, 6)}), "6");
    EXPECT_EQ(start(base(4, 2), {record(1, 3), record(2, 4), record(2, 5)}), "5");
    EXPECT_EQ(start(base(4, 2), {record(2, 3)}), "4");
    EXPECT_EQ(start(base(4, 2), {record(2, 6)}), "entries are missing between checkpoint and log");
    EXPECT_EQ(start(base(4, 2), {record(1, 4), record(2, 5)}),
              "checkpoint and log are of different histories");
    EXPECT_EQ(start(base(4, 2), {record(3, 5), record(2, 6)}), "a term falls within a group's log");
}

/// Of a file of testdata, written once: every later version reads it.
std::string golden(const std::string& name) {
    std::ifstream in(TIDAL_TESTDATA_DIR "/" + name);
    std::string bytes;
    for (std::string word; in >> word;)
        bytes.push_back(static_cast<char>(std::stoi(word, nullptr, 16)));
    return bytes;
}

TEST(GroupLog, GoldenBytes) {
    const GroupStates states = {{kFirst, {Term(3), PeerId(2)}},
                                {{ShardId(2), Incarnation(7)}, {Term(300), raft::kNobody}}};
    EXPECT_EQ(encode_states(states), golden("group_states_v1.hex"));
    EXPECT_EQ(*decode_states(golden("group_states_v1.hex")), states);
    const std::vector<raft::Entry> control = {
        {Term(4), LogIndex(9), raft::EntryKind::kEmpty, nullptr},
        {Term(4), LogIndex(10), raft::EntryKind::kConfiguration,
         raft::make_payload(raft::encode_configuration(kThree))}};
    HybridTime stamp;
    const auto batches = batches_of(kFirst, kFirstRegion, control, {}, &stamp, 1000);
    ASSERT_EQ(batches.size(), 1u);
    EXPECT_EQ(batches[0].payload, golden("group_control_v1.hex"));
    EXPECT_TRUE(batches[0].header.control());
    const auto read = group_batch_of(batches[0].header, golden("group_control_v1.hex"));
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->entries.size(), 2u);
    EXPECT_EQ(read->entries[0].kind, raft::EntryKind::kEmpty);
    EXPECT_EQ(read->entries[1].index, LogIndex(10));
    EXPECT_EQ(*raft::decode_configuration(read->entries[1].bytes()), kThree);
    const auto base = batch_of_base(kFirst, kFirstRegion, LogIndex(5), Term(4), stamp);
    EXPECT_EQ(base.payload, golden("group_base_v1.hex"));
    EXPECT_TRUE(group_batch_of(base.header, golden("group_base_v1.hex"))->base);
    // The header's flag goes through the log's own format.
    std::string bytes;
    wal::encode_batch(base.header, base.payload, &bytes);
    EXPECT_TRUE(wal::decode_header(bytes)->control());
}

TEST(GroupLog, TheArchiveKeepsNothingOfABatchThatWasSupersededInPart) {
    runtime::SimWorld world(1);
    runtime::SimDisk disk;
    LogLife life(world, disk);
    std::uint64_t number = 0;
    const auto write = [&](std::uint64_t term, std::uint64_t first, std::uint64_t last,
                           std::size_t bytes) {
        std::vector<raft::Entry> entries;
        for (std::uint64_t i = first; i <= last; ++i) entries.push_back(record(term, i, bytes));
        life.groups->write(
            kFirst, {.number = ++number, .hard = {}, .entries = std::move(entries), .base = {}});
        life.run();
    };
    write(1, 1, 1, 3000);
    write(1, 2, 6, 2);    // one batch; then no room is left in the first file
    write(2, 4, 5, 900);  // the second
    write(2, 6, 7, 900);
    ASSERT_EQ(life.log().stats().durable.file, 2u);
    life.groups->checkpointed(kFirst, LogIndex(7));
    life.run();
    ASSERT_EQ(life.log().stats().archive_segments, 1u);
    std::map<std::uint64_t, std::uint64_t> terms;
    ASSERT_TRUE(life.log().read(
        kFirst.shard, LogIndex(1), [&](const wal::BatchHeader& header, std::string_view payload) {
            terms.erase(terms.lower_bound(header.first_index.value()), terms.end());
            for (std::uint32_t i = 0; i < header.count; ++i)
                terms[header.first_index.value() + i] = header.term.value();
            auto batch = group_batch_of(header, payload);
            return batch.ok() ? Result<void>() : batch.take_error();
        }));
    EXPECT_EQ(terms, (std::map<std::uint64_t, std::uint64_t>{
                         {1, 1}, {2, 1}, {3, 1}, {4, 2}, {5, 2}, {6, 2}, {7, 2}}));
}

TEST(GroupLog, StrangeGroupsAndEarlierIncarnations) {
    GroupRecovery recovery;
    recovery.add_group({ShardId(1), Incarnation(2)},
                       raft::DurableState::base(LogIndex(0), Term(0), kThree));
    HybridTime stamp;
    const raft::Entry entry = record(1, 1);
    const auto visit = [&](raft::GroupKey key) {
        auto batches = batches_of(key, kFirstRegion, {&entry, 1}, {}, &stamp, 1000);
        return recovery.visit(batches[0].header, batches[0].payload);
    };
    EXPECT_TRUE(visit({ShardId(1), Incarnation(1)}));
    EXPECT_EQ(visit({ShardId(1), Incarnation(3)}).error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(visit({ShardId(9), Incarnation(1)}).error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(recovery.finish()->groups.begin()->second.last, LogIndex(0));
}

}  // namespace group_log_test
}  // namespace tidal::cluster
