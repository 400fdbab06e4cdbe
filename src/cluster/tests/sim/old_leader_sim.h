// A leader that is cut off writes what nobody else has, comes back to a snapshot that takes the
// place of it, and dies right after the switch: what chance does too seldom to rely on.
#pragma once

#include <cstdint>
#include <string>

namespace tidal::cluster {

/// What went wrong; empty = nothing.
std::string simulate_old_leader(std::uint64_t seed);

}  // namespace tidal::cluster
