// transfer/internal/conversion.h: text to typed values. The message of an error is a reason to
// reject a row: short, without the row.
#pragma once

#include <string_view>

#include "base/hlc.h"
#include "base/ids.h"
#include "record/value.h"
#include "schema/schema.h"
#include "transfer/mapping.h"

namespace tidal::transfer {

Result<double> to_number(std::string_view text);
/// A number, or where `text_ids` a string of 1 to 255 bytes.
Result<EntityId> to_id(std::string_view text, bool text_ids);
/// Whole milliseconds; seconds may have a fraction, which is cut to milliseconds.
Result<UnixMillis> to_time(std::string_view text, TimeUnit unit);
/// Any type but keywords. geo: "latitude,longitude".
Result<record::Value> to_value(std::string_view text, schema::FieldType type, TimeUnit unit);

}  // namespace tidal::transfer
