// Any bytes as a message of a call, and as an error of another node: read or refused, and read
// again the same.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/codec.h"
#include "cluster/error_codec.h"
#include "cluster/internal/rpc_message.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::cluster;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto message = internal::decode_rpc(input); message.ok())
        require(internal::encode_rpc(*message) == input);
    Decoder in(input);
    const Error error = decode_error(&in);
    if (in.failed()) return 0;
    Encoder out;
    encode_error(error, &out);
    Decoder again(out.view());
    require(decode_error(&again).to_string() == error.to_string() && again.finish("error").ok());
    return 0;
}
