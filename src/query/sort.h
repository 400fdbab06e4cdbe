// query/sort.h: the order a request asks for in the place of its profile's. Language:
// docs/reference/query.md, "Order".
#pragma once

#include <string>
#include <string_view>

#include "ranking/request_stages.h"

namespace tidal::query {

struct SortRequest {
    ranking::Expr by;
    bool descending = false;
    bool operator==(const SortRequest&) const = default;
};

///   sort := expression [ASC | DESC]
/// @return kInvalidArgument with line, column and offset; kTooLarge.
Result<SortRequest> parse_sort(std::string_view text);
/// Text that parses to an equal request.
std::string print_sort(const SortRequest& sort);

///   diversity := NONE | rules
/// `rules` as in a profile; NONE keeps nothing, whatever the profile says.
Result<std::vector<ranking::DiversityRule>> parse_diversity_text(std::string_view text);
std::string print_diversity(const std::vector<ranking::DiversityRule>& rules);

}  // namespace tidal::query
