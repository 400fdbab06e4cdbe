// tests/history/tests/random_history.h: small histories, some right and some not.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/history/operation.h"

namespace tidal::history {

/// A register or counter asked by a few clients at overlapping times. Each operation takes effect
/// at a moment of its own between start and end (or later, or never, where nobody was answered);
/// then, where `damage` says so, one answer is changed.
class RandomHistory {
public:
    explicit RandomHistory(std::uint64_t seed) : random_(seed) {}

    History registers(std::size_t size, bool damage) {
        History out = times(size);
        std::vector<std::optional<std::string>> given{std::nullopt};
        std::optional<std::string> value;
        for (const std::size_t i : order_of_effect(out)) {
            Operation& one = out[i];
            one.key = "r";
            one.kind = std::vector{Kind::kWrite, Kind::kRead, Kind::kCompareAndSet}[below(3)];
            if (one.kind == Kind::kRead) {
                one.value = value;
                if (one.outcome == Outcome::kOk) given.push_back(value);
            } else {
                one.value = "w" + std::to_string(i);
                bool done = one.kind == Kind::kWrite;
                if (one.kind == Kind::kCompareAndSet) {
                    const auto& guess = below(2) == 0 ? given.back() : given[below(given.size())];
                    one.expected = version(guess.value_or("none"));
                    done = guess && guess == value;
                    if (!done && one.outcome == Outcome::kOk) one.outcome = Outcome::kMismatch;
                }
                if (lost_[i] || one.outcome == Outcome::kRefused) done = false;
                if (done) value = one.value;
                if (done && one.outcome == Outcome::kOk) given.push_back(value);
            }
            const bool told = one.outcome == Outcome::kOk && one.value;
            if (told) one.version = version(*one.value);
        }
        if (damage) damage_register(&out);
        return out;
    }

    History counters(std::size_t size, bool damage) {
        History out = times(size);
        std::uint64_t total = 0;
        for (const std::size_t i : order_of_effect(out)) {
            Operation& one = out[i];
            one.key = "c";
            one.kind = below(2) == 0 ? Kind::kAdd : Kind::kTotal;
            if (one.kind == Kind::kTotal) one.total = total;
            if (one.kind == Kind::kAdd && one.outcome != Outcome::kRefused && !lost_[i]) ++total;
        }
        if (!damage) return out;
        for (Operation& one : out)
            if (one.kind == Kind::kTotal && below(2) == 0)
                return one.total += below(2) == 0 && one.total > 0 ? std::uint64_t(-1) : 1, out;
        return out;
    }

private:
    std::size_t below(std::size_t bound) { return random_() % bound; }
    static std::string version(const std::string& value) { return "v-" + value; }

    History times(std::size_t size) {
        History out(size);
        lost_.assign(size, false);
        effect_.assign(size, 0);
        for (std::size_t i = 0; i < size; ++i) {
            Operation& one = out[i];
            one.client = static_cast<std::uint32_t>(i);
            one.start_ns = static_cast<std::int64_t>(below(2 * size));
            one.end_ns = one.start_ns + static_cast<std::int64_t>(below(size));
            effect_[i] =
                one.start_ns + static_cast<std::int64_t>(
                                   below(static_cast<std::size_t>(one.end_ns - one.start_ns) + 1));
            one.outcome = Outcome::kOk;
            const std::size_t fate = below(8);
            if (fate == 0) one.outcome = Outcome::kRefused;
            if (fate > 2) continue;
            if (fate == 0) continue;
            one.outcome = Outcome::kUnknown;
            one.end_ns = kNeverNs;
            lost_[i] = below(2) == 0;
            effect_[i] = one.start_ns + static_cast<std::int64_t>(below(2 * size));
        }
        return out;
    }

    std::vector<std::size_t> order_of_effect(const History& history) {
        std::vector<std::size_t> out(history.size());
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = i;
        std::shuffle(out.begin(), out.end(), random_);
        std::stable_sort(out.begin(), out.end(),
                         [&](std::size_t a, std::size_t b) { return effect_[a] < effect_[b]; });
        return out;
    }

    void damage_register(History* history) {
        Operation& one = (*history)[below(history->size())];
        const Operation& other = (*history)[below(history->size())];
        if (one.kind == Kind::kRead && one.outcome == Outcome::kOk) {
            one.value = changes(other.kind) ? other.value : std::nullopt;
            one.version = one.value ? version(*one.value) : "";
        } else if (one.kind == Kind::kCompareAndSet && one.outcome != Outcome::kUnknown) {
            const bool was_ok = one.outcome == Outcome::kOk;
            one.outcome = was_ok ? Outcome::kMismatch : Outcome::kOk;
            one.version = was_ok ? "" : version(*one.value);
        } else if (one.outcome == Outcome::kUnknown) {
            one.outcome = Outcome::kOk;
            one.end_ns = one.start_ns + 1;
            if (one.value) one.version = version(*one.value);
        }
    }

    std::mt19937_64 random_;
    std::vector<bool> lost_;
    std::vector<std::int64_t> effect_;
};

}  // namespace tidal::history
