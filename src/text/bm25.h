// text/bm25.h: how well a posting answers a term.
//
// Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond",
// equation 3.15, with the idf of Lucene, which is never negative:
//   idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5))
//   score  = boost * idf * (k1 + 1) * f / (f + k1 * (1 - b + b * length / mean length))
// N: documents that have the field; n: of these, those with the term; f: how often it is there.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/detmath.h"

namespace tidal::text {

struct Bm25Options {
    double k1 = 1.2, b = 0.75;
    double boost = 1;
};

/// One term of one field, ready to score postings. Rises with the frequency, falls with the length.
struct Bm25 {
    double weight = 0;
    double base = 0, by_length = 0;  ///< k1 (1 - b), k1 b / mean length.

    Bm25() = default;
    /// @param holders  n; more than `documents` counts as all of them.
    Bm25(const Bm25Options& options, std::uint64_t documents, std::uint64_t total_length,
         std::uint64_t holders) {
        const auto all = static_cast<double>(documents);
        const double with = static_cast<double>(std::min(holders, documents));
        const double mean = documents == 0 ? 1 : static_cast<double>(total_length) / all;
        weight =
            options.boost * detmath::log(1 + (all - with + 0.5) / (with + 0.5)) * (options.k1 + 1);
        base = options.k1 * (1 - options.b);
        by_length = options.k1 * options.b / mean;
    }

    double score(std::uint32_t frequency, std::uint32_t length) const {
        const auto f = static_cast<double>(frequency);
        return weight * f / (f + base + by_length * static_cast<double>(length));
    }
    /// What the length of a text does; the same for all terms of a field. For bounds.
    double norm(std::uint32_t length) const {
        return base + by_length * static_cast<double>(length);
    }
    /// The greatest score of any posting of which the pairs (frequency, length) are the frontier.
    template <typename Frontier>
    double bound(const Frontier& frontier) const {
        double most = 0;
        for (const auto& [frequency, length] : frontier.pairs())
            most = std::max(most, score(frequency, length));
        return most;
    }
};

/// score() but for rounding. @param norm  Bm25::norm().
inline double saturated(double weight, std::uint32_t frequency, double norm) {
    const auto f = static_cast<double>(frequency);
    return weight * f / (f + norm);
}

}  // namespace tidal::text
