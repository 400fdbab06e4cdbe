// query/diversity.h: which of the best entities make up a page, so that it is not all the same.
//
// One greedy pass over the merged list, best first: the next place goes to the best entity left
// that breaks no rule. A page is never shortened: where nobody fits, the rule declared first is
// given up for the rest of the page, and the reply says so.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "ranking/profile.h"
#include "vector/probe.h"

namespace tidal::query {

/// What a rule looks at in one entity: its creator, or the values of the rule's field, each once;
/// empty where the entity has none (then no rule of a maximum holds it back).
using RuleValues = std::vector<std::string>;

/// What `mmr` looks at; no values where the entity has no vector.
struct RuleVector {
    schema::Metric metric = schema::Metric::kCosine;
    std::vector<float> values;  ///< As vector::comparable().
};

struct DiverseItem {
    std::vector<RuleValues> values;   ///< By rule; empty for `mmr`.
    std::vector<RuleVector> vectors;  ///< By rule of those that are `mmr`.
    double score = 0;                 ///< Greater comes first. Read by `mmr` only.
};

/// `mmr` chooses for each place among this many of the best that fit.
inline constexpr std::size_t kMmrWindow = 200;
/// Whether some rule is `mmr`.
bool reads_vectors(std::span<const ranking::DiversityRule> rules);

struct DiversePage {
    std::vector<std::size_t> chosen;    ///< Indexes of `items`, in the order of the page.
    std::vector<std::size_t> given_up;  ///< Indexes of `rules`, in the order they were given up.
};

/// `mmr(lambda, slot)` is maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): the place
/// goes to the greatest lambda * r - (1 - lambda) * s of the first kMmrWindow that fit, equal ones
/// in order, where r is the score, scaled so that the best item is 1 and the last of the first
/// window 0, and s the greatest likeness to anything on the page; of several such rules their sum.
/// It is never given up.
/// @param items  Best first.
/// @param limit  Length of the page; it is shorter only when there are fewer items. Shares are of
///               the page's length: `max_share(f, 60%)` of 10 allows 6 of a value, and always 1.
/// @param pinned Items at the front that are taken whatever the rules say; they count.
DiversePage diversify(std::span<const ranking::DiversityRule> rules,
                      std::span<const DiverseItem> items, std::size_t limit,
                      std::size_t pinned = 0);

}  // namespace tidal::query
