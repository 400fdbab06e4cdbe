// Any bytes as the texts a cluster keeps of itself: refused, or printed again as the same bytes.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cluster/member_texts.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::cluster;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto member = parse_member(input)) require(print_member(*member) == input);
    if (const auto token = parse_join_token_record(input))
        require(print_join_token_record(*token) == input);
    if (const auto key = parse_api_key(input)) require(print_api_key(*key) == input);
    if (const auto node = parse_member_name(input)) require(member_name(*node) == input);
    return 0;
}
