#include "api/internal/distinct_users.h"

#include <cmath>
#include <string>

#include "base/hash.h"
#include "signal/hyperloglog.h"

namespace tidal::api {

/// Dense from the beginning: so many users fill a sparse one.
void DistinctUsers::sketch() {
    std::vector<std::byte> empty(16);
    signal::start_sketch(empty.data());
    sketch_.resize(signal::kDenseBytes);
    signal::copy_sketch(empty.data(), sketch_.data(), sketch_.size());
    for (const std::uint64_t hash : hashes_)
        signal::add_to_sketch(sketch_.data(), sketch_.size(), hash);
    hashes_ = {};
}

void DistinctUsers::add(const EntityId& user) {
    const std::uint64_t hash = hash64((user.is_text() ? "t" : "n") + user.to_string());
    if (!sketch_.empty()) {
        signal::add_to_sketch(sketch_.data(), sketch_.size(), hash);
        return;
    }
    hashes_.insert(hash);
    if (hashes_.size() > kExactMax) sketch();
}

std::uint64_t DistinctUsers::count() const {
    if (sketch_.empty()) return hashes_.size();
    signal::Registers registers{};
    signal::merge_sketch(sketch_.data(), &registers);
    return static_cast<std::uint64_t>(std::llround(signal::estimate_users(registers)));
}

}  // namespace tidal::api
