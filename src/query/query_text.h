// query/query_text.h: RETRIEVE, SEARCH and SUGGEST as text. Language: docs/reference/query.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/facets.h"
#include "query/feed.h"
#include "query/filter.h"

namespace tidal::query {

struct Query {
    enum class Verb : std::uint8_t { kRetrieve, kSearch, kSuggest };
    Verb verb = Verb::kRetrieve;
    EntityKind kind = EntityKind::kItem;   ///< What is ranked.
    std::string text;                      ///< Searched for, or the prefix to complete.
    std::string profile;                   ///< "trending" or "trending@1"; empty = not said.
    std::map<std::string, double> params;  ///< By name; finite.
    std::optional<Literal> user;           ///< A string, or a number written with digits alone.
    std::uint64_t session = 0;             ///< 0 = none.
    bool fresh = false;                    ///< Without what the session was shown.
    std::string cohort;                    ///< Empty = none.
    std::string experiment;                ///< Empty = none; never beside `profile`.
    std::optional<FilterNode> filter;
    std::optional<Literal> similar_to;  ///< As `user`.
    std::vector<double> vector;         ///< Finite; empty = none.
    std::vector<Literal> exclude;       ///< As `user`; at most kExcludedMax.
    std::vector<FacetRequest> facets;
    std::optional<SortRequest> sort;
    std::optional<std::vector<ranking::DiversityRule>> diversity;  ///< Empty = NONE.
    std::optional<GroupRequest> group;
    std::vector<Literal> pin, bury;                  ///< As `exclude`; at most kPinnedMax.
    std::optional<std::vector<std::string>> fields;  ///< Of the reply's items; each once.
    std::vector<std::string> highlight;              ///< Fields; each once; empty = none.
    std::string effort;                              ///< vector/effort.h; empty = not said.
    std::optional<std::uint64_t> seed;
    std::optional<std::uint32_t> limit;  ///< 1..kLimitMax.
    std::string after;                   ///< A cursor; empty = the first page.
    bool explain = false;
    bool log_impressions = false;
    bool log_features = false;  ///< Only with `log_impressions`.

    /// Where these parts stand in the source, for messages about them; not compared.
    struct Place {
        std::uint32_t begin = 0, end = 0;
    };
    Place filter_at, facets_at, sort_at, diversity_at, group_at;
    /// Where the others stand, by the field of a request that errors name ("profile",
    /// "params.boost", "pin"; "" = the verb): offsets, one for each of several values; not
    /// compared.
    std::map<std::string, std::vector<std::uint32_t>, std::less<>> words;

    bool operator==(const Query& other) const {
        return verb == other.verb && kind == other.kind && text == other.text &&
               profile == other.profile && params == other.params && user == other.user &&
               similar_to == other.similar_to && vector == other.vector &&
               session == other.session && fresh == other.fresh && cohort == other.cohort &&
               experiment == other.experiment && filter == other.filter &&
               exclude == other.exclude && facets == other.facets && sort == other.sort &&
               diversity == other.diversity && group == other.group && pin == other.pin &&
               bury == other.bury && fields == other.fields && highlight == other.highlight &&
               effort == other.effort && seed == other.seed && limit == other.limit &&
               after == other.after && explain == other.explain &&
               log_impressions == other.log_impressions && log_features == other.log_features;
    }
};

/// Clauses stand in any order, each once.
/// @return kInvalidArgument with line, column and offset, what was expected and what was found;
///         kTooLarge above ranking::kTextBytesMax or the limits of filters and facets. Field
///         "query".
Result<Query> parse_query(std::string_view text);

/// One line that parses to an equal query.
std::string print_query(const Query& query);

/// An error of the call that `query` made. Where it has no line, column and offset, it is given
/// those of the word it is about, or of what asks for an input that is missing.
/// @param text  Of the query.
Error in_place(Error error, const Query& query, std::string_view text);

/// The part of `text` at `place`, with blanks for all before it: what is wrong in the part is found
/// at the line, column and offset it has in the whole.
std::string part_in_place(std::string_view text, const Query::Place& place);

}  // namespace tidal::query
