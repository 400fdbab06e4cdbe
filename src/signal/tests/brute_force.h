// The formulas of semantics.md §2 over a plain list of events, written without the code under test:
// calendar arithmetic by std::chrono, powers by <cmath>.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "signal/ledger_table.h"

namespace tidal::signal {

using Millis = std::chrono::milliseconds;

inline std::int64_t brute_minute(UnixMillis at) {
    return std::chrono::floor<std::chrono::minutes>(Millis(at)).count();
}
inline std::int64_t brute_hour(UnixMillis at) {
    return std::chrono::floor<std::chrono::hours>(Millis(at)).count();
}
inline std::int64_t brute_day(UnixMillis at) {
    return std::chrono::floor<std::chrono::days>(Millis(at)).count();
}
/// Days since the epoch of the Monday on or before.
inline std::int64_t brute_monday(UnixMillis at) {
    const std::chrono::sys_days day{std::chrono::days(brute_day(at))};
    const std::chrono::weekday weekday(day);
    return (day - (weekday - std::chrono::Monday)).time_since_epoch().count();
}

inline bool brute_in_window(schema::Window window, UnixMillis at, UnixMillis now) {
    const auto within = [](std::int64_t cell, std::int64_t current, std::int64_t full) {
        return cell <= current && cell >= current - full;
    };
    switch (window) {
        case schema::Window::k1h:
            return within(brute_minute(at), brute_minute(now), 60);
        case schema::Window::k24h:
            return within(brute_hour(at), brute_hour(now), 24);
        case schema::Window::k7d:
            return within(brute_hour(at), brute_hour(now), 168);
        case schema::Window::k30d:
            return within(brute_day(at), brute_day(now), 30);
        case schema::Window::k365d:
            return within(brute_monday(at), brute_monday(now), 52 * 7);
        case schema::Window::kAll:
            return true;
    }
    return false;
}

inline WindowValue brute_window(const std::vector<LedgerEvent>& events, schema::Window window,
                                UnixMillis now) {
    WindowValue value;
    for (const auto& event : events) {
        if (!brute_in_window(window, event.at_ms, now)) continue;
        value.count += event.count;
        value.sum += event.weight;
    }
    return value;
}

/// Whether a cell of the window's own tier that is still to leave it holds less than 0.
inline bool brute_cell_below_0(const std::vector<LedgerEvent>& events, schema::Window window,
                               UnixMillis now) {
    std::map<std::int64_t, record::FixedWeight> cells;
    for (const auto& event : events) {
        if (event.at_ms < now && !brute_in_window(window, event.at_ms, now)) continue;
        const std::int64_t cell = window == schema::Window::k1h     ? brute_minute(event.at_ms)
                                  : window == schema::Window::k24h  ? brute_hour(event.at_ms)
                                  : window == schema::Window::k7d   ? brute_hour(event.at_ms)
                                  : window == schema::Window::k30d  ? brute_day(event.at_ms)
                                  : window == schema::Window::k365d ? brute_monday(event.at_ms)
                                                                    : 0;
        cells[cell] += event.weight;
    }
    return std::ranges::any_of(cells, [](const auto& cell) { return cell.second < 0; });
}

struct BruteDecayed {
    double value = 0;
    double scale = 0;  ///< Sum of absolute terms: what a relative error is relative to.
};
inline BruteDecayed brute_decayed(const schema::SignalSpec& spec,
                                  const std::vector<LedgerEvent>& events, UnixMillis now) {
    BruteDecayed out;
    const auto life = static_cast<double>(spec.half_life_ms);
    for (const auto& event : events) {
        const double weight = static_cast<double>(event.weight) / 1048576.0;
        double factor = 1;
        if (spec.decay == schema::DecayKind::kExponential) {
            factor = std::exp2(-static_cast<double>(now - event.at_ms) / life);
        } else if (spec.decay == schema::DecayKind::kLinear) {
            const auto width = std::max<std::int64_t>(1000, (spec.half_life_ms + 63) / 64);
            const auto start =
                static_cast<std::int64_t>(std::floor(static_cast<long double>(event.at_ms) /
                                                     static_cast<long double>(width))) *
                width;
            factor = std::clamp(1.0 - static_cast<double>(now - start) / life, 0.0, 1.0);
        }
        out.value += weight * factor;
        out.scale += std::abs(weight * factor);
    }
    return out;
}

/// Distinct users of (user, at) pairs in the current slice of a ninth and the 8 before it.
inline std::size_t brute_unique(const std::vector<std::pair<std::uint64_t, UnixMillis>>& seen,
                                UnixMillis window_ms, UnixMillis now) {
    const auto slice = [&](UnixMillis at) {
        return static_cast<std::int64_t>(
            std::floor(static_cast<long double>(at) / static_cast<long double>(window_ms / 8)));
    };
    std::set<std::uint64_t> users;
    for (const auto& [user, at] : seen)
        if (slice(at) <= slice(now) && slice(at) >= slice(now) - 8) users.insert(user);
    return users.size();
}

}  // namespace tidal::signal
