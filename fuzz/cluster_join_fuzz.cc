// Any bytes as a request to join, as an answer to one, and as a token: read or refused.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "cluster/join.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::cluster;
    const std::string input(reinterpret_cast<const char*>(data), size);
    const std::string key(kJoinKeyBytes, 'k');
    if (const auto request = decode_join_request(input); request.ok()) {
        const std::string bytes = encode_join_request(*request, key);
        const auto again = decode_join_request(bytes);
        require(again.ok() && *again == *request);
        require(check_join_request(bytes, key).ok());
    }
    const JoinToken token{1, key, std::string(32, 'a'), std::string(32, 'h'), 0};
    JoinRequest request;
    request.nonce = std::string(16, 'n');
    const auto answer =
        open_join_answer(input, token, request, encode_join_request(request, key), 0);
    require(!answer.ok());
    if (const auto parsed = parse_join_token(input); parsed.ok())
        require(*parse_join_token(print_join_token(*parsed)) == *parsed);
    return 0;
}
