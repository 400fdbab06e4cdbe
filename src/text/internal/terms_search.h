// text/internal/terms_search.h: the best of what has any of some terms, or a term of each of some
// groups, without looking at all.
//
// Source: MaxScore (Turtle & Flood 1995) with bounds by block (Ding & Suel, SIGIR 2011), a term at
// a time in windows. The terms of one group, the lead, choose candidates, those that can give the
// most first: a slot is a candidate of the first of them that has it, so that only what later terms
// can add speaks for it. A block that with this cannot be among the best is passed over by its
// bound, a posting by its frequency and then by its length. What is left is looked up in the
// others. While nothing can be passed over (at first, or with many terms), scores are added up in
// an array by slot instead.
#pragma once

#include <optional>
#include <vector>

#include "text/internal/length_limits.h"
#include "text/internal/term_reader.h"
#include "text/search.h"

namespace tidal::text {

class TermsSearch {
public:
    /// @param terms  Groups are numbered from 0, in order; one = any term may match.
    /// @param unwanted  Borrowed; may be nullptr.
    TermsSearch(const std::vector<WeightedTerm>& terms, Cursor* unwanted);

    bool run(Collector& out, const Roaring* accepted, Search::Take take);
    void scores(std::span<const Slot> slots, std::span<double> out);
    void trace(SearchTrace* out) const;

private:
    struct Window {
        std::uint32_t first = kNoSlot, last = kNoSlot;  ///< kNoSlot = nothing is left.
        std::uint64_t blocks = 0;                       ///< Of terms that choose candidates...
        bool narrow = false;                            ///< Sums of its slots have room.
    };
    struct Candidate {
        std::uint32_t slot = 0;
        std::uint32_t place = 0;  ///< In order_, of the first term that has it.
        double score = 0;         ///< Of that term.
        double others = 0;        ///< What later ones may add.
    };
    struct Part {
        std::uint32_t number = 0;
        double score = 0;
    };
    struct Found {
        std::uint32_t slot = 0;
        double score = 0;
    };

    void begin();
    Window choose_window(double least);
    void search(const Window& window, Collector& out, const Roaring* accepted);
    bool find_candidates(const Window& window, double least);
    void find_in_block(const PostingBlock& block, std::size_t place, const OtherTerms& others,
                       const Window& window, double least);
    bool others_in(std::size_t place, std::uint32_t first, std::uint32_t last, OtherTerms* out);
    void look_up_candidates(Collector& out, const Roaring* accepted);
    bool complete(const Candidate& candidate, double least);
    void add_up(const Window& window, Collector& out, const Roaring* accepted);
    void add_term(TermReader& term, const Window& window);
    double sum_parts();

    std::vector<TermReader> terms_;  ///< In the order of the query.
    Cursor* unwanted_;
    std::uint32_t groups_ = 1;
    /// The lead's, by falling bound, then those of the other groups, by rising size.
    std::vector<TermReader*> order_;
    std::size_t lead_ = 0;      ///< How many are of the lead.
    std::vector<double> from_;  ///< By place: what all from there on give, together.
    bool one_field_ = true;
    LengthLimits limits_;
    std::size_t choosing_ = 0;  ///< How many choose candidates.
    std::size_t window_blocks_ = 0;
    std::uint64_t looked_at_ = 0, scored_ = 0;
    double owed_ = 0;         ///< Nanoseconds of look-ups of the window before.
    std::uint32_t next_ = 0;  ///< First slot that is not looked at.
    std::vector<Candidate> candidates_;
    std::vector<Part> parts_;
    std::vector<Found> found_;  ///< Of a window, where not all of them are wanted.
    OpenBlock open_;
    std::vector<double> sums_;           ///< By slot of the window; 0 between windows.
    std::vector<std::uint64_t> summed_;  ///< Bits likewise.
};

}  // namespace tidal::text
