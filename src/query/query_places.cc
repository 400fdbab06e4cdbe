// Where in a query stands what an error of its call is about.
#include <algorithm>
#include <charconv>

#include "query/query_text.h"
#include "ranking/source_text.h"

namespace tidal::query {
namespace {

Error placed(Error error, std::string_view text, std::uint32_t offset) {
    const ranking::Position at = ranking::locate(text, offset);
    return std::move(error)
        .with("line", at.line)
        .with("column", at.column)
        .with("offset", at.offset);
}

std::size_t index_in(std::string_view text) {
    std::size_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

/// What chooses the profile asks for what the profile needs; where nothing does, the verb.
std::uint32_t choice_of(const Query& query) {
    for (const std::string_view field : {"profile", "experiment", ""})
        if (const auto found = query.words.find(field); found != query.words.end())
            return found->second.front();
    return 0;
}

}  // namespace

Error in_place(Error error, const Query& query, std::string_view text) {
    std::size_t index = 0;
    for (const auto& [key, value] : error.context()) {
        if (key == "offset") return error;
        if (key == "index") index = index_in(value);
    }
    const auto found = query.words.find(error.field());
    if (found != query.words.end() && !error.field().empty())
        return placed(std::move(error), text,
                      found->second[std::min(index, found->second.size() - 1)]);
    if (error.field() == "profile" || error.field().starts_with("params.") ||
        error.reason().starts_with("missing_"))
        return placed(std::move(error), text, choice_of(query));
    return error;
}

}  // namespace tidal::query
