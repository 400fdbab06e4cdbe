// Any text through the reader of queries: what reads prints, and reads again as the same query;
// what does not says where.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "query/query_text.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto query = query::parse_query(text);
    if (!query) {
        const bool placed = std::ranges::any_of(
            query.error().context(), [](const auto& pair) { return pair.first == "line"; });
        require(placed || query.error().code() == ErrorCode::kTooLarge);
        return 0;
    }
    // The canonical form can be longer than what was read, and deeper by a pair of parentheses.
    const auto again = query::parse_query(query::print_query(*query));
    require(again.ok() ? *again == *query : again.error().code() == ErrorCode::kTooLarge);
    require(query::part_in_place(text, query->filter_at).size() <= text.size());
    return 0;
}
