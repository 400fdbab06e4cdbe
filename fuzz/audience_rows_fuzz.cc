// Any bytes as a row of user states or a key of one: refused as damage, or written again as the
// same bytes. A session of an older version is written again as the newest, which is then read the
// same.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "audience/co_engagement.h"
#include "audience/cohort_ledgers.h"
#include "audience/deliveries.h"
#include "audience/internal/hold_row.h"
#include "audience/internal/member_row.h"
#include "audience/session.h"
#include "audience/taste.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check_session(std::string_view input) {
    const auto session = tidal::audience::decode_session(input);
    if (!session) return;
    const std::string written = tidal::audience::encode_session(*session);
    if (input[0] == written[0]) return require(written == input);
    const auto again = tidal::audience::decode_session(written);
    require(again && tidal::audience::encode_session(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::audience;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto row = decode_hold(input)) require(encode_hold(*row) == input);
    if (const auto key = decode_state_key(input)) require(encode_state_key(*key) == input);
    if (const auto key = decode_relation_key(input)) require(encode_relation_key(*key) == input);
    if (const auto list = decode_neighbours(input)) require(encode_neighbours(*list) == input);
    if (const auto pairs = decode_cohort_pairs(input))
        require(encode_cohort_pairs(*pairs) == input);
    check_session(input);
    if (const auto shown = decode_shown(input)) require(encode_shown(*shown) == input);
    if (const auto taste = decode_taste(input)) require(encode_taste(*taste) == input);
    if (const auto row = decode_member(input)) require(encode_member(*row) == input);
    if (const auto key = decode_member_key(input)) require(encode_member_key(*key) == input);
    if (const auto day = decode_deliveries(input)) require(encode_deliveries(*day) == input);
    return 0;
}
