// entity/ordered_column.h: which slots have a number in a range, without looking at every slot.
#pragma once

#include <roaring/roaring.hh>

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"

namespace tidal::entity {

/// A column of numbers: a field of a number type, or a fixed time in milliseconds.
struct NumberSource {
    enum class Kind : std::uint8_t { kField, kCreatedAt, kPublishAt, kExpiresAt };
    Kind kind = Kind::kField;
    FieldId field;  ///< Of kField.
    bool operator==(const NumberSource&) const = default;
};

/// The numbers by slot, NaN where absent. Lifetime: borrows the column, until its next change.
class NumberView {
public:
    NumberView() = default;
    explicit NumberView(std::span<const double> numbers) : numbers_(numbers) {}
    /// @param absent  The time that stands for none.
    NumberView(std::span<const UnixMillis> times, UnixMillis absent)
        : times_(times), absent_(absent) {}

    std::uint32_t size() const {
        return static_cast<std::uint32_t>(numbers_.empty() ? times_.size() : numbers_.size());
    }
    double operator[](std::uint32_t slot) const {
        if (!numbers_.empty()) return numbers_[slot];
        const UnixMillis time = times_[slot];
        return time == absent_ ? std::numeric_limits<double>::quiet_NaN()
                               : static_cast<double>(time);
    }

private:
    std::span<const double> numbers_;
    std::span<const UnixMillis> times_;
    UnixMillis absent_ = 0;
};

/// An accelerator over one NumberView: the slots in chunks, each chunk sorted by value. A chunk is
/// sorted when it is first asked for, a few per query; slots written later are looked up in the
/// column until there are so many that the chunk is sorted anew. About 10 bytes per number.
/// Threads: one at a time.
class OrderedColumn {
public:
    static constexpr std::uint32_t kChunkSlots = 8192;  ///< Sorted in a quarter of a millisecond.
    static constexpr std::size_t kStaleMax = 512;       ///< Slots of a chunk written since.

    /// The number of `slot` has changed. Constant time, bounded.
    void note(std::uint32_t slot);
    /// Sorts up to `chunks` chunks that are not. @return whether all are sorted.
    bool build(const NumberView& numbers, std::uint32_t chunks);
    /// The slots with low <= number <= high, with those of chunks not sorted yet; of the chunks
    /// that lie in [first, last] at least in part.
    Roaring range(const NumberView& numbers, double low, double high, std::uint32_t first = 0,
                  std::uint32_t last = std::numeric_limits<std::uint32_t>::max()) const;
    /// About how many slots range() holds: exact but for stale slots where chunks are sorted,
    /// extrapolated from them, or from a sample of the column, where they are not.
    double estimate(const NumberView& numbers, double low, double high) const;
    std::size_t bytes() const;

private:
    struct Chunk {
        bool sorted = false;
        std::vector<double> values;        ///< Rising; NaN is left out.
        std::vector<std::uint16_t> slots;  ///< By `values`, less the chunk's first slot.
        std::vector<std::uint16_t> stale;  ///< Rising.
    };
    struct Span {
        std::size_t begin = 0, end = 0;  ///< Of `values`.
    };
    static Span find(const Chunk& chunk, double low, double high);
    static void sort(const NumberView& numbers, std::uint32_t first, Chunk* chunk);
    void add_matches(const NumberView& numbers, std::uint32_t first, const Chunk& chunk, double low,
                     double high, Roaring* out) const;

    std::vector<Chunk> chunks_;
    std::size_t next_ = 0;  ///< Every chunk before it is sorted.
};

}  // namespace tidal::entity
