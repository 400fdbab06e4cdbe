// Any bytes through the readers of the simulation's row engine.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "storage/internal/simple_log.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::storage::internal;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto ignore = [](std::string_view, std::optional<std::string_view>) {};

    if (const auto head = decode_simple_head(input)) require(encode_simple_head(*head) == input);
    if (!decode_simple_log(input, ignore)) {
        // Behind the checksum, where random bytes seldom get.
        Encoder log;
        log.raw(simple_log_magic());
        log.u64(input.size());
        log.u32(crc32c(input));
        log.raw(input);
        SimpleFrame frame;
        const auto decoded = decode_simple_log(
            log.view(), [&](std::string_view key, std::optional<std::string_view> value) {
                frame.add(key, value);
            });
        if (decoded) require(decode_simple_log(simple_log_magic() + frame.finish(), ignore).ok());
    }
    if (const auto number = parse_simple_log_name(input); number != 0)
        require(simple_log_name(number) == input);
    return 0;
}
