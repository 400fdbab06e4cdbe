// tests/history/key_check.h: one key against its model; check.h makes what it finds small.
#pragma once

#include <cstdint>
#include <string>

#include "tests/history/check.h"

namespace tidal::history {

struct KeyFinding {
    Answer answer = Answer::kLinearizable;
    std::string reason;
    /// kViolation: what starts later has no part in it. kNeverNs: anything may have.
    std::int64_t until_ns = kNeverNs;
};

/// A register: reads see the newest write; a compare-and-set knows values by their versions.
KeyFinding check_register(const History& operations, std::uint64_t configurations_max);

/// A counter. Exact and fast: adds are equal, so an order that takes them as late as it can, and of
/// those that may come next the one that must end first, is as good as any.
KeyFinding check_counter(const History& operations);

}  // namespace tidal::history
