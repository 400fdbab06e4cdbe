// Any text as an experiment: one that is read prints as itself, and gives every user an arm.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ranking/experiment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::ranking;
    const auto read = parse_experiment({reinterpret_cast<const char*>(data), size});
    if (!read.ok()) return 0;
    const auto again = parse_experiment(print_experiment(*read));
    if (!again.ok() ? again.error().code() != tidal::ErrorCode::kTooLarge
                    : print_experiment(*again) != print_experiment(*read))
        std::abort();
    return 0;
}
