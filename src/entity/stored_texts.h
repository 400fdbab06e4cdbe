// entity/stored_texts.h: the texts of live entities, read from rows of a store without a table.
#pragma once

#include <absl/functional/function_ref.h>

#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "schema/schema.h"

namespace tidal::entity {

/// Where the rows of a kind lie in the store.
std::string stored_rows_prefix(EntityKind kind);

using StoredTextVisitor = absl::FunctionRef<void(Slot slot, FieldId field, std::string_view text)>;
/// What TextListener is told of this row when a table opens.
/// @param fields  Of the kind. @param row  A value under the prefix.
/// @return kCorruption  of a row that is malformed.
Result<void> visit_stored_texts(const std::vector<schema::FieldSpec>& fields, std::string_view row,
                                StoredTextVisitor visit);

}  // namespace tidal::entity
