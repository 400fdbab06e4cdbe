// query/collections.h: named sets of items that people choose, by name. What is in them lies with
// the items: audience/collections.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::query {

inline constexpr std::size_t kCollectionCountMax = 4'096;  ///< Not deleted.
inline constexpr std::size_t kDescriptionBytesMax = 4'096;

struct Collection {
    std::string name;           ///< As check_collection_name() wants it.
    std::uint32_t version = 1;  ///< Of its description.
    CollectionId id;            ///< Its own: one made anew under the same name has another.
    std::string description;
    UnixMillis put_ms = 0;  ///< When it was made or last described.
    bool operator==(const Collection&) const = default;
};

/// Of one that is made. Versions of a name are not used again, so neither are ids.
CollectionId collection_id(std::string_view name, std::uint32_t version);
/// 1 to 63 bytes of UTF-8 without control characters. kInvalidArgument of field "name".
Result<void> check_collection_name(std::string_view name);
/// What the catalogue keeps under its name: "id 7", a newline, the description.
std::string print_collection(const Collection& collection);
/// Id and description. kCorruption for what print_collection() does not write.
Result<Collection> parse_collection(std::string_view text);

/// All collections of a catalogue. Immutable; shared by threads.
class Collections {
public:
    Collections() = default;
    /// @param all  Of different names.
    explicit Collections(std::vector<Collection> all);

    std::span<const Collection> all() const { return all_; }  ///< By name.
    bool empty() const { return all_.empty(); }
    /// nullptr = no such.
    const Collection* find(std::string_view name) const;
    /// kUnknownName, reason "unknown_collection", with the nearest name.
    Error unknown(std::string_view name) const;

private:
    std::vector<Collection> all_;
};

}  // namespace tidal::query
