// text/statistics.h: what scores need to know of all shards: summed, so that an entity's score does
// not depend on which others share its shard.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace tidal::text {

/// Most words that a prefix stands for: the most frequent.
inline constexpr std::size_t kPrefixWordsMax = 64;
/// Most words tried in the place of one that may be mistyped.
inline constexpr std::size_t kTypoWordsMax = 16;

/// Words that one word of the query stands for.
struct Expansion {
    enum class Kind : std::uint8_t { kPrefix, kTypo };
    FieldId field;
    Kind kind = Kind::kPrefix;
    std::string text;  ///< Folded.
    auto operator<=>(const Expansion&) const = default;
};
struct ExpandedWord {
    std::string term;
    std::uint32_t edits = 0;
    std::uint64_t documents = 0;  ///< That hold the word.
};

struct Statistics {
    struct Field {
        std::uint64_t documents = 0, length = 0;
    };
    std::vector<Field> fields;                                         ///< By FieldId.
    std::map<std::pair<FieldId, std::string>, std::uint64_t> holders;  ///< Documents by term.
    std::map<Expansion, std::map<std::string, ExpandedWord>> words;    ///< By word.
    bool cut = false;            ///< A prefix stands for more words than are looked for.
    bool prefix_unseen = false;  ///< Some of them, which may be more frequent, were not looked at.
    bool typos_unseen = false;   ///< Likewise of what a word may be mistyped for.

    void add(const Statistics& other);
    /// Leaves of each expansion the words that are searched for, the same however entities are
    /// spread over shards as long as no shard had more.
    void choose_words();
};

}  // namespace tidal::text
