// tests/history/check.h: does a history look as if each key were one thing on one machine?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/operation.h"

namespace tidal::history {

enum class Answer : std::uint8_t {
    kLinearizable,
    kViolation,
    kUndecided,  ///< Too many orders: nobody knows.
};

/// What was found in the operations of one key.
struct KeyVerdict {
    Answer answer = Answer::kLinearizable;
    std::string reason;  ///< Of a violation, or of not knowing. One line.
    /// Of a violation: operations of the key, by their start, that no order explains. Few: what
    /// they say without need was left out while none explained the rest.
    History operations;
    /// Of a violation of a counter: further adds that may have counted as far as it matters.
    std::uint64_t unknown_adds = 0;
};

struct CheckOptions {
    /// Bounds the time: one key is undecided after looking at so many (state, set) pairs.
    std::uint64_t configurations_max = 5'000'000;
};

/// A key's operations, all register or all counter, in any order.
KeyVerdict check_key(const History& operations, const CheckOptions& options = {});

struct HistoryVerdict {
    Answer answer = Answer::kLinearizable;  ///< kViolation before kUndecided.
    std::uint64_t operations = 0;
    std::uint64_t keys = 0;
    std::vector<std::pair<std::string, KeyVerdict>> findings;  ///< Other than linearizable, by key.
};

/// Keys are independent, so a history is linearizable if each key's part is (Herlihy & Wing 1990).
HistoryVerdict check_history(const History& history, const CheckOptions& options = {});

/// For people: the verdict, and each finding with its operations and their times.
std::string to_text(const HistoryVerdict& verdict);

}  // namespace tidal::history
