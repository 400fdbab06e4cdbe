// Any text as a cohort: one that is read prints as itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "query/cohort.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::query;
    const auto read = parse_cohort({reinterpret_cast<const char*>(data), size});
    if (!read.ok()) return 0;
    const auto again = parse_cohort(print_cohort(*read));
    if (!again.ok() ? again.error().code() != tidal::ErrorCode::kTooLarge
                    : print_cohort(*again) != print_cohort(*read))
        std::abort();
    return 0;
}
