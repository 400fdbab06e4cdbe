// text/internal/any_of_terms.h: the best of what has any of some terms, without looking at all.
//
// Source: MaxScore (Turtle & Flood 1995) over windows between the ends of blocks (Ding & Suel,
// SIGIR 2011, as in Lucene 9). Terms are sorted by the most they can give; the first ones, which
// together give less than what is needed, choose no candidates.
#pragma once

#include <memory>
#include <vector>

#include "text/internal/cursor.h"
#include "text/search.h"

namespace tidal::text {

class AnyOfTerms {
public:
    using Terms = std::vector<std::unique_ptr<TermCursor>>;
    /// Borrows both. @param unwanted  May be nullptr.
    AnyOfTerms(Terms* terms, Cursor* unwanted);

    bool run(Collector& out, const Roaring* accepted, Search::Take take);
    void scores(std::span<const Slot> slots, std::span<double> out);

private:
    struct Ranked {
        std::uint32_t term = 0;
        double bound = 0;
    };
    struct Part {
        std::uint32_t term = 0;
        double score = 0;
    };

    void forget();
    TermCursor& cursor(const Ranked& ranked) { return *(*terms_)[ranked.term]; }
    /// How many of the first together give less than `least`; before_[i] is what the first i give.
    std::size_t split(std::vector<Ranked>& ranked, double least);
    void search_window(std::uint32_t first, std::uint32_t last, Collector& out,
                       const Roaring* accepted);
    void try_slot(std::uint32_t slot, std::size_t needed, Collector& out);
    double sum();

    Terms* terms_;
    Cursor* unwanted_;
    std::uint32_t next_ = 0;          ///< First slot that is not looked at.
    std::vector<Ranked> all_, here_;  ///< By rising bound: everywhere, in the window.
    std::vector<double> before_;
    std::vector<Part> parts_;
};

}  // namespace tidal::text
