// cluster/error_codec.h: an Error as bytes, so that one of another node reads like one of this one.
// docs/formats/peer.md, "Errors".
#pragma once

#include "base/codec.h"
#include "base/error.h"

namespace tidal::cluster {

void encode_error(const Error& error, Encoder* out);
/// A code that this program does not know becomes kInternal, and says so. A failed decoder gives
/// kCorruption.
Error decode_error(Decoder* in);

}  // namespace tidal::cluster
