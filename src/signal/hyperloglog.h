// signal/hyperloglog.h: a HyperLogLog of 4096 registers (p = 12) in a block.
//
// Source    registers: Flajolet, Fusy, Gandouet, Meunier 2007. Estimator: Ertl, "New cardinality
//           estimation algorithms for HyperLogLog sketches", 2017, algorithm 6: unbiased over the
//           whole range, no switch to linear counting. Standard error 1.04 / sqrt(4096) = 1.6 %.
// Forms     sparse: (register << 8 | rank), sorted, in blocks that double; dense: 6 bits a
// register.
//           The form is layout, not content: a sketch is a function of the set of hashes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tidal::signal {

inline constexpr unsigned kSketchBits = 12;
inline constexpr std::size_t kRegisters = std::size_t{1} << kSketchBits;
inline constexpr std::size_t kDenseBytes = 8 + kRegisters * 6 / 8 + 1;

/// Ranks by register, 0 = no user; 0..53.
using Registers = std::array<std::uint8_t, kRegisters>;

/// An empty sparse sketch in `capacity` bytes (at least 16).
void start_sketch(std::byte* block);
enum class AddOutcome { kUnchanged, kChanged, kFull };
/// kFull: the block has no room; nothing changed. Copy into the next larger one and add again.
AddOutcome add_to_sketch(std::byte* block, std::size_t capacity, std::uint64_t hash);
/// The block size to go to when one of `capacity` is full.
std::size_t next_sketch_bytes(std::size_t capacity);
/// Moves a sketch into a larger block, changing form where `capacity` is that of a dense one.
void copy_sketch(const std::byte* from, std::byte* to, std::size_t capacity);
/// Registers become the greater of themselves and the sketch's: the union of the sets.
void merge_sketch(const std::byte* block, Registers* registers);

double estimate_users(const Registers& registers);

}  // namespace tidal::signal
