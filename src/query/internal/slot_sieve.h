// query/internal/slot_sieve.h: tells most slots that are in none of some sets by one look.
#pragma once

#include <bit>
#include <cstdint>
#include <roaring/roaring.hh>
#include <span>
#include <vector>

#include "query/slot_blocks.h"

namespace tidal::query {

/// Bits by the last binary digits of slots. What a user has seen, liked and hidden is little of
/// what there is, so that of sixteen slots that are in none of it at most one looks as if it were.
/// Where the sets are large every slot may be in them. Lifetime: a copy, of what the sets are when
/// it is made.
class SlotSieve {
public:
    explicit SlotSieve(std::span<const Roaring* const> sets) : bits_(1) {
        std::uint64_t members = 0;
        for (const Roaring* const set : sets) members += set->cardinality();
        if (members == 0) return;
        if (members > kMembersMax) {
            bits_[0] = ~std::uint64_t{0};
            return;
        }
        bits_.resize(std::bit_ceil(members) * kBitsOfMember / 64 + 1);
        mask_ = static_cast<std::uint32_t>(std::bit_ceil(members) * kBitsOfMember - 1);
        for (const Roaring* const set : sets) add(*set);
    }

    /// False = it is in none of them.
    bool may_hold(std::uint32_t slot) const {
        const std::uint32_t at = slot & mask_;
        return (bits_[at / 64] >> (at % 64) & 1) != 0;
    }

private:
    static constexpr std::uint64_t kMembersMax = 4'096, kBitsOfMember = 16;

    void add(const Roaring& set) {
        SlotBlocks blocks(set);
        for (auto block = blocks.next(); !block.empty(); block = blocks.next())
            for (const std::uint32_t slot : block) {
                const std::uint32_t at = slot & mask_;
                bits_[at / 64] |= std::uint64_t{1} << (at % 64);
            }
    }

    std::uint32_t mask_ = 0;
    std::vector<std::uint64_t> bits_;
};

}  // namespace tidal::query
