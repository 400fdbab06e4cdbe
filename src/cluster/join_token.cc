#include "cluster/join_token.h"

#include "base/base64url.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "cluster/internal/hex.h"

namespace tidal::cluster {
namespace {

constexpr std::size_t kAuthorityHashBytes = 32;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::string print_join_token(const JoinToken& token) {
    Encoder out;
    out.u64(token.id);
    out.raw(token.key);
    out.raw(internal::from_hex(token.cluster_id));
    out.raw(token.authority_hash);
    out.i64(token.expires_ms);
    out.u32(crc32c(out.view()));
    return std::string(kJoinTokenPrefix) + base64url_encode(out.view());
}

Result<JoinToken> parse_join_token(std::string_view text) {
    const auto malformed = [](const std::string& what) {
        return Error(ErrorCode::kInvalidArgument, what)
            .with_field("token")
            .with_hint("copy the whole line that the cluster printed");
    };
    text = trimmed(text);
    if (!text.starts_with(kJoinTokenPrefix))
        return malformed("not a join token: those begin with `tdj1.`");
    const auto bytes = base64url_decode(text.substr(kJoinTokenPrefix.size()));
    if (!bytes) return malformed("the join token has characters that do not belong there");
    Decoder in(*bytes);
    JoinToken token;
    token.id = in.u64();
    token.key = in.raw(kJoinKeyBytes);
    token.cluster_id = internal::to_hex(in.raw(internal::kIdBytes));
    token.authority_hash = in.raw(kAuthorityHashBytes);
    token.expires_ms = in.i64();
    const std::size_t covered = in.offset();
    const std::uint32_t checksum = in.u32();
    if (!in.finish("token") || checksum != crc32c(std::string_view(*bytes).substr(0, covered)))
        return malformed("a part of the join token is missing or changed");
    return token;
}

}  // namespace tidal::cluster
