// text/search.h: the best answers of one shard to one query, in steps; or the scores of given
// slots.
//
// Source  Queries of words of which any or all are needed: MaxScore (Turtle & Flood 1995) with
//         bounds by block (Ding & Suel, SIGIR 2011). Others: cursors that leap to each other.
// A slot's score is the sum of its words' in the order of the query, computed the same way on every
// shard and by every road.
#pragma once

#include <absl/functional/function_ref.h>

#include <roaring/roaring.hh>

#include <cstdint>
#include <memory>
#include <span>

#include "text/query_parser.h"
#include "text/search_trace.h"
#include "text/statistics.h"
#include "text/text_index.h"

namespace tidal::text {

/// What an edit of a mistyped word costs: its score times this.
inline constexpr double kTypoDiscount = 0.7;

/// Who keeps the best.
class Collector {
public:
    virtual ~Collector() = default;
    /// Scores below it change nothing.
    virtual double least() const = 0;
    virtual void offer(double score, std::uint32_t slot) = 0;
};

/// Between two calls the index may change; what nobody touched is found as if nothing had been.
/// Threads: inside the shard's monitor. Lifetime: borrows the index, no query and no statistics.
class Search {
public:
    /// @param statistics  Of all shards. @param typos  Also what the words' typos may stand for.
    Search(const TextIndex& index, const QueryNode& root, const Statistics& statistics, bool typos);
    ~Search();
    Search(Search&&) noexcept;

    /// Asked before each piece of work with about the nanoseconds it takes.
    using Take = absl::FunctionRef<bool(double)>;

    /// Offers every slot that may be among the best. @param accepted  nullptr = all.
    /// @return false  `take` refused; call again.
    bool run(Collector& out, const Roaring* accepted, Take take);

    /// Adds every slot below `slots` that matches, whatever it scores, for less than run() takes.
    /// @return false  `take` refused; call again.
    bool match(std::uint32_t slots, Roaring* out, Take take);

    /// @param slots  Rising. @param out  Same length; 0 where the query does not match.
    void scores(std::span<const Slot> slots, std::span<double> out);
    /// Of run() so far.
    SearchTrace trace() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace tidal::text
