// audience/internal/hold_row.h: the rows of user states and relationships: keys and values.
// Format: docs/formats/audience_rows.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audience/state_names.h"
#include "base/codec.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::audience {

/// What holds between two ids, or is known to have ended. In force while `set` >= `cleared` and is
/// not 0; a `set` that lost against `cleared` is not kept.
struct HoldRow {
    HybridTime set;      ///< The greatest stamp that set it; 0 = not in force.
    HybridTime cleared;  ///< The greatest that cleared it; 0 = none.
    /// Of one in force: so many signals that may be taken back hold it, and nothing else; 0 = it is
    /// held for good.
    std::uint64_t signals = 0;
    HybridTime first;  ///< With `signals`: the stamp of the first of them; older ones do not count.

    bool in_force() const { return set != HybridTime(); }
    bool operator==(const HoldRow&) const = default;
};

std::string encode_hold(const HoldRow& row);
/// kCorruption for what encode_hold() does not write.
Result<HoldRow> decode_hold(std::string_view bytes);

inline constexpr std::string_view kStatePrefix = "a/s/";

struct StateKey {
    Slot slot;
    StateId state;
    EntityId user;
    bool operator==(const StateKey&) const = default;
};
/// Sorts by slot, then state, then user.
std::string encode_state_key(const StateKey& key);
std::string slot_prefix(Slot slot);
/// @param key  With its prefix. kCorruption for what encode_state_key() does not write.
Result<StateKey> decode_state_key(std::string_view key);

inline constexpr std::string_view kRelationPrefix = "a/r/";
inline constexpr std::string_view kSearchPrefix = "a/q/";        ///< A user, and a name.
inline constexpr std::string_view kArchiveKeyPrefix = "a/k/";    ///< And the user.
inline constexpr std::string_view kArchiveAliasPrefix = "a/l/";  ///< And the alias, as an id.
inline constexpr std::string_view kTastePrefix = "a/t/";         ///< And the user.
inline constexpr std::string_view kSessionPrefix = "a/e/";       ///< And its id.
inline constexpr std::string_view kShownPrefix = "a/w/";         ///< And the id of the session.

/// A relationship of a user to a creator.
struct RelationKey {
    EntityId user;
    std::uint8_t kind = 0;  ///< record::RelationshipKind.
    EntityId creator;
    bool operator==(const RelationKey&) const = default;
};
/// Those of a user lie together.
std::string encode_relation_key(const RelationKey& key);
std::string user_prefix(std::string_view prefix, const EntityId& user);
/// As decode_state_key().
Result<RelationKey> decode_relation_key(std::string_view key);

/// 'n' and the number, big-endian, or 's' and the text: sorts as ids do. The text runs to the end.
void append_id(const EntityId& id, std::string* key);
Result<EntityId> read_id(std::string_view bytes);

}  // namespace tidal::audience
