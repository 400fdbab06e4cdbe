// Any bytes are a time that is written back the same, or are refused.
#include <cstdint>
#include <cstdlib>

#include "base/time_text.h"
#include "base/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto time = tidal::parse_time(text, "at");
    if (time && *time >= tidal::kTimeTextMin && *time <= tidal::kTimeTextMax) {
        const auto again = tidal::parse_time(tidal::format_time(*time), "at");
        if (!again || *again != *time) std::abort();
    }
    const auto offset = tidal::find_utf8_error(text);
    if (offset && *offset >= size) std::abort();
    return 0;
}
