// text/internal/posting_block.h: up to 128 postings of one term, by rising slot.
//
// Frequencies, the lengths of the texts and slots (as distances from the first) lie in three arrays
// of one piece of memory, as narrow as the block's numbers allow (1 or 4, 1, and 2 or 4 bytes
// each), so that any posting is read where it lies and sixteen are passed over at a time. Positions
// are varints: differences.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prefetch.h"
#include "text/bm25.h"
#include "text/internal/frontier.h"
#include "text/internal/posting_kernels.h"

namespace tidal::text {

inline constexpr std::uint32_t kBlockPostings = 128;
/// One bit a posting of a block.
using PostingBits = std::array<std::uint64_t, kBlockPostings / 64>;

struct Posting {
    std::uint32_t slot = 0;
    std::span<const std::uint32_t> positions;  ///< Rising, at least one: the frequency.
    std::uint32_t length = 0;                  ///< Of the field in that slot.
};

/// One that is to be put elsewhere.
struct UnpackedPosting {
    std::uint32_t slot = 0;
    std::vector<std::uint32_t> positions;
};

inline constexpr std::uint32_t kLengthMax = 0xFF;

/// Which postings may have some score, by how often the term is there and how long the text is: a
/// posting passes a step that wants no more of it and allows its length.
struct PostingLimits {
    struct Step {
        std::uint8_t frequency_min = 1, length_max = kLengthMax;
    };
    static constexpr std::uint32_t kStepsMax = 8;
    std::array<Step, kStepsMax> steps;
    std::uint32_t size = 0;
};

/// The postings of a block, read.
struct OpenBlock {
    std::uint32_t count = 0;
    std::array<std::uint32_t, kBlockPostings> lengths;  ///< At most kLengthMax.
    std::array<std::uint32_t, kBlockPostings> slots;
    std::array<std::uint32_t, kBlockPostings> frequencies;
};

class PostingBlock {
public:
    PostingBlock() = default;
    /// @param postings  At least one. @param positions  Varints, all one after the other.
    PostingBlock(const OpenBlock& postings, std::string_view positions, const Frontier& frontier);

    std::uint32_t first() const { return first_; }  ///< Slot.
    std::uint32_t last() const { return last_; }    ///< Likewise.
    std::uint32_t count() const { return count_; }
    const Frontier& frontier() const { return frontier_; }
    std::uint32_t slot(std::uint32_t at) const { return first_ + distance(at); }
    /// Of many. @param out  places.size() of them.
    void slots(std::span<const std::uint8_t> places, std::uint32_t* out) const {
        if (distance_bytes_ == 2) return read_slots<std::uint16_t>(places, out);
        read_slots<std::uint32_t>(places, out);
    }
    std::uint32_t frequency(std::uint32_t at) const {
        if (frequency_bytes_ == 1) return static_cast<std::uint8_t>(postings_[at]);
        return read<std::uint32_t>(std::size_t{at} * 4);
    }
    /// The first posting at or behind `slot`. Precondition: slot <= last().
    std::uint32_t find(std::uint32_t slot) const;
    /// Which of some slots are there, and where. @param slots  Rising, each from first() to last();
    /// at most kBlockPostings. @param met  Room for slots.size() of them. @return  How many are.
    std::size_t find(std::span<const std::uint32_t> slots, kernels::Met* met) const;
    /// Of some of the postings, by the lengths that are here. @param out  Room for a block.
    /// @return whether some length is kLengthMax or more, so that its score is none.
    bool scores(const Bm25& scoring, std::uint32_t begin, std::uint32_t end, double* out) const;
    /// Of the text, at most kLengthMax: that or more.
    std::uint32_t length(std::uint32_t at) const {
        return static_cast<std::uint8_t>(postings_[lengths_at() + at]);
    }
    /// Whether any of the steps lets a posting pass.
    PostingBits passing(const PostingLimits& limits) const;
    /// What passing() reads will be read soon.
    TIDAL_PREFETCHES void prefetch() const { prefetch(0, distances_at()); }
    /// Likewise what find() does.
    TIDAL_PREFETCHES void prefetch_slots() const {
        prefetch(distances_at(), distances_at() + std::size_t{count_} * distance_bytes_);
    }
    /// Likewise what a posting scores by.
    TIDAL_PREFETCHES void prefetch_score(std::uint32_t at) const {
        __builtin_prefetch(postings_.data() + std::size_t{at} * frequency_bytes_);
        __builtin_prefetch(postings_.data() + lengths_at() + at);
    }

    /// Positions of a posting.
    void read_positions(std::uint32_t at, std::vector<std::uint32_t>* out) const;
    /// Varints, all one after the other.
    const std::string& positions() const { return positions_; }

    /// Precondition: behind last(), and fewer than kBlockPostings are there.
    void append(const Posting& posting);
    std::vector<UnpackedPosting> unpack() const;
    /// Of its own, beside itself.
    std::size_t bytes() const;

private:
    TIDAL_PREFETCHES void prefetch(std::size_t from, std::size_t to) const {
        constexpr std::size_t kLine = 64;
        for (std::size_t at = from; at < to; at += kLine) __builtin_prefetch(postings_.data() + at);
    }
    template <typename Number>
    Number read(std::size_t at) const {
        Number out;
        std::memcpy(&out, postings_.data() + at, sizeof out);
        return out;
    }
    template <typename Number>
    void read_slots(std::span<const std::uint8_t> places, std::uint32_t* out) const {
        const std::uint32_t first = first_;
        const char* const distances = postings_.data() + distances_at();
        for (std::size_t i = 0; i < places.size(); ++i) {
            Number distance;
            std::memcpy(&distance, distances + places[i] * sizeof distance, sizeof distance);
            out[i] = first + distance;
        }
    }
    template <typename Number>
    std::uint32_t find_distance(std::uint32_t distance) const;
    std::size_t lengths_at() const { return std::size_t{capacity_} * frequency_bytes_; }
    std::size_t distances_at() const { return lengths_at() + capacity_; }
    std::uint32_t distance(std::uint32_t at) const {
        if (distance_bytes_ == 2) return read<std::uint16_t>(distances_at() + std::size_t{at} * 2);
        return read<std::uint32_t>(distances_at() + std::size_t{at} * 4);
    }
    void append(std::uint32_t slot, std::uint32_t frequency, std::uint32_t length);
    void widen(std::uint32_t capacity, std::uint8_t frequency_bytes, std::uint8_t distance_bytes);
    void put(std::uint32_t at, std::uint32_t frequency, std::uint32_t length,
             std::uint32_t distance);

    std::uint32_t first_ = 0, last_ = 0;
    std::uint8_t count_ = 0, capacity_ = 0;
    std::uint8_t frequency_bytes_ = 1, distance_bytes_ = 2;
    Frontier frontier_;
    std::string postings_;  ///< `capacity_` frequencies, lengths, distances from first_.
    std::string positions_;
};

}  // namespace tidal::text
