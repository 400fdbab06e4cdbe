#include "query/collections.h"

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "base/utf8.h"
#include "ranking/source_text.h"
#include "schema/schema.h"

namespace tidal::query {
namespace {

constexpr std::string_view kIdWord = "id ";

Error malformed() {
    return Error(ErrorCode::kCorruption, "a collection of the catalogue that cannot be read");
}

}  // namespace

CollectionId collection_id(std::string_view name, std::uint32_t version) {
    return CollectionId(hash64(std::string(name) + '\n' + std::to_string(version)));
}

Result<void> check_collection_name(std::string_view name) {
    const bool printable =
        std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (!name.empty() && name.size() <= schema::kNameBytesMax && printable &&
        !find_utf8_error(name))
        return {};
    return Error(ErrorCode::kInvalidArgument,
                 "the name of a collection has 1 to 63 bytes of UTF-8 without control characters")
        .with_field("name")
        .with_reason("bad_name");
}

std::string print_collection(const Collection& collection) {
    return std::string(kIdWord) + std::to_string(collection.id.value()) + '\n' +
           collection.description;
}

Result<Collection> parse_collection(std::string_view text) {
    if (!text.starts_with(kIdWord)) return malformed();
    text.remove_prefix(kIdWord.size());
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end == text.data() + text.size() || *end != '\n')
        return malformed();
    Collection out;
    out.id = CollectionId(id);
    out.description = text.substr(static_cast<std::size_t>(end - text.data()) + 1);
    return out;
}

Collections::Collections(std::vector<Collection> all) : all_(std::move(all)) {
    std::ranges::sort(all_, {}, &Collection::name);
}

const Collection* Collections::find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(all_, name, {}, &Collection::name);
    return found != all_.end() && found->name == name ? &*found : nullptr;
}

Error Collections::unknown(std::string_view name) const {
    constexpr std::size_t kNamedMax = 20;
    std::vector<std::string_view> names;
    for (const Collection& each : all_) names.push_back(each.name);
    std::string hint = ranking::suggestion(name, "collections", names);
    if (names.size() > kNamedMax && !hint.starts_with("did you mean"))
        hint = "there are " + std::to_string(names.size()) + " collections: GET /collections";
    return Error(ErrorCode::kUnknownName, "unknown collection `" + std::string(name) + "`")
        .with_reason("unknown_collection")
        .with_hint(hint);
}

}  // namespace tidal::query
