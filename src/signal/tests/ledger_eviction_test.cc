// Cold pairs: on disk and back without a bit of difference; what happens when the disk fails.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "fake_store.h"
#include "history.h"
#include "runtime/sim_disk.h"
#include "signal/ledger_table.h"

namespace tidal::signal {
namespace ledger_eviction_test {

constexpr SignalTypeId kView{0};

schema::Schema one_signal() {
    schema::Schema schema;
    schema.signals.resize(1);
    schema.signals[0].half_life_ms = kHour;
    return schema;
}

LedgerEvent view(std::uint32_t slot, UnixMillis at) {
    return {Slot(slot), kView, record::kWeightOne, 1, at};
}

struct EvictionTest : testing::Test {
    FakeStore store;
    schema::Schema schema = one_signal();
    std::unique_ptr<LedgerTable> table = open(store, 0);

    std::unique_ptr<LedgerTable> open(storage::ShardStore& in, std::uint64_t resident_bytes_max) {
        auto opened = LedgerTable::open({.resident_bytes_max = resident_bytes_max}, in, schema);
        EXPECT_TRUE(opened.ok());
        return std::move(opened).value();
    }
    void apply(const LedgerEvent& event) { ASSERT_TRUE(table->apply({&event, 1}).ok()); }
};

TEST_F(EvictionTest, WritesToColdPairsNeverRead) {
    for (std::uint32_t slot = 0; slot < 100; ++slot) apply(view(slot, slot * kMinute));
    ASSERT_TRUE(table->evict().ok());
    EXPECT_EQ(table->stats().pairs_resident, 0u);
    EXPECT_EQ(table->stats().pairs_cold, 100u);
    store.fail_reads = true;
    for (int i = 0; i < 60; ++i) apply(view(7, kHour + i * kMinute));
    store.fail_reads = false;
    const auto reading = table->read(Slot(7), kView, 2 * kHour);
    ASSERT_TRUE(reading.ok());
    EXPECT_EQ(reading->windows[static_cast<std::size_t>(schema::Window::kAll)].count, 61);
    EXPECT_EQ(table->stats().pairs_cold, 100u) << "reads change nothing";
}

TEST_F(EvictionTest, ManyWritesBringAPairBack) {
    apply(view(7, 0));
    ASSERT_TRUE(table->evict().ok());
    for (int i = 1; i <= 200; ++i) apply(view(7, i * kMinute));
    EXPECT_EQ(table->stats().pairs_resident, 1u);
    EXPECT_EQ(table->stats().pairs_cold, 0u);
    EXPECT_FALSE(store.rows().lower_bound("l/i/") != store.rows().end() &&
                 store.rows().lower_bound("l/i/")->first.find("/p/") != std::string::npos)
        << "its row is gone";
    const auto reading = table->read(Slot(7), kView, 200 * kMinute);
    EXPECT_EQ(reading->windows[static_cast<std::size_t>(schema::Window::kAll)].count, 201);
}

TEST_F(EvictionTest, TheDiskFailingIsAnErrorAndLosesNothing) {
    apply(view(7, 0));
    ASSERT_TRUE(table->evict().ok());
    store.fail_reads = true;
    EXPECT_EQ(table->read(Slot(7), kView, 0).error().code(), ErrorCode::kIo);
    EXPECT_EQ(table->content_hash(Slot(7)).error().code(), ErrorCode::kIo);
    Result<void> applied;
    int events = 0;
    for (; applied.ok() && events < 1'000; ++events) {
        const LedgerEvent event = view(7, events * kMinute);
        applied = table->apply({&event, 1});
    }
    ASSERT_FALSE(applied.ok()) << "folding had to read at some time";
    EXPECT_EQ(applied.error().code(), ErrorCode::kIo);
    store.fail_reads = false;
    const auto total =
        table->read(Slot(7), kView, kDay)->windows[static_cast<std::size_t>(schema::Window::kAll)];
    EXPECT_EQ(total.count, events) << "all but the one refused, and the one before";
}

TEST_F(EvictionTest, DamagedAndMissingRowsAreCorruption) {
    apply(view(7, 0));
    ASSERT_TRUE(table->evict().ok());
    std::string* row = nullptr;
    for (auto& [key, value] : store.rows())
        if (key.find("/p/") != std::string::npos) row = &value;
    ASSERT_NE(row, nullptr);
    const std::string good = *row;
    for (std::size_t i = 0; i < good.size(); ++i) {
        *row = good;
        (*row)[i] = static_cast<char>((*row)[i] ^ 0x10);
        const auto reading = table->read(Slot(7), kView, 0);
        ASSERT_FALSE(reading.ok()) << "byte " << i;
        EXPECT_EQ(reading.error().code(), ErrorCode::kCorruption);
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        *row = good.substr(0, size);
        ASSERT_FALSE(table->read(Slot(7), kView, 0).ok()) << "cut to " << size;
    }
    *row = good;
    EXPECT_TRUE(table->read(Slot(7), kView, 0).ok());
    std::erase_if(store.rows(),
                  [](const auto& entry) { return entry.first.find("/p/") != std::string::npos; });
    EXPECT_EQ(table->read(Slot(7), kView, 0).error().code(), ErrorCode::kCorruption);
}

TEST_F(EvictionTest, DropForgetsColdAndWaitingPairs) {
    for (std::uint32_t slot = 0; slot < 3; ++slot) apply(view(slot, 0));
    ASSERT_TRUE(table->evict().ok());
    apply(view(1, kMinute));
    for (std::uint32_t slot = 0; slot < 3; ++slot) table->drop(Slot(slot));
    EXPECT_EQ(table->stats().pairs_cold, 0u);
    EXPECT_EQ(table->stats().pairs_resident, 0u);
    for (const auto& [key, value] : store.rows()) EXPECT_EQ(key.find("/p/"), std::string::npos);
    EXPECT_EQ(*table->content_hash(Slot(1)), 0u);
    apply(view(1, 2 * kMinute));
    const auto reading = table->read(Slot(1), kView, kHour);
    EXPECT_EQ(reading->windows[static_cast<std::size_t>(schema::Window::kAll)].count, 1);
}

TEST_F(EvictionTest, SlicesAreBoundedAndWritesGoOnInBetween) {
    constexpr std::uint32_t kSlots = 20'000;
    constexpr std::size_t kSteps = 256;
    FakeStore other;
    const auto never_evicted = open(other, 1ULL << 40);
    const auto apply_both = [&](const LedgerEvent& event) {
        apply(event);
        ASSERT_TRUE(never_evicted->apply({&event, 1}).ok());
    };
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) apply_both(view(slot, slot * kMinute));
    std::uint64_t slices = 0, cold = 0;
    for (bool done = false; !done; ++slices) {
        const auto evicted = table->evict(kSteps);
        ASSERT_TRUE(evicted.ok());
        done = *evicted;
        EXPECT_LE(table->stats().pairs_cold, cold + kSteps / LedgerTable::kStepsPerMove + 1);
        cold = table->stats().pairs_cold;
        // Newer than all seen so far, at pairs before and behind the walk; some are dropped.
        const auto slot = static_cast<std::uint32_t>(slices * 7919 % kSlots);
        apply_both(view(slot, (kSlots + static_cast<UnixMillis>(slices)) * kMinute));
        if (slices % 50 == 0) {
            table->drop(Slot(slot + 1));
            never_evicted->drop(Slot(slot + 1));
            cold = table->stats().pairs_cold;
        }
    }
    EXPECT_GT(slices, kSlots / kSteps);
    EXPECT_GT(cold, kSlots * 9 / 10) << "the budget is 0";
    for (std::uint32_t slot = 0; slot < kSlots; ++slot)
        ASSERT_EQ(*table->content_hash(Slot(slot)), *never_evicted->content_hash(Slot(slot)));
}

TEST_F(EvictionTest, TheBudgetHoldsAndTheColdestGoFirst) {
    FakeStore other;
    constexpr std::uint64_t kBudget = 24 * storage::kPageBytes;
    auto budgeted = open(other, kBudget);
    for (std::uint32_t slot = 0; slot < 20'000; ++slot) {
        const LedgerEvent event = view(slot, slot * kMinute);
        ASSERT_TRUE(budgeted->apply({&event, 1}).ok());
        if (slot % 5'000 == 4'999) {
            ASSERT_TRUE(budgeted->evict().ok());
            EXPECT_LE(budgeted->stats().bytes, kBudget);
        }
    }
    EXPECT_GT(budgeted->stats().pairs_resident, 2'000u);
    other.reads = 0;
    for (std::uint32_t slot = 19'000; slot < 20'000; ++slot)
        ASSERT_TRUE(budgeted->read(Slot(slot), kView, 20'000 * kMinute).ok());
    EXPECT_EQ(other.reads, 0u) << "the newest stay in memory";
    EXPECT_EQ(budgeted->stats().pairs_resident + budgeted->stats().pairs_cold, 20'000u);
}

TEST_F(EvictionTest, HolesAreCompactedAndPagesGoBack) {
    FakeStore other;
    auto roomy = open(other, 1ULL << 30);
    for (std::uint32_t slot = 0; slot < 8'000; ++slot) {
        const LedgerEvent event = view(slot, 0);
        ASSERT_TRUE(roomy->apply({&event, 1}).ok());
    }
    const auto full = roomy->stats().bytes;
    for (std::uint32_t slot = 0; slot < 8'000; ++slot)
        if (slot % 8 != 0) roomy->drop(Slot(slot));
    const auto before = roomy->content_hash(Slot(4'000));
    ASSERT_TRUE(roomy->evict().ok());
    EXPECT_LT(roomy->stats().bytes, full / 3);
    EXPECT_EQ(*before, *roomy->content_hash(Slot(4'000)));
    EXPECT_EQ(roomy->stats().pairs_resident, 1'000u);
}

TEST_F(EvictionTest, PageMemoryFullIsOverloadedAndLeavesThePair) {
    FakeStore small;
    auto full = open(small, 1ULL << 30);
    small.arena().pages_max = 3;
    Result<void> applied;
    std::uint32_t slot = 0;
    for (; applied.ok() && slot < 5'000; ++slot) {
        const LedgerEvent event = view(slot, 0);
        applied = full->apply({&event, 1});
    }
    ASSERT_FALSE(applied.ok());
    EXPECT_EQ(applied.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(full->stats().pairs_resident, slot - 1);
    EXPECT_EQ(*full->content_hash(Slot(slot - 1)), 0u);
    small.arena().pages_max = 0;
    const LedgerEvent event = view(slot - 1, 0);
    EXPECT_TRUE(full->apply({&event, 1}).ok());
}

TEST_F(EvictionTest, SchemaAdditionsGetLedgers) {
    apply(view(0, 0));
    const LedgerEvent like{Slot(0), SignalTypeId(1), record::kWeightOne, 1, 0};
    EXPECT_EQ(table->read(Slot(0), like.signal, 0)->decayed, 0);
    schema.signals.push_back(schema.signals[0]);
    table->set_schema(schema);
    apply(like);
    EXPECT_EQ(table->read(Slot(0), like.signal, 0)->decayed, 1);
    table->prepare_checkpoint();
    FakeStore reopened(store.checkpoint());
    EXPECT_EQ(*open(reopened, 0)->content_hash(Slot(0)), *table->content_hash(Slot(0)));
}

TEST_F(EvictionTest, PagesOfAnotherOwnerAreRefused) {
    apply(view(0, 0));
    table->prepare_checkpoint();
    FakeImage image = store.checkpoint();
    for (auto& [page, bytes] : image.pages)
        if (bytes.starts_with("TBLK")) bytes[5] = 9;
    FakeStore damaged(std::move(image));
    const auto opened = LedgerTable::open({}, damaged, schema);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code(), ErrorCode::kCorruption);
}

/// Rows of version 1 stay readable, and are still what is written.
TEST_F(EvictionTest, GoldenRow) {
    std::ifstream file(std::string(TIDAL_TESTDATA_DIR) + "/ledger_pair_v1.bin", std::ios::binary);
    const std::string golden{std::istreambuf_iterator<char>(file), {}};
    apply(view(7, 0));
    for (const UnixMillis at : {3 * kDay, 30 * kDay, 30 * kDay + kHour, 30 * kDay + 2 * kHour})
        for (int i = 0; i < 3; ++i)
            apply({Slot(7), kView, (i + 1) * record::kWeightOne / 4, 1, at + i * 5 * kMinute});
    const auto before = table->read(Slot(7), kView, 31 * kDay);
    ASSERT_TRUE(table->evict().ok());
    std::string* row = nullptr;
    for (auto& [key, value] : store.rows())
        if (key.find("/p/") != std::string::npos) row = &value;
    ASSERT_NE(row, nullptr);
    std::string hex;
    for (const char c : *row) {
        constexpr char kDigits[] = "0123456789abcdef";
        hex += {kDigits[static_cast<unsigned char>(c) >> 4], kDigits[c & 15]};
    }
    EXPECT_TRUE(*row == golden) << "now written: " << hex;
    *row = golden;
    const auto after = table->read(Slot(7), kView, 31 * kDay);
    ASSERT_TRUE(after.ok());
    EXPECT_EQ(after->decayed, before->decayed);
    for (std::size_t w = 0; w < schema::kWindowCount; ++w) {
        EXPECT_EQ(after->windows[w].count, before->windows[w].count);
        EXPECT_EQ(after->windows[w].sum, before->windows[w].sum);
    }
}

/// The same through the real store: page files, rows, a crash that keeps only what was synced.
TEST(LedgerOnDisk, SurvivesACrashAtItsCheckpoint) {
    runtime::SimDisk disk;
    const auto schema = one_signal();
    std::vector<std::uint64_t> hashes;
    {
        auto rows = storage::open_simple_rows(disk, "rows").value();
        auto store = storage::ShardStore::open(disk, *rows, ShardId(1), "pages").value();
        auto table =
            LedgerTable::open({.resident_bytes_max = 4 * storage::kPageBytes}, *store, schema)
                .value();
        for (std::uint64_t round = 1; round <= 3; ++round) {
            for (std::uint32_t slot = 0; slot < 5'000; ++slot) {
                const LedgerEvent event =
                    view(slot % 997, static_cast<std::int64_t>(round * slot) * kMinute);
                ASSERT_TRUE(table->apply({&event, 1}).ok());
            }
            ASSERT_TRUE(table->evict().ok());
            table->prepare_checkpoint();
            store->begin_checkpoint(LogIndex(round));
            while (!store->copy_out(8)) {
            }
            ASSERT_TRUE(store->write_checkpoint().ok());
            store->finish_checkpoint(true);
        }
        for (std::uint32_t slot = 0; slot < 997; ++slot)
            hashes.push_back(*table->content_hash(Slot(slot)));
        const LedgerEvent lost = view(0, 0);
        ASSERT_TRUE(table->apply({&lost, 1}).ok());
    }
    disk.crash({.keep = runtime::CrashSpec::Keep::kNothing});
    auto rows = storage::open_simple_rows(disk, "rows").value();
    auto store = storage::ShardStore::open(disk, *rows, ShardId(1), "pages").value();
    EXPECT_EQ(store->checkpoint_index(), LogIndex(3));
    auto table = LedgerTable::open({}, *store, schema).value();
    for (std::uint32_t slot = 0; slot < 997; ++slot)
        ASSERT_EQ(*table->content_hash(Slot(slot)), hashes[slot]);
}

}  // namespace ledger_eviction_test
}  // namespace tidal::signal
