// Any bytes through the frame reader of a connection, in pieces: what comes out encodes to the
// bytes that went in.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/internal/frame.h"
#include "runtime/network.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::runtime::internal;
    std::string_view input(reinterpret_cast<const char*>(data), size);
    if (input.empty()) return 0;
    const std::size_t piece = static_cast<std::uint8_t>(input.front()) + 1U;
    input.remove_prefix(1);
    FrameReader reader;
    std::string read;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        reader.feed(input.substr(at, piece));
        while (true) {
            auto frame = reader.next();
            if (!frame) {
                const auto code = frame.error().code();
                require(code == tidal::ErrorCode::kCorruption ||
                        code == tidal::ErrorCode::kIncompatible);
                return 0;
            }
            if (!frame->has_value()) break;
            require((*frame)->payload.size() <= tidal::runtime::kMessageBytesMax);
            read += encode_frame((*frame)->kind, (*frame)->payload);
            require(input.substr(0, read.size()) == read);
        }
    }
    return 0;
}
