// audience/internal/member_row.h: the rows of items in collections. Format:
// docs/formats/audience_rows.md.
#pragma once

#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::audience {

inline constexpr std::string_view kMemberPrefix = "a/m/";

struct MemberKey {
    Slot slot;
    CollectionId collection;
    bool operator==(const MemberKey&) const = default;
};
/// Sorts by slot, so that those of an item lie together.
std::string encode_member_key(const MemberKey& key);
std::string member_prefix(Slot slot);
/// kCorruption for what encode_member_key() does not write.
Result<MemberKey> decode_member_key(std::string_view key);

struct MemberRow {
    double position = 0;
    HybridTime added;
    bool operator==(const MemberRow&) const = default;
};
std::string encode_member(const MemberRow& row);
/// kCorruption for what encode_member() does not write.
Result<MemberRow> decode_member(std::string_view bytes);

}  // namespace tidal::audience
