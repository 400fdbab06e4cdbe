#include "signal/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

namespace tidal::signal {

namespace {

constexpr unsigned kRankBits = 64 - kSketchBits;  // Ranks are 1..kRankBits + 1.

struct SketchHead {
    std::uint32_t count;  ///< Entries of a sparse one.
    std::uint32_t dense;
};

std::span<std::uint32_t> entries(std::byte* block) {
    return {reinterpret_cast<std::uint32_t*>(block + sizeof(SketchHead)),
            reinterpret_cast<SketchHead*>(block)->count};
}

std::uint8_t get_rank(const std::byte* block, std::size_t index) {
    std::uint16_t word;
    std::memcpy(&word, block + sizeof(SketchHead) + index * 6 / 8, 2);
    return static_cast<std::uint8_t>(word >> (index * 6 % 8) & 63);
}

void set_rank(std::byte* block, std::size_t index, std::uint8_t rank) {
    std::byte* at = block + sizeof(SketchHead) + index * 6 / 8;
    std::uint16_t word;
    std::memcpy(&word, at, 2);
    const unsigned shift = index * 6 % 8;
    word =
        static_cast<std::uint16_t>((word & ~(63U << shift)) | static_cast<unsigned>(rank) << shift);
    std::memcpy(at, &word, 2);
}

AddOutcome add_sparse(std::byte* block, std::size_t capacity, std::uint32_t index,
                      std::uint8_t rank) {
    auto kept = entries(block);
    std::uint32_t* const end = kept.data() + kept.size();
    std::uint32_t* const at = std::lower_bound(kept.data(), end, index << 8);
    if (at != end && *at >> 8 == index) {
        if ((*at & 0xff) >= rank) return AddOutcome::kUnchanged;
        *at = index << 8 | rank;
        return AddOutcome::kChanged;
    }
    if (sizeof(SketchHead) + (kept.size() + 1) * sizeof(std::uint32_t) > capacity)
        return AddOutcome::kFull;
    std::memmove(at + 1, at, static_cast<std::size_t>(end - at) * sizeof(std::uint32_t));
    *at = index << 8 | rank;
    ++reinterpret_cast<SketchHead*>(block)->count;
    return AddOutcome::kChanged;
}

double sigma(double x) {
    if (x == 1) return std::numeric_limits<double>::infinity();
    double y = 1, z = x, before = 0;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

double tau(double x) {
    if (x == 0 || x == 1) return 0;
    double y = 1, z = 1 - x, before = 0;
    do {
        x = std::sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

}  // namespace

void start_sketch(std::byte* block) {
    const SketchHead empty{0, 0};
    std::memcpy(block, &empty, sizeof(empty));
}

AddOutcome add_to_sketch(std::byte* block, std::size_t capacity, std::uint64_t hash) {
    const auto index = static_cast<std::uint32_t>(hash >> kRankBits);
    const auto rank = static_cast<std::uint8_t>(
        std::min<unsigned>(static_cast<unsigned>(std::countl_zero(hash << kSketchBits)),
                           kRankBits) +
        1);
    if (reinterpret_cast<SketchHead*>(block)->dense == 0)
        return add_sparse(block, capacity, index, rank);
    if (get_rank(block, index) >= rank) return AddOutcome::kUnchanged;
    set_rank(block, index, rank);
    return AddOutcome::kChanged;
}

std::size_t next_sketch_bytes(std::size_t capacity) {
    return capacity < 1024 ? capacity * 2 : kDenseBytes;
}

void copy_sketch(const std::byte* from, std::byte* to, std::size_t capacity) {
    const auto* head = reinterpret_cast<const SketchHead*>(from);
    if (capacity < kDenseBytes) {
        std::memcpy(to, from, sizeof(SketchHead) + head->count * sizeof(std::uint32_t));
        return;
    }
    Registers registers{};
    merge_sketch(from, &registers);
    std::memset(to, 0, kDenseBytes);
    reinterpret_cast<SketchHead*>(to)->dense = 1;
    for (std::size_t i = 0; i < kRegisters; ++i) set_rank(to, i, registers[i]);
}

void merge_sketch(const std::byte* block, Registers* registers) {
    const auto* head = reinterpret_cast<const SketchHead*>(block);
    if (head->dense == 0) {
        const auto* entry = reinterpret_cast<const std::uint32_t*>(block + sizeof(SketchHead));
        for (std::uint32_t i = 0; i < head->count; ++i) {
            auto& rank = (*registers)[entry[i] >> 8 & (kRegisters - 1)];
            rank = std::max(rank, static_cast<std::uint8_t>(entry[i] & 0xff));
        }
        return;
    }
    for (std::size_t i = 0; i < kRegisters; ++i)
        (*registers)[i] = std::max((*registers)[i], get_rank(block, i));
}

double estimate_users(const Registers& registers) {
    constexpr double m = kRegisters;
    std::array<int, 64> with_rank{};
    for (const auto rank : registers) ++with_rank[rank];
    double z = m * tau(1 - with_rank[kRankBits + 1] / m);
    for (unsigned k = kRankBits; k >= 1; --k) z = 0.5 * (z + with_rank[k]);
    z += m * sigma(with_rank[0] / m);
    return 0.72134752044448170368 * m * m / z;  // 1 / (2 ln 2)
}

}  // namespace tidal::signal
