// record/id_codec.h: ids in the rows of others, as records write them.
#pragma once

#include <optional>

#include "base/codec.h"
#include "base/ids.h"

namespace tidal::record {

/// 0 = none, 1 and the number as a varint, 2 and the text.
void encode_optional_id(const std::optional<EntityId>& id, Encoder* out);
/// Fails the decoder on any other first byte.
std::optional<EntityId> decode_optional_id(Decoder* in);

}  // namespace tidal::record
