// text/internal/terms_search.h: the best of what has any of some terms, or a term of each of some
// groups, without looking at all.
//
// Source: MaxScore (Turtle & Flood 1995) with bounds by block (Ding & Suel, SIGIR 2011), a term at
// a time in windows. The terms of one group, the lead, choose candidates, those that can give the
// most first: a slot is a candidate of the first of them that has it, so that only what later terms
// can add speaks for it. A block that with this cannot be among the best is passed over by its
// bound, a posting by its frequency and then by its length. What is left of a block is looked up in
// the others together. Where so much is left that it would take longer, the scores of all postings
// are added up in an array by slot instead.
#pragma once

#include <array>
#include <vector>

#include "text/internal/block_candidates.h"
#include "text/internal/length_limits.h"
#include "text/internal/term_reader.h"
#include "text/internal/window_sums.h"
#include "text/search.h"

namespace tidal::text {

class TermsSearch {
public:
    /// @param terms  Groups are numbered from 0, in order; one = any term may match.
    /// @param unwanted  Borrowed; may be nullptr.
    TermsSearch(const std::vector<WeightedTerm>& terms, Cursor* unwanted);

    bool run(Collector& out, const Roaring* accepted, Search::Take take);
    void scores(std::span<const Slot> slots, std::span<double> out);
    /// What matches in a window. Windows rise.
    void mark(MatchWindow* out);
    /// Of what is not wanted: the index may have changed.
    void forget() {
        if (unwanted_ != nullptr) unwanted_->forget();
    }
    void trace(SearchTrace* out) const;

private:
    struct Window {
        std::uint32_t first = kNoSlot, last = kNoSlot;  ///< kNoSlot = nothing is left.
        std::uint64_t blocks = 0;                       ///< Of terms that choose candidates...
        bool narrow = false;                            ///< Sums of its slots have room.
    };
    /// A block of which some postings may be among the best.
    struct Chosen {
        std::uint32_t place = 0;  ///< In order_, of its term.
        std::size_t block = 0;
        PostingBits passing;
        double bound = 0;  ///< Of a posting in all terms.
        /// What the terms behind its own may add, from each of them on. Of few terms.
        std::array<double, OtherTerms::kMost> rest;
    };
    struct Found {
        std::uint32_t slot = 0;
        double score = 0;
    };

    void begin();
    Window choose_window(double least);
    void search(const Window& window, Collector& out, const Roaring* accepted);
    void choose_blocks(const Window& window, double least);
    double look_up_cost() const;
    double add_up_cost(const Window& window) const;
    std::uint32_t end_of(const Window& window) const;
    bool others_in(std::size_t place, std::uint32_t first, std::uint32_t last, OtherTerms* out,
                   Chosen* chosen);
    double rest(const Chosen& chosen, std::size_t from) const;
    void look_up_chosen(const Window& window, Collector& out, const Roaring* accepted);
    void complete(const Chosen& chosen, const Window& window, double least);
    void offer(const Roaring* accepted, Collector& out);
    void add_up(const Window& window, Collector& out, const Roaring* accepted);

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
    std::vector<Chosen> chosen_;
    std::uint64_t passing_ = 0;  ///< Postings of them.
    BlockCandidates candidates_;
    std::vector<Found> found_;  ///< Of a window, where not all of them are wanted.
    WindowSums sums_;
};

}  // namespace tidal::text
