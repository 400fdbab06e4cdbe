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

namespace tidal::query {

/// What a rule looks at in one entity: its creator, or the values of the rule's field, each once;
/// empty where the entity has none (then no rule of a maximum holds it back).
using RuleValues = std::vector<std::string>;

struct DiverseItem {
    std::vector<RuleValues> values;  ///< By rule.
};

struct DiversePage {
    std::vector<std::size_t> chosen;    ///< Indexes of `items`, in the order of the page.
    std::vector<std::size_t> given_up;  ///< Indexes of `rules`, in the order they were given up.
};

/// @param rules  All but mmr, which needs vectors.
/// @param items  Best first.
/// @param limit  Length of the page; it is shorter only when there are fewer items. Shares are of
///               the page's length: `max_share(f, 60%)` of 10 allows 6 of a value, and always 1.
/// @param pinned Items at the front that are taken whatever the rules say; they count.
DiversePage diversify(std::span<const ranking::DiversityRule> rules,
                      std::span<const DiverseItem> items, std::size_t limit,
                      std::size_t pinned = 0);

}  // namespace tidal::query
