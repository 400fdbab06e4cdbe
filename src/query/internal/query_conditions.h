// query/internal/query_conditions.h: #tag and creator:x in what people search for, as conditions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "query/filter.h"
#include "schema/schema.h"

namespace tidal::query {

struct QueryConditions {
    std::string words;                 ///< What is left to search for.
    std::optional<FilterNode> filter;  ///< All of them; nullopt = there are none.
};

/// `#jazz` stands for items with the keyword jazz in any field of keywords, `creator:7` for those
/// of creator 7; `-` before it for all others. They are conditions wherever they stand, but within
/// quotation marks, parentheses and beside OR, where they are words. Values with blanks are quoted:
/// `#"acid jazz"`.
QueryConditions take_conditions(std::string_view text, const schema::Schema& schema,
                                EntityKind kind);

}  // namespace tidal::query
