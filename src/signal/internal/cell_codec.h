// signal/internal/cell_codec.h: the cells of one pair as bytes. Format: docs/formats/ledger.md.
//
// Newest first, so that a finished minute goes in front without touching the rest. One cell:
//
//     token            low 4 bits: distance to the cell before it in cells of its tier, 0..13, or
//                      14: a varint with the rest follows; high 4 bits: count 1..15, or 0: a signed
//                      varint with the count follows
//     [varint] [svarint]
//     [svarint]        (sum - count * 1.0) >> shift, unless all weights of the pair are 1
//
// The first distance counts from the head. A token with 15 in the low bits carries a tier in the
// high bits: the cells after it are of that tier, and the distance counts from the cell of that
// tier that holds the one before. Tier 4 = buckets of linear decay, whose distance counts from the
// head's.
#pragma once

#include <cstdint>

#include "record/record.h"
#include "signal/internal/time_cells.h"

namespace tidal::signal {

/// Additions that wrap instead of overflowing: taking events back still restores a sum exactly.
constexpr std::int64_t wrap_add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
constexpr std::int64_t wrap_sub(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
/// The sum of `count` events of weight 1.
constexpr record::FixedWeight unit_sum(std::int64_t count) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(count) << 20);
}

/// kGone marks a bucket of linear decay.
struct Cell {
    CellPlace place{Tier::kMinute, 0};
    std::int64_t count = 0;
    record::FixedWeight sum = 0;
    bool empty() const { return count == 0 && sum == 0; }
    bool operator==(const Cell&) const = default;
};

/// Whether cells carry sums at all, and how many low bits, zero in all of them, are left out.
struct CellSums {
    bool kept = false;
    unsigned shift = 0;
    /// Whether a cell's sum can be written so.
    bool hold(std::int64_t count, record::FixedWeight sum) const {
        const std::int64_t excess = wrap_sub(sum, unit_sum(count));
        return kept ? (excess & ((std::int64_t{1} << shift) - 1)) == 0 : excess == 0;
    }
};

/// More than any two times are apart, in any cells: what damaged bytes say.
inline constexpr std::uint64_t kDistanceMax = std::uint64_t{1} << 50;

inline constexpr std::size_t kCellBytesMax = 32;  ///< Switch, token and three varints of 10.

inline std::uint8_t* put_varint(std::uint8_t* out, std::uint64_t v) {
    while (v >= 0x80) {
        *out++ = static_cast<std::uint8_t>(v | 0x80);
        v >>= 7;
    }
    *out++ = static_cast<std::uint8_t>(v);
    return out;
}
inline std::uint64_t zigzag(std::int64_t v) {
    return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
inline std::int64_t unzigzag(std::uint64_t v) {
    return static_cast<std::int64_t>((v >> 1) ^ (~(v & 1) + 1));
}

/// Writes one cell without a tier switch. At most kCellBytesMax - 1 bytes.
inline std::uint8_t* put_cell(std::uint8_t* out, std::uint64_t distance, std::int64_t count,
                              record::FixedWeight sum, CellSums sums) {
    const bool short_distance = distance < 14;
    const bool short_count = count >= 1 && count <= 15;
    *out++ = static_cast<std::uint8_t>((short_distance ? distance : 14) |
                                       (short_count ? static_cast<std::uint64_t>(count) << 4 : 0));
    if (!short_distance) out = put_varint(out, distance - 14);
    if (!short_count) out = put_varint(out, zigzag(count));
    if (sums.kept) out = put_varint(out, zigzag(wrap_sub(sum, unit_sum(count)) >> sums.shift));
    return out;
}
inline std::uint8_t* put_tier(std::uint8_t* out, Tier tier) {
    *out++ = static_cast<std::uint8_t>(15 | (static_cast<unsigned>(tier) << 4));
    return out;
}

/// Walks encoded cells, newest first, then the linear buckets. Never reads outside the bytes;
/// damaged ones end the walk and set `damaged()`.
class CellReader {
public:
    CellReader(const std::uint8_t* begin, const std::uint8_t* end, std::int64_t head_minute,
               std::int64_t head_bucket, CellSums sums)
        : next_(begin), end_(end), head_bucket_(head_bucket), sums_(sums) {
        cell_.place = {Tier::kMinute, head_minute};
    }
    /// False at the end.
    bool read() {
        if (next_ == end_) return false;
        std::uint8_t token = *next_++;
        if ((token & 15) == 15 && !switch_tier(token)) return false;
        std::uint64_t distance = token & 15;
        if (distance == 14) distance += varint();
        if (distance > kDistanceMax) return fail();
        cell_.place.index = wrap_sub(cell_.place.index, static_cast<std::int64_t>(distance));
        cell_.count = token >> 4;
        if (cell_.count == 0) cell_.count = unzigzag(varint());
        cell_.sum = unit_sum(cell_.count);
        if (sums_.kept) {
            const auto excess = static_cast<std::uint64_t>(unzigzag(varint())) << sums_.shift;
            cell_.sum = wrap_add(cell_.sum, static_cast<std::int64_t>(excess));
        }
        return !damaged_;
    }
    const Cell& cell() const { return cell_; }
    bool damaged() const { return damaged_; }

private:
    bool switch_tier(std::uint8_t& token) {
        const auto tier = static_cast<Tier>(token >> 4);
        if (tier <= cell_.place.tier || tier > Tier::kGone || next_ == end_) return fail();
        token = *next_++;
        if ((token & 15) == 15) return fail();
        if (tier == Tier::kGone) {
            cell_.place = {tier, head_bucket_};
            return true;
        }
        while (cell_.place.tier != tier) {
            cell_.place.index = parent_of(cell_.place.tier, cell_.place.index);
            cell_.place.tier = static_cast<Tier>(static_cast<int>(cell_.place.tier) + 1);
        }
        return true;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && next_ != end_; shift += 7) {
            const std::uint8_t byte = *next_++;
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        fail();
        return 0;
    }
    bool fail() {
        damaged_ = true;
        next_ = end_;
        return false;
    }

    const std::uint8_t* next_;
    const std::uint8_t* end_;
    std::int64_t head_bucket_;
    Cell cell_;
    CellSums sums_;
    bool damaged_ = false;
};

}  // namespace tidal::signal
