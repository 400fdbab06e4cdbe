// query/internal/query_words.h: the words of facets and queries, and the parts they share with
// filters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "query/facets.h"
#include "query/groups.h"
#include "query/internal/filter_words.h"
#include "query/sort.h"

namespace tidal::query {

/// Keywords are read in any case.
bool at_keyword(const ranking::TokenStream& tokens, std::string_view word);
bool accept_keyword(ranking::TokenStream* tokens, std::string_view word);

/// Those of filters and of queries: double quotes tell a name from one of them.
bool is_query_word(std::string_view text);
std::string print_query_name(std::string_view name);
/// A name, or one in double quotes. Only a name may stand there, so that a word of the language is
/// one, too. @param what for the error.
Result<std::string> take_name(ranking::TokenStream* tokens, std::string_view what);
/// Digits only, least..most.
Result<std::uint64_t> take_whole_number(ranking::TokenStream* tokens, std::uint64_t least,
                                        std::uint64_t most);

/// As parse_sort, parse_diversity_text and parse_group, up to the first token that is no part of
/// it.
Result<SortRequest> parse_sort_part(ranking::TokenStream* tokens);
Result<std::vector<ranking::DiversityRule>> parse_rules_part(ranking::TokenStream* tokens);
Result<GroupRequest> parse_group_part(ranking::TokenStream* tokens);

/// As parse_facets, up to the first token that is no part of a facet.
Result<std::vector<FacetRequest>> parse_facets_part(ranking::TokenStream* tokens);

}  // namespace tidal::query
