// api/internal/distinct_users.h: how many users there are among many, in bounded memory.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace tidal::api {

/// Exact to kExactMax users (some 200 KiB), then a HyperLogLog of 3 KiB. What it says is a function
/// of the set of users alone.
class DistinctUsers {
public:
    static constexpr std::size_t kExactMax = 10'000;

    void add(const EntityId& user);
    std::uint64_t count() const;

private:
    void sketch();

    absl::flat_hash_set<std::uint64_t> hashes_;  ///< Empty once there is a sketch.
    std::vector<std::byte> sketch_;
};

}  // namespace tidal::api
