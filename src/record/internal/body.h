// record/internal/body.h: bodies without their envelope.
#pragma once

#include "record/record.h"

namespace tidal::record {

/// Tag byte, then the body.
void encode_body(const Body& body, Encoder* out);
/// Fails the decoder on an unknown tag or bit.
void decode_body(Decoder* in, Body* out);

}  // namespace tidal::record
