// tests/history/main/workload.h: random operations on running nodes, and what they were answered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::history {

struct WorkloadOptions {
    std::vector<std::string> nodes;  ///< "http://127.0.0.1:9500"
    double seconds = 10;
    std::uint64_t seed = 1;            ///< Also chooses the items: one seed, once per database.
    std::uint32_t keys = 10;           ///< So many registers and as many counters, at most 5,000.
    std::uint32_t clients = 8;         ///< At most 200, each with one operation at a time.
    double rate = 200;                 ///< Operations per second of all clients, at most.
    std::uint32_t timeout_ms = 2'000;  ///< Of one request.
    std::uint32_t settle_s = 60;       ///< For every node to answer, before and after.
    bool strong_parameter = false;     ///< Reads say read_consistency=strong.
    std::string change_parameters;     ///< Of writes and signals: "w=majority", or empty.
    std::string out;                   ///< A history file.
};

/// Waits until every node answers, makes the counters' items, lets the clients work, waits again
/// and reads every key once more from every node. Prints what it did.
///
/// Writes and signals mostly carry an idempotency key. Those are sent again to any node until they
/// are acknowledged, and at times once more after that; each is one operation of the history.
///
/// @return kUnavailable when a node does not answer in time, kConflict when a repeat of a key was
///         answered otherwise than the first time; the file is written all the same.
Result<void> run_workload(const WorkloadOptions& options);

}  // namespace tidal::history
