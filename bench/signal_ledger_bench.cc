// How fast one event reaches the item ledger, beside a decayed bump in a plain hash map in the same
// process, alternating, in CPU time; and how many bytes a pair takes.
//
//     signal_ledger_bench [speed] [memory] [--rounds=5] [--events=4000000] [--weights]
//
// speed    1 M items drawn uniformly, batches of 64, one core. `dense`: the clock runs with the
// events
//          (1 M a second), so an item's events mostly fall into one minute. `sparse`: an item's
//          events are ten minutes apart, so nearly each opens a new cell.
// memory   a tenth of 10 M pairs with Zipf(1) frequencies and a mean of 100 events a pair, spread
// over
//          a year in time order, evict() every 10 M events; `--weights`: weights of 0.25..4 in
//          quarters.
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cpu_time.h"
#include "runtime/sim_disk.h"
#include "signal/ledger_table.h"

namespace tidal::signal {
namespace {

constexpr std::uint32_t kItems = 1'000'000;
constexpr UnixMillis kStart = 1'700'000'000'000;
constexpr std::int64_t kHalfLife = 6 * 3'600'000;

/// A store whose pages are real and whose rows lie in memory.
struct Bed {
    runtime::SimDisk disk;
    std::unique_ptr<storage::RowEngine> rows;
    std::unique_ptr<storage::ShardStore> store;
    schema::Schema schema;
    std::unique_ptr<LedgerTable> table;

    Bed() {
        schema::SignalSpec view;
        view.id = SignalTypeId(0);
        view.name = "view";
        view.half_life_ms = kHalfLife;
        schema.signals.push_back(view);
        auto opened_rows = storage::open_simple_rows(disk, "rows");
        if (!opened_rows.ok()) fail(opened_rows.error());
        rows = std::move(opened_rows).value();
        auto opened_store = storage::ShardStore::open(disk, *rows, ShardId(1), "pages");
        if (!opened_store.ok()) fail(opened_store.error());
        store = std::move(opened_store).value();
        auto opened_table = LedgerTable::open({.resident_bytes_max = 16ULL << 30}, *store, schema);
        if (!opened_table.ok()) fail(opened_table.error());
        table = std::move(opened_table).value();
    }
    void apply(std::span<const LedgerEvent> events) {
        if (auto applied = table->apply(events); !applied.ok()) fail(applied.error());
    }
};

/// The peer: score and time of the last event by item id.
struct Bump {
    double score = 0;
    UnixMillis at = 0;
};
using BumpMap = absl::flat_hash_map<std::uint64_t, Bump>;

void bump(BumpMap& map, std::uint64_t item, double weight, UnixMillis at) {
    Bump& entry = map[item];
    const double age = static_cast<double>(at - entry.at) / static_cast<double>(kHalfLife);
    entry.score = entry.score * std::exp2(-age) + weight;
    entry.at = at;
}

struct Stream {
    std::mt19937_64 random{42};
    double events_per_ms;
    double clock = 0;

    void fill(std::vector<LedgerEvent>* events) {
        for (LedgerEvent& event : *events) {
            clock += 1 / events_per_ms;
            event.slot = Slot(static_cast<std::uint32_t>(random() % kItems));
            event.signal = SignalTypeId(0);
            event.weight = record::kWeightOne;
            event.at_ms = kStart + static_cast<std::int64_t>(clock);
        }
    }
};

void run_speed(const char* name, double events_per_ms, int rounds, std::size_t count) {
    Bed bed;
    BumpMap map;
    map.reserve(kItems);
    Stream stream{.events_per_ms = events_per_ms};
    std::vector<LedgerEvent> events(count);
    std::vector<double> ratios, ledger_ns, map_ns;
    for (int round = -2; round < rounds; ++round) {  // Two rounds fill both.
        stream.fill(&events);
        double start = cpu_seconds();
        for (std::size_t i = 0; i < count; i += 64)
            bed.apply(std::span(events).subspan(i, std::min<std::size_t>(64, count - i)));
        const double ledger = (cpu_seconds() - start) * 1e9 / static_cast<double>(count);
        start = cpu_seconds();
        for (const LedgerEvent& event : events) bump(map, event.slot.value(), 1, event.at_ms);
        const double peer = (cpu_seconds() - start) * 1e9 / static_cast<double>(count);
        if (round < 0) continue;
        ledger_ns.push_back(ledger);
        map_ns.push_back(peer);
        ratios.push_back(ledger / peer);
    }
    for (auto* values : {&ratios, &ledger_ns, &map_ns}) std::sort(values->begin(), values->end());
    const std::size_t middle = ratios.size() / 2;
    std::printf(
        "%-7s ledger %6.1f ns/event   hash map %6.1f ns/event   ratio %.2f (%.2f..%.2f)   "
        "%.1f B/pair   n=%d x %zu\n",
        name, ledger_ns[middle], map_ns[middle], ratios[middle], ratios.front(), ratios.back(),
        static_cast<double>(bed.table->stats().bytes) / kItems, rounds, count);
}

void run_memory(bool weights) {
    constexpr double kEventsMean = 100;
    constexpr std::size_t kEvents = static_cast<std::size_t>(kItems * kEventsMean);
    constexpr double kYearMs = 365.0 * 86'400'000;
    Bed bed;
    std::mt19937_64 random(7);
    // Rank 10 k + 5 of 10 M: the same distribution at a tenth of the size.
    std::vector<double> mass(kItems);
    double total = 0;
    for (std::uint32_t i = 0; i < kItems; ++i) mass[i] = total += 1.0 / (10.0 * i + 5.0);
    std::vector<std::uint32_t> slot_of(kItems);
    for (std::uint32_t i = 0; i < kItems; ++i) slot_of[i] = i;
    std::shuffle(slot_of.begin(), slot_of.end(), random);
    // Starting points for the search in `mass`, by equal shares of it.
    std::vector<std::uint32_t> hint(65'537);
    for (std::size_t h = 0; h < hint.size(); ++h)
        hint[h] = static_cast<std::uint32_t>(
            std::lower_bound(mass.begin(), mass.end(), total * static_cast<double>(h) / 65'536.0) -
            mass.begin());

    std::vector<LedgerEvent> batch;
    double busy = 0;
    for (std::size_t i = 0; i < kEvents; ++i) {
        const double share = static_cast<double>(random() >> 11) * 0x1p-53;
        const auto h = static_cast<std::size_t>(share * 65'536.0);
        const auto last = mass.begin() + std::min<std::uint32_t>(hint[h + 1] + 1, kItems);
        const auto rank =
            std::lower_bound(mass.begin() + hint[h], last, share * total) - mass.begin();
        LedgerEvent event;
        event.slot =
            Slot(slot_of[std::min<std::size_t>(static_cast<std::size_t>(rank), kItems - 1)]);
        event.signal = SignalTypeId(0);
        event.weight = weights
                           ? static_cast<std::int64_t>(random() % 16 + 1) * (record::kWeightOne / 4)
                           : record::kWeightOne;
        event.at_ms =
            kStart + static_cast<std::int64_t>(kYearMs * static_cast<double>(i) / kEvents);
        batch.push_back(event);
        if (batch.size() == 4096 || i + 1 == kEvents) {
            const double start = cpu_seconds();
            for (std::size_t b = 0; b < batch.size(); b += 64)
                bed.apply(std::span(batch).subspan(b, std::min<std::size_t>(64, batch.size() - b)));
            busy += (cpu_seconds() - start);
            batch.clear();
        }
        if ((i + 1) % 10'000'000 == 0) {
            const auto before = bed.table->stats().bytes;
            const double start = cpu_seconds();
            if (auto evicted = bed.table->evict(); !evicted.ok()) fail(evicted.error());
            const double took = (cpu_seconds() - start);
            const auto stats = bed.table->stats();
            std::printf(
                "  %3zu M events  %7llu pairs  %.1f B/pair  (before evict() %.1f, %.1f ms)\n",
                (i + 1) / 1'000'000, static_cast<unsigned long long>(stats.pairs_resident),
                static_cast<double>(stats.bytes) / static_cast<double>(stats.pairs_resident),
                static_cast<double>(before) / static_cast<double>(stats.pairs_resident),
                took * 1e3);
        }
    }
    const auto stats = bed.table->stats();
    std::printf(
        "memory%s  %.1f B/pair with directory, %llu pairs, %zu events, Zipf(1), one year; "
        "%.1f ns/event\n",
        weights ? " (weights)" : "",
        static_cast<double>(stats.bytes) / static_cast<double>(stats.pairs_resident),
        static_cast<unsigned long long>(stats.pairs_resident), kEvents, busy * 1e9 / kEvents);
}

}  // namespace
}  // namespace tidal::signal

int main(int argc, char** argv) {
    bool speed = false, memory = false, weights = false;
    int rounds = 5;
    std::size_t events = 4'000'000;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "speed")
            speed = true;
        else if (argument == "memory")
            memory = true;
        else if (argument == "--weights")
            weights = true;
        else if (argument.starts_with("--rounds="))
            rounds = std::max(1, std::stoi(argument.substr(9)));
        else if (argument.starts_with("--events="))
            events = std::stoul(argument.substr(9));
        else {
            std::fprintf(stderr,
                         "usage: signal_ledger_bench [speed] [memory] [--rounds=N] [--events=N] "
                         "[--weights]\n");
            return 2;
        }
    }
    if (!speed && !memory) speed = memory = true;
    if (speed) {
        tidal::signal::run_speed("dense", 1'000, rounds, events);
        tidal::signal::run_speed("sparse", 1.0e6 / 600'000, rounds, events);
    }
    if (memory) tidal::signal::run_memory(weights);
    return 0;
}
