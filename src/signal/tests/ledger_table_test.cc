// Random histories against brute force; the same bits however events are cut, evicted, reopened.
#include "signal/ledger_table.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <limits>

#include "brute_force.h"
#include "fake_store.h"
#include "history.h"

namespace tidal::signal {
namespace ledger_table_test {

constexpr schema::Window kWindows[] = {schema::Window::k1h,   schema::Window::k24h,
                                       schema::Window::k7d,   schema::Window::k30d,
                                       schema::Window::k365d, schema::Window::kAll};

std::unique_ptr<LedgerTable> open_table(storage::ShardStore& store, const schema::Schema& schema,
                                        std::uint64_t resident_bytes_max = 1ULL << 30) {
    auto table = LedgerTable::open({.resident_bytes_max = resident_bytes_max}, store, schema);
    EXPECT_TRUE(table.ok()) << table.error().to_string();
    return std::move(table).value();
}

void expect_equals_brute_force(LedgerTable& table, const schema::SignalSpec& spec, Slot slot,
                               const std::vector<LedgerEvent>& events, UnixMillis now,
                               std::string_view where) {
    const auto reading = table.read(slot, spec.id, now);
    ASSERT_TRUE(reading.ok()) << reading.error().to_string();
    for (const auto window : kWindows) {
        const auto wanted = brute_window(events, window, now);
        const auto& got = reading->windows[static_cast<std::size_t>(window)];
        ASSERT_EQ(got.count, wanted.count) << where << " window " << static_cast<int>(window);
        ASSERT_EQ(got.sum, wanted.sum) << where << " window " << static_cast<int>(window);
        WindowValue column;
        ASSERT_TRUE(table.read_window(spec.id, window, {&slot, 1}, now, {&column, 1}).ok());
        ASSERT_EQ(column.count, wanted.count) << where;
        ASSERT_EQ(column.sum, wanted.sum) << where;
    }
    const auto wanted = brute_decayed(spec, events, now);
    ASSERT_NEAR(reading->decayed, wanted.value, 1e-9 * wanted.scale + 1e-200) << where;
    double column = 0;
    ASSERT_TRUE(table.read_decayed(spec.id, {&slot, 1}, now, {&column, 1}).ok());
    ASSERT_EQ(column, reading->decayed) << where;

    const auto day = brute_window(events, schema::Window::k24h, now);
    const auto week = brute_window(events, schema::Window::k7d, now);
    const double day_rate = static_cast<double>(day.sum) / 1048576.0 / 86400.0;
    const double week_rate = static_cast<double>(week.sum) / 1048576.0 / 604800.0;
    ASSERT_DOUBLE_EQ(reading->velocity(schema::Window::k24h), day_rate) << where;
    ASSERT_DOUBLE_EQ(reading->acceleration(schema::Window::k24h, schema::Window::k7d),
                     week_rate == 0 ? 0 : day_rate / week_rate - 1)
        << where;
}

/// One table and what it should hold.
struct Subject {
    std::unique_ptr<FakeStore> store = std::make_unique<FakeStore>();
    std::unique_ptr<LedgerTable> table;

    void restart(const schema::Schema& schema, std::uint64_t resident_bytes_max) {
        table->prepare_checkpoint();
        FakeImage image = store->checkpoint();
        table.reset();
        store = std::make_unique<FakeStore>(std::move(image));
        table = open_table(*store, schema, resident_bytes_max);
    }
};

/// What may rise by time alone is marked, and of windows nothing else.
void expect_marks(LedgerTable& table, const schema::SignalSpec& spec, Slot slot,
                  const std::vector<LedgerEvent>& events, UnixMillis now, std::string_view where) {
    for (const auto window : kWindows) {
        std::uint8_t mark = 0;
        ASSERT_TRUE(table.mark_negative_window(spec.id, window, {&slot, 1}, now, {&mark, 1}).ok());
        ASSERT_EQ(mark != 0, brute_cell_below_0(events, window, now))
            << where << " window " << static_cast<int>(window) << " now " << now;
    }
    std::uint8_t mark = 0;
    ASSERT_TRUE(table.mark_negative_decay(spec.id, {&slot, 1}, now, {&mark, 1}).ok());
    if (mark != 0) return;
    double last = std::numeric_limits<double>::infinity();
    for (UnixMillis at = now; at < now + 40 * kDay; at += 1 + 3 * (at - now)) {
        double value = 0;
        ASSERT_TRUE(table.read_decayed(spec.id, {&slot, 1}, at, {&value, 1}).ok());
        ASSERT_GE(value, 0) << where;
        ASSERT_LE(value, last) << where << " after " << at - now;
        last = value;
    }
}

void expect_same_content(LedgerTable& a, LedgerTable& b, std::uint32_t slots,
                         std::string_view where) {
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        const auto left = a.content_hash(Slot(slot));
        const auto right = b.content_hash(Slot(slot));
        ASSERT_TRUE(left.ok() && right.ok()) << where;
        ASSERT_EQ(*left, *right) << where << " slot " << slot;
    }
}

std::vector<LedgerEvent> of_pair(std::span<const LedgerEvent> events, Slot slot,
                                 SignalTypeId signal) {
    std::vector<LedgerEvent> out;
    for (const auto& event : events)
        if (event.slot == slot && event.signal == signal) out.push_back(event);
    return out;
}

void check_against_brute_force(std::uint64_t seed) {
    Dice dice(seed);
    const std::string where = "seed " + std::to_string(seed);
    const HistoryShape shape{.events = dice.pick(90) + 1, .slots = 2, .signals = 3};
    const auto schema = random_schema(dice, shape.signals);
    const auto history = random_history(dice, shape);
    FakeStore store;
    auto table = open_table(store, schema);
    std::size_t done = 0;
    while (done < history.events.size()) {
        const std::size_t size =
            std::min<std::size_t>(dice.pick(40) + 1, history.events.size() - done);
        ASSERT_TRUE(table->apply(std::span(history.events).subspan(done, size)).ok());
        done += size;
        const UnixMillis now =
            history.stamps[done - 1] + (dice.one_in(2) ? 0 : dice.between(0, 3 * kDay));
        for (const auto& spec : schema.signals) {
            const Slot slot(static_cast<std::uint32_t>(dice.pick(shape.slots)));
            const auto events = of_pair(std::span(history.events).first(done), slot, spec.id);
            expect_equals_brute_force(*table, spec, slot, events, now, where);
            expect_marks(*table, spec, slot, events, now, where);
            if (testing::Test::HasFatalFailure()) return;
        }
    }
}

RC_GTEST_PROP(LedgerTable, EqualsBruteForce, ()) {
    // 100 cases of 100 histories each: 10,000 (rapidcheck's own generators are too slow for that).
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    for (std::uint64_t i = 0; i < 100; ++i) {
        check_against_brute_force(seed + i);
        RC_ASSERT(!testing::Test::HasFailure());
    }
}

/// Applies to `table` the way a busy node would: any batch sizes, evictions, restarts in between.
void apply_with_disturbances(Dice& dice, Subject& subject, const schema::Schema& schema,
                             std::span<const LedgerEvent> events,
                             std::uint64_t resident_bytes_max) {
    while (!events.empty()) {
        const std::size_t size = std::min<std::size_t>(dice.pick(70) + 1, events.size());
        ASSERT_TRUE(subject.table->apply(events.first(size)).ok());
        events = events.subspan(size);
        if (dice.one_in(3)) {
            const auto evicted = subject.table->evict();
            ASSERT_TRUE(evicted.ok()) << evicted.error().to_string();
        }
        if (dice.one_in(4)) subject.restart(schema, resident_bytes_max);
        if (dice.one_in(3)) {  // Reads change nothing.
            const Slot slot(static_cast<std::uint32_t>(dice.pick(4)));
            ASSERT_TRUE(
                subject.table->read(slot, SignalTypeId(0), events.empty() ? 0 : events[0].at_ms)
                    .ok());
        }
    }
}

void check_same_bits(std::uint64_t seed) {
    Dice dice(seed);
    const std::string where = "seed " + std::to_string(seed);
    const HistoryShape shape{.events = dice.pick(300) + 1, .slots = 4, .signals = 3};
    const auto schema = random_schema(dice, shape.signals);
    const auto history = random_history(dice, shape);
    Subject calm, busy;
    calm.table = open_table(*calm.store, schema);
    ASSERT_TRUE(calm.table->apply(history.events).ok());
    const std::uint64_t budget = dice.one_in(2) ? 0 : dice.pick(8) * storage::kPageBytes;
    busy.table = open_table(*busy.store, schema, budget);
    apply_with_disturbances(dice, busy, schema, history.events, budget);
    if (testing::Test::HasFatalFailure()) return;
    for (const auto& spec : schema.signals) {
        for (std::uint32_t slot = 0; slot < shape.slots; ++slot) {
            const auto left = calm.table->read(Slot(slot), spec.id, history.end);
            const auto right = busy.table->read(Slot(slot), spec.id, history.end);
            ASSERT_TRUE(left.ok() && right.ok());
            ASSERT_EQ(left->decayed, right->decayed) << where;
            for (std::size_t w = 0; w < schema::kWindowCount; ++w) {
                ASSERT_EQ(left->windows[w].count, right->windows[w].count) << where;
                ASSERT_EQ(left->windows[w].sum, right->windows[w].sum) << where;
            }
        }
    }
    expect_same_content(*calm.table, *busy.table, shape.slots, where);
}

RC_GTEST_PROP(LedgerTable, SameBitsHoweverBatchedEvictedOrReopened, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    for (std::uint64_t i = 0; i < 8; ++i) {
        check_same_bits(seed + i);
        RC_ASSERT(!testing::Test::HasFailure());
    }
}

void check_any_order(std::uint64_t seed) {
    Dice dice(seed);
    const std::string where = "seed " + std::to_string(seed);
    const auto schema = random_schema(dice, 1);
    const auto history = random_history(dice, {.events = 60, .slots = 1, .signals = 1});
    auto shuffled = history.events;
    std::shuffle(shuffled.begin(), shuffled.end(), dice.engine());
    FakeStore store;
    auto table = open_table(store, schema);
    ASSERT_TRUE(table->apply(shuffled).ok());
    const auto now = history.end + dice.between(0, kDay);
    expect_equals_brute_force(*table, schema.signals[0], Slot(0), history.events, now, where);
}

RC_GTEST_PROP(LedgerTable, AnyArrivalOrderGivesTheSameValues, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    for (std::uint64_t i = 0; i < 20; ++i) {
        check_any_order(seed + i);
        RC_ASSERT(!testing::Test::HasFailure());
    }
}

}  // namespace ledger_table_test
}  // namespace tidal::signal
