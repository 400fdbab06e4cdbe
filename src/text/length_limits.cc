#include "text/internal/length_limits.h"

#include <algorithm>
#include <limits>

namespace tidal::text {
namespace {

constexpr std::uint32_t kFrequencyMax = std::numeric_limits<std::uint32_t>::max();

/// The greatest of a step's postings: the last step has all there are.
std::uint32_t frequency_of_step(std::size_t step) {
    return step + 1 < PostingLimits::kStepsMax ? static_cast<std::uint32_t>(step + 1)
                                               : kFrequencyMax;
}

}  // namespace

double OtherTerms::sum(double norm) const {
    double out = 0;
    // Not of what is not there, of which a norm of 0 (k1 = 0) would make no number.
    for (std::size_t i = 0; i < size; ++i)
        if (frequencies[i] > 0) out += saturated(weights[i], frequencies[i], norm);
    return out;
}

/// As if the others had their bounds whatever the length.
LengthLimits::Lengths LengthLimits::by_bound(const Bm25& scoring, double least) {
    constexpr double kRounding = 1e-3;
    Lengths out;
    out.fill(kLengthMax);
    if (!(least > 0) || !(scoring.by_length > 0)) return out;
    const double ratio = scoring.weight / least - 1, each = 1 / scoring.by_length;
    for (std::size_t step = 0; step < out.size(); ++step) {
        const double length = (frequency_of_step(step) * ratio - scoring.base) * each + kRounding;
        if (!(length >= 0))
            out[step] = 0;
        else if (length < kLengthMax)
            out[step] = static_cast<std::uint8_t>(length);
    }
    return out;
}

LengthLimits::Lengths LengthLimits::by_frequencies(const Bm25& scoring, const OtherTerms& others,
                                                   double least) {
    Lengths out;
    std::uint32_t low = 0;  // Rises with the frequency.
    for (std::size_t step = 0; step < out.size(); ++step) {
        std::uint32_t high = kLengthMax;
        while (low < high) {
            const std::uint32_t length = (low + high + 1) / 2;
            const double norm = scoring.norm(length);
            const double own = saturated(scoring.weight, frequency_of_step(step), norm);
            if (own + others.sum(norm) >= least)
                low = length;
            else
                high = length - 1;
        }
        out[step] = static_cast<std::uint8_t>(low);
    }
    return out;
}

PostingLimits LengthLimits::limits(const Bm25& scoring, std::size_t place, const OtherTerms& others,
                                   double least) {
    Lengths lengths = by_bound(scoring, least - others.bound);
    if (others.size > 0) {
        std::size_t at = 0;
        for (const std::uint32_t frequency : others.frequencies) at = at * 5 + frequency;
        Known& known = known_[place * kKnown + at % kKnown];
        // What is needed rises; limits of a little less let a little more pass.
        constexpr double kNear = 1.002;
        if (known.frequencies != others.frequencies || !(known.least <= least) ||
            known.least * kNear < least)
            known = {least, others.frequencies, by_frequencies(scoring, others, least)};
        for (std::size_t step = 0; step < lengths.size(); ++step)
            lengths[step] = std::min(lengths[step], known.lengths[step]);
    }
    PostingLimits out;
    std::uint8_t before = 0;
    for (std::size_t step = 0; step < lengths.size(); ++step) {
        if (lengths[step] <= before) continue;
        before = lengths[step];
        out.steps[out.size++] = {static_cast<std::uint8_t>(step + 1), before};
    }
    return out;
}

}  // namespace tidal::text
