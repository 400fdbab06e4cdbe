// Random histories of events, made to hit cell borders, late arrivals, long silences and undos.
#pragma once

#include <random>
#include <vector>

#include "signal/ledger_table.h"

namespace tidal::signal {

inline constexpr std::int64_t kSecond = 1'000, kMinute = 60 * kSecond, kHour = 60 * kMinute,
                              kDay = 24 * kHour, kWeek = 7 * kDay, kYear = 365 * kDay;

class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}
    /// 0 .. below - 1.
    std::uint64_t pick(std::uint64_t below) { return engine_() % below; }
    bool one_in(std::uint64_t n) { return pick(n) == 0; }
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(pick(static_cast<std::uint64_t>(high - low) + 1));
    }
    std::mt19937_64& engine() { return engine_; }

private:
    std::mt19937_64 engine_;
};

/// Exponential with a half-life of a second to a month, linear, permanent; in random order.
inline schema::Schema random_schema(Dice& dice, std::size_t signals) {
    constexpr std::int64_t kLives[] = {kSecond,  7 * kSecond + 3, kMinute, 13 * kMinute + 7,
                                       kHour,    6 * kHour,       kDay,    7 * kDay,
                                       30 * kDay};
    schema::Schema schema;
    for (std::size_t i = 0; i < signals; ++i) {
        schema::SignalSpec spec;
        spec.id = SignalTypeId(static_cast<std::uint16_t>(i));
        spec.name = "signal" + std::to_string(i);
        const auto kind = dice.pick(5);
        spec.decay = kind == 0   ? schema::DecayKind::kLinear
                     : kind == 1 ? schema::DecayKind::kPermanent
                                 : schema::DecayKind::kExponential;
        if (kind != 1) spec.half_life_ms = kLives[dice.pick(std::size(kLives))];
        schema.signals.push_back(spec);
    }
    return schema;
}

struct History {
    std::vector<LedgerEvent> events;
    std::vector<UnixMillis> stamps;  ///< Commit time of each: rising, at >= `at` - 60 s.
    UnixMillis end = 0;
};

struct HistoryShape {
    std::size_t events = 60;
    std::uint32_t slots = 3;
    std::uint16_t signals = 3;
};

inline History random_history(Dice& dice, const HistoryShape& shape) {
    constexpr std::int64_t kSteps[] = {1,        kSecond,   20 * kSecond, kMinute, 10 * kMinute,
                                       kHour,    5 * kHour, kDay,         kWeek,   60 * kDay,
                                       2 * kYear};
    constexpr std::int64_t kBorders[] = {kMinute, kHour, kDay, kWeek};
    constexpr UnixMillis kStarts[] = {1'700'000'000'000,   0,       -3 * kDay, -900'000'000'000,
                                      -62'167'219'200'000, 4 * kDay};
    History history;
    UnixMillis clock = kStarts[dice.pick(std::size(kStarts))] + dice.between(-kDay, kDay);
    const bool unit = dice.one_in(2);
    const std::int64_t pace = kSteps[dice.pick(std::size(kSteps))];
    for (std::size_t i = 0; i < shape.events; ++i) {
        clock += dice.between(0, dice.one_in(6) ? kSteps[dice.pick(std::size(kSteps))] : pace);
        LedgerEvent event;
        event.slot = Slot(static_cast<std::uint32_t>(dice.pick(shape.slots)));
        event.signal = SignalTypeId(static_cast<std::uint16_t>(dice.pick(shape.signals)));
        event.at_ms = clock;
        const auto kind = dice.pick(10);
        if (kind == 0) event.at_ms += dice.between(0, 60 * kSecond);
        if (kind <= 3 && kind > 0)
            event.at_ms -= dice.between(0, kSteps[dice.pick(std::size(kSteps))]);
        if (kind == 4) {
            const auto border = kBorders[dice.pick(std::size(kBorders))];
            event.at_ms -= ((event.at_ms % border) + border) % border;
            event.at_ms -= dice.between(0, 1);
        }
        event.weight = record::kWeightOne;
        if (!unit && dice.one_in(2)) event.weight = dice.between(-(1LL << 40), 1LL << 40);
        if (!unit && dice.one_in(8)) event.weight = 0;
        if (!history.events.empty() &&
            dice.one_in(8)) {  // Undo one not yet undone, or one that is.
            event = history.events[dice.pick(history.events.size())];
            event.weight = -event.weight;
            event.count = -event.count;
        }
        clock = std::max(clock, event.at_ms - 60 * kSecond);
        history.events.push_back(event);
        history.stamps.push_back(clock);
    }
    history.end = clock;
    return history;
}

}  // namespace tidal::signal
