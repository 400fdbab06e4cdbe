// Any text through the reader of filters: what reads prints, reads again as the same tree, and
// binds or is refused with a place in the text.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "query/bound_filter.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

bool has_place(const tidal::Error& error) {
    return std::ranges::any_of(error.context(),
                               [](const auto& pair) { return pair.first == "line"; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    static const schema::Schema kSchema = *schema::parse_schema(schema::default_schema_yaml());
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto filter = query::parse_filter(text);
    if (!filter) {
        require(has_place(filter.error()) || filter.error().code() == ErrorCode::kTooLarge);
        return 0;
    }
    const auto again = query::parse_filter(query::print_filter(*filter));
    require(again.ok() ? *again == *filter : again.error().code() == ErrorCode::kTooLarge);
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        const auto bound = query::bind_filter(*filter, text, kSchema, kind);
        require(bound.ok() || has_place(bound.error()));
    }
    return 0;
}
