// text/internal/posting_kernels.h: what is done to many postings at once, in the widest registers
// of the machine, chosen at run time. Every machine gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "text/bm25.h"

namespace tidal::text::kernels {

/// One of some slots that were looked for, and is there.
struct Met {
    std::uint8_t which = 0, place = 0;  ///< Of the slots; in the block.
};

/// Which of some slots are in a block of at most 128, and where.
/// @param distances  u16 [count] at any address, rising: of the block's slots from `first`.
/// @param slots      Rising, each from the first to the last of the block; at most 128.
/// @param met        Room for slots.size() of them. @return  How many are there.
std::size_t find(const char* distances, std::uint32_t count, std::uint32_t first,
                 std::span<const std::uint32_t> slots, Met* met);

/// Bm25::score() of postings.
/// @param frequencies, lengths  u8 [size]; up to 7 bytes behind them are read, too.
/// @param out                   Room for `size` rounded up to a multiple of 8.
void score(const Bm25& scoring, const char* frequencies, const char* lengths, std::size_t size,
           double* out);

/// Which postings pass any of some steps, one bit each: their frequency is no less than the step's,
/// and the length no more. @param frequencies, lengths  u8 [size]; whatever is up to the next
/// multiple of 64 is read, too, and has bits of no meaning. @param bits  One for each 64 postings.
struct Steps {
    const std::uint8_t* frequencies_min;
    const std::uint8_t* lengths_max;
    std::size_t size;
};
void passing(const char* frequencies, const char* lengths, std::size_t size, const Steps& steps,
             std::uint64_t* bits);

/// Which sums are there and not below `least`, one bit each. What is no sum is -0.0.
/// @param sums   A multiple of 64 of them, none below 0.
/// @param least  0 or more. @param bits  One for each 64 sums.
void at_least(std::span<const double> sums, double least, std::uint64_t* bits);

}  // namespace tidal::text::kernels
