// tests/history/register_search.h: is there an order of a register's operations that explains them?
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tests/history/operation.h"

namespace tidal::history {

/// What a register holds: a number for each value ever written.
using RegisterState = std::uint32_t;
inline constexpr RegisterState kAbsent = 0;
/// Some value nobody ever saw.
inline constexpr RegisterState kUnseen = ~RegisterState{0};

enum class StepKind : std::uint8_t {
    kRead,     ///< Legal in `needs`.
    kWrite,    ///< Legal always; the state becomes `becomes`.
    kSwap,     ///< Legal in `needs`; the state becomes `becomes`.
    kNotSwap,  ///< Legal in all states but `needs`.
};

/// An operation whose values have become states. Each state but kAbsent and kUnseen is `becomes` of
/// exactly one step.
struct Step {
    StepKind kind = StepKind::kRead;
    RegisterState needs = kAbsent;
    RegisterState becomes = kAbsent;
    std::int64_t start_ns = 0;
    /// It must be in the order before what starts later. kNeverNs: it may also be in no order; such
    /// a step is a kWrite or kSwap to kUnseen.
    std::int64_t end_ns = kNeverNs;
};

struct SearchResult {
    enum class Answer : std::uint8_t { kLinearizable, kViolation, kUndecided };
    Answer answer = Answer::kLinearizable;
    /// kViolation: steps that ended up to and with this one have no order; without it they have
    /// one.
    std::size_t at = 0;
    /// kViolation: what the register may have held when `at` ended, without it.
    std::vector<RegisterState> states;
};

/// Source    Wing & Gong 1993 (search over orders), with the memory of what was tried of Lowe 2017,
///           "Testing for linearizability", in its just-in-time form: going through starts and ends
///           by time, it keeps every pair of a state and a set of steps already in the order; a
///           step enters the order only when one that ends needs it.
/// Cost      2^(steps under way at once) at worst; where reads decide the order, linear.
/// @param  configurations_max  Pairs looked at before it says kUndecided.
SearchResult search_register(std::span<const Step> steps, std::uint64_t configurations_max);

}  // namespace tidal::history
