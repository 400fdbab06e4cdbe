// record/relay_codec.h: what a relay row has beyond a creator's share; in records and outbox rows.
#pragma once

#include "base/codec.h"
#include "record/record.h"

namespace tidal::record {

/// Effect, and what it says. Only of a row whose effect is not kCreator, which is written without.
void encode_effect(const RelayRow& row, Encoder* out);
/// Fails the decoder on an unknown effect.
void decode_effect(RelayRow* row, Decoder* in);

}  // namespace tidal::record
