// text/synonyms.h: words that stand for others in searches.
//
//     tv, television, telly           each for the others
//     notebook => laptop, portable    the left for the right only
//     # a comment
//
// Phrases of up to four words. They are compared folded, not by their stems.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/query_parser.h"

namespace tidal::text {

inline constexpr std::size_t kSynonymRulesMax = 10'000;
inline constexpr std::size_t kSynonymPhrasesMax = 32;  ///< Of one rule.
inline constexpr std::size_t kSynonymWordsMax = 4;     ///< Of one phrase.
/// Added to one query.
inline constexpr std::size_t kSynonymsAddedMax = 64;

/// Threads: any, as it does not change after add().
class Synonyms {
public:
    /// @return kInvalidArgument with `line` (from 1), kTooLarge.
    static Result<Synonyms> parse(std::string_view text);

    void add(const Synonyms& others);
    bool empty() const { return meanings_.empty(); }
    /// With the synonyms of its words beside them; what is quoted, begun or unwanted stays.
    void expand(QueryNode* root) const;

private:
    using Phrases = std::vector<std::string>;

    Result<void> add_rule(std::string_view line);
    void mean(const std::string& phrase, const std::string& by);
    const Phrases* longest(const std::vector<QueryNode>& nodes, std::size_t at,
                           std::size_t* words) const;
    void expand(QueryNode* node, std::size_t* left) const;

    absl::flat_hash_map<std::string, Phrases> meanings_;  ///< Folded, one blank between words.
    std::size_t rules_ = 0;
};

}  // namespace tidal::text
