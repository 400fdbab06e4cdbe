// text/internal/length_limits.h: how long a text may be for a posting to be among the best, by how
// often the term is there and by what other terms may add.
//
// A text that is short enough for one term is as long for the others: with the greatest frequencies
// that these have nearby, all scores fall together as the length rises, and the length from which
// on their sum is too small is looked for once for many blocks.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "text/bm25.h"
#include "text/internal/posting_block.h"

namespace tidal::text {

/// What the terms behind one may add in a range of slots.
struct OtherTerms {
    static constexpr std::size_t kMost = 3;  ///< More are bounded together.
    double bound = 0;
    /// Of terms in the same field: their weights, and the greatest frequencies there.
    std::array<double, kMost> weights{};
    std::array<std::uint32_t, kMost> frequencies{};
    std::size_t size = 0;  ///< 0 = only `bound` is known.

    /// Of a text of some length, by frequencies. @param norm  Bm25::norm().
    double sum(double norm) const;
};

class LengthLimits {
public:
    void begin() { known_.fill({}); }
    /// @param least  Of the whole score. @param place  Of the term, below kPlaces.
    PostingLimits limits(const Bm25& scoring, std::size_t place, const OtherTerms& others,
                         double least);

private:
    /// Lengths by frequency: of 1 to 7, and of more.
    using Lengths = std::array<std::uint8_t, PostingLimits::kStepsMax>;
    struct Known {
        double least = -1;
        std::array<std::uint32_t, OtherTerms::kMost> frequencies{};
        Lengths lengths{};
    };
    static Lengths by_bound(const Bm25& scoring, double least);
    static Lengths by_frequencies(const Bm25& scoring, const OtherTerms& others, double least);

    static constexpr std::size_t kPlaces = OtherTerms::kMost + 1, kKnown = 32;
    std::array<Known, kPlaces * kKnown> known_;
};

}  // namespace tidal::text
