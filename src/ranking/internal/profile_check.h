// ranking/internal/profile_check.h: names in the statements of a profile that are not expressions.
#pragma once

#include "ranking/profile.h"

namespace tidal::ranking {

/// @return kUnknownName      signal, slot or field, with a hint;
///         kInvalidArgument  one that this kind of entity, or this statement, cannot use; both with
///         line, column and offset.
Result<void> check_profile(const Profile& profile, const schema::Schema& schema, EntityKind kind);

/// Whether entities keep a value of that name, so that positions in its order stay.
bool is_stored(std::string_view name, const schema::Schema& schema, EntityKind kind);

}  // namespace tidal::ranking
