// Any bytes as a forwarded write, and as its outcomes: read or refused, and read again the same.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/forward.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::api;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto proposal = decode_proposal(input); proposal.ok()) {
        const std::string bytes = encode_proposal(*proposal);
        const auto again = decode_proposal(bytes);
        require(again.ok() && encode_proposal(*again) == bytes);
        require(again->records.size() == proposal->records.size());
    }
    if (const auto outcomes = decode_outcomes(input); outcomes.ok()) {
        const std::string bytes = encode_outcomes(*outcomes);
        const auto again = decode_outcomes(bytes);
        require(again.ok() && encode_outcomes(*again) == bytes);
    }
    return 0;
}
