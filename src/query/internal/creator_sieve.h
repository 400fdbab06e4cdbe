// query/internal/creator_sieve.h: tells most creators that a user has nothing to do with by one
// look.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "query/viewer.h"

namespace tidal::query {

/// Bits by a hash of numbered ids, some for each creator that a user follows or has an affinity to,
/// so that of sixteen others at most one is looked for in a table. Threads: immutable.
class CreatorSieve {
public:
    /// @param user  nullptr = nobody.
    explicit CreatorSieve(const Viewer* user) : bits_(1) {
        const std::uint64_t members =
            user == nullptr ? 0 : user->followed.size() + user->affinities.size();
        if (members == 0) return;
        const std::uint64_t bits = std::bit_ceil(members) * kBitsOfMember;
        bits_.resize(bits / 64 + 1);
        shift_ = 64 - std::countr_zero(bits);
        for (const EntityId& creator : user->followed) add(creator);
        for (const auto& [creator, weight] : user->affinities) add(creator);
    }

    /// False = the user neither follows it nor has an affinity to it.
    bool may_hold(const EntityId& creator) const {
        if (creator.is_text()) return true;
        const std::uint64_t at = place_of(creator);
        return (bits_[at / 64] >> (at % 64) & 1) != 0;
    }

private:
    static constexpr std::uint64_t kBitsOfMember = 16;

    /// Fibonacci hashing (Knuth, vol. 3, 6.4): ids may follow each other, or be multiples.
    std::uint64_t place_of(const EntityId& creator) const {
        return shift_ == 64 ? 0 : creator.number() * 0x9E3779B97F4A7C15 >> shift_;
    }
    void add(const EntityId& creator) {
        if (creator.is_text()) return;
        const std::uint64_t at = place_of(creator);
        bits_[at / 64] |= std::uint64_t{1} << (at % 64);
    }

    int shift_ = 64;
    std::vector<std::uint64_t> bits_;
};

}  // namespace tidal::query
