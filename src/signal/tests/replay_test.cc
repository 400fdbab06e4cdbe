// Real streams in time order: decayed and windowed orders equal brute force at every mark. Data
// sets lie in the directory TIDAL_TEST_DATA; without it these tests are skipped.
#include <gtest/gtest.h>

#include <map>
#include <unordered_map>

#include "brute_force.h"
#include "fake_store.h"
#include "history.h"
#include "real_data.h"

namespace tidal::signal {
namespace replay_test {

constexpr SignalTypeId kSignal{0};

/// Best first; equal values by slot.
std::vector<std::uint32_t> ordered(const std::vector<double>& values) {
    std::vector<std::uint32_t> order(values.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
        return values[a] != values[b] ? values[a] > values[b] : a < b;
    });
    return order;
}

struct Replay {
    FakeStore store;
    schema::Schema schema;
    std::unique_ptr<LedgerTable> table;
    std::vector<std::vector<LedgerEvent>> events;  ///< By slot.

    explicit Replay(std::int64_t half_life_ms) {
        schema.signals.resize(1);
        schema.signals[0].half_life_ms = half_life_ms;
        table = LedgerTable::open({}, store, schema).value();
    }
    void apply(const std::vector<LedgerEvent>& batch) {
        ASSERT_TRUE(table->apply(batch).ok());
        for (const auto& event : batch) {
            if (event.slot.value() >= events.size()) events.resize(event.slot.value() + 1);
            events[event.slot.value()].push_back(event);
        }
    }
    void expect_orders(UnixMillis now, std::span<const schema::Window> windows) {
        std::vector<Slot> slots;
        for (std::uint32_t i = 0; i < events.size(); ++i) slots.emplace_back(i);
        std::vector<double> got(slots.size()), wanted(slots.size());
        std::vector<WindowValue> values(slots.size());
        for (const auto window : windows) {
            ASSERT_TRUE(table->read_window(kSignal, window, slots, now, values).ok());
            for (std::size_t i = 0; i < slots.size(); ++i) {
                const auto sum = brute_window(events[i], window, now);
                ASSERT_EQ(values[i].count, sum.count);
                got[i] = static_cast<double>(values[i].sum);
                wanted[i] = static_cast<double>(sum.sum);
            }
            ASSERT_EQ(ordered(got), ordered(wanted)) << "window " << static_cast<int>(window);
        }
        ASSERT_TRUE(table->read_decayed(kSignal, slots, now, got).ok());
        for (std::size_t i = 0; i < slots.size(); ++i) {
            const auto decayed = brute_decayed(schema.signals[0], events[i], now);
            ASSERT_NEAR(got[i], decayed.value, 1e-9 * decayed.scale + 1e-200);
            wanted[i] = decayed.value;
        }
        // Where two scores differ by more than rounding, the order is the same.
        const auto order = ordered(got);
        for (std::size_t i = 1; i < order.size(); ++i)
            ASSERT_GE(wanted[order[i - 1]] * (1 + 1e-9), wanted[order[i]]);
    }
};

TEST(Replay, WikitickerByMinutes) {
    const auto text = read_zst("wikiticker-2015-09-12/wikiticker-2015-09-12-sampled.json.zst");
    if (!text) GTEST_SKIP() << "TIDAL_TEST_DATA has no wikiticker-2015-09-12";
    Replay replay(2 * kHour);
    std::unordered_map<std::string, std::uint32_t> pages;
    std::vector<LedgerEvent> batch;
    std::size_t rows = 0, marks = 0;
    UnixMillis mark = 0, clock = 0;
    for (std::size_t start = 0; start < text->size(); ++rows) {
        const std::size_t end = std::min(text->find('\n', start), text->size());
        const std::string_view line(text->data() + start, end - start);
        start = end + 1;
        const UnixMillis at = parse_time(string_after(line, "\"time\":\""));
        ASSERT_GE(at, clock);
        clock = at;
        if (mark == 0) mark = at + kHour;
        if (at >= mark) {
            replay.apply(batch);
            batch.clear();
            constexpr schema::Window kWindows[] = {schema::Window::k1h, schema::Window::k24h,
                                                   schema::Window::kAll};
            replay.expect_orders(mark, kWindows);
            if (HasFatalFailure()) return;
            mark += kHour + 7 * kMinute;
            ++marks;
        }
        const std::string page = std::string(string_after(line, "\"page\":\""));
        const auto slot =
            pages.emplace(page, static_cast<std::uint32_t>(pages.size())).first->second;
        batch.push_back({Slot(slot), kSignal, record::kWeightOne, 1, at});
    }
    EXPECT_EQ(rows, 39'244u);
    EXPECT_GE(marks, 18u);
    replay.apply(batch);
    // Druid's tutorial prints it as the most edited page, with 33.
    const auto top =
        replay.table->read(Slot(pages.at("Wikipedia:Vandalismusmeldung")), kSignal, clock);
    EXPECT_EQ(top->windows[static_cast<std::size_t>(schema::Window::kAll)].count, 33);
}

TEST(Replay, YoutubeTrendingByDays) {
    const auto text = read_zst("youtube-trending-us-2017/USvideos.csv.zst");
    if (!text) GTEST_SKIP() << "TIDAL_TEST_DATA has no youtube-trending-us-2017";
    // Views as they stood, by day and video; one sighting a day, damaged rows left out.
    std::map<std::int64_t, std::map<std::string, std::int64_t>> days;
    std::size_t at = 0, damaged = 0;
    csv_row(*text, &at);
    while (at < text->size()) {
        const auto row = csv_row(*text, &at);
        const std::int64_t day = row.size() == 11 ? trending_day(row[10]) : -1;
        if (day < 0 || row[0] == "#NAME?") {
            ++damaged;
            continue;
        }
        days[day].emplace(row[0], std::stoll(row[5]));
    }
    EXPECT_GT(damaged, 100u);
    ASSERT_EQ(days.size(), 40u);

    Replay replay(3 * kDay);
    std::unordered_map<std::string, std::uint32_t> videos;
    std::unordered_map<std::string, std::int64_t> views_before;
    std::size_t negative = 0;
    for (const auto& [day, videos_of_day] : days) {
        std::vector<LedgerEvent> batch;
        for (const auto& [video, views] : videos_of_day) {
            const auto slot =
                videos.emplace(video, static_cast<std::uint32_t>(videos.size())).first->second;
            std::int64_t& before = views_before[video];
            negative += views < before;
            // The weight is in units of 1,024 views: a weight may not pass 2^20.
            if (views > before)
                batch.push_back(
                    {Slot(slot), kSignal, (views - before) * 1'024, 1, day * kDay + 12 * kHour});
            before = std::max(before, views);
        }
        replay.apply(batch);
        constexpr schema::Window kWindows[] = {schema::Window::k24h, schema::Window::k7d,
                                               schema::Window::k30d, schema::Window::k365d,
                                               schema::Window::kAll};
        replay.expect_orders(day * kDay + 12 * kHour, kWindows);
        if (HasFatalFailure()) return;
    }
    EXPECT_EQ(negative, 5u) << "one video falls to 0 and stays there for its last five days";
}

}  // namespace replay_test
}  // namespace tidal::signal
