// schema/internal/rules.h: what one declaration must satisfy; the reader adds the position.
#pragma once

#include "schema/schema.h"

namespace tidal::schema {

Result<void> check_field(const FieldSpec& field);
Result<void> check_embedding(const EmbeddingSpec& embedding);
Result<void> check_signal(const SignalSpec& signal);
/// Counts, ids and duplicates of a kind; `key` is its top-level YAML key.
Result<void> check_kind(const KindSchema& kind, std::string_view key);
Result<void> check_signals(const std::vector<SignalSpec>& signals);
bool is_number(FieldType type);

}  // namespace tidal::schema
