#include "cluster/join.h"

#include "base/codec.h"
#include "cluster/certificates.h"
#include "cluster/internal/hex.h"
#include "cluster/internal/seal.h"

namespace tidal::cluster {
namespace {

constexpr std::uint32_t kRequestMagic = 0x514a4454;  // "TDJQ"
constexpr std::uint32_t kAnswerMagic = 0x414a4454;   // "TDJA"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceBytes = 16;
constexpr std::size_t kMacBytes = 32;
constexpr std::string_view kRequestUse = "tidaldb join request 1";
constexpr std::string_view kAnswerUse = "tidaldb join answer 1";
enum class Answer : std::uint8_t { kSealed = 1, kRefused = 2 };

/// What refusals may say.
constexpr ErrorCode kRefusalCodes[] = {ErrorCode::kUnauthenticated, ErrorCode::kConflict,
                                       ErrorCode::kUnavailable};

std::string mac_of_request(std::string_view body, std::string_view key) {
    return internal::mac_of(key, std::string(kRequestUse) + std::string(body));
}

Result<void> begin(Decoder* in, std::uint32_t magic, std::string_view what) {
    const bool ours = in->u32() == magic;
    const std::uint8_t version = in->u8();
    if (in->failed() || !ours) return Error(ErrorCode::kCorruption, "not a " + std::string(what));
    if (version != kVersion)
        return Error(ErrorCode::kIncompatible, std::string(what) + " of another version")
            .with("has", version)
            .with("this_program_reads", kVersion);
    return {};
}

std::string encode(const JoinAccepted& accepted) {
    Encoder out;
    out.raw(internal::id_bytes(accepted.identity.cluster_id));
    out.u32(accepted.identity.node.value());
    out.raw(internal::id_bytes(accepted.identity.instance_id));
    out.u16(accepted.identity.region.value());
    out.bytes(accepted.secret);
    out.u16(accepted.shards);
    out.u16(accepted.replicas);
    out.bytes(accepted.authority);
    out.bytes(accepted.authority_key);
    out.bytes(accepted.certificate);
    out.varint(accepted.peers.size());
    for (const JoinPeer& peer : accepted.peers) {
        out.u32(peer.node.value());
        out.bytes(peer.address);
    }
    return out.take();
}

Result<JoinAccepted> decode(std::string_view bytes) {
    Decoder in(bytes);
    JoinAccepted accepted;
    accepted.identity.cluster_id = internal::to_hex(in.raw(internal::kIdBytes));
    accepted.identity.node = NodeId(in.u32());
    accepted.identity.instance_id = internal::to_hex(in.raw(internal::kIdBytes));
    accepted.identity.region = RegionId(in.u16());
    accepted.secret = in.bytes();
    accepted.shards = in.u16();
    accepted.replicas = in.u16();
    accepted.authority = in.bytes();
    accepted.authority_key = in.bytes();
    accepted.certificate = in.bytes();
    const std::size_t peers = in.count(5);
    for (std::size_t i = 0; i < peers && !in.failed(); ++i) {
        const NodeId node(in.u32());
        accepted.peers.push_back({node, std::string(in.bytes())});
    }
    TIDAL_TRY(in.finish("join answer"));
    return accepted;
}

Error refusal(Decoder* in) {
    const std::uint8_t code = in->u8();
    const std::string text(in->bytes());
    if (!in->finish("join answer") || code >= std::size(kRefusalCodes))
        return Error(ErrorCode::kCorruption, "a refusal to join that cannot be read");
    return Error(kRefusalCodes[code], text);
}

/// The answer is the cluster's, by its key; this says that it is for this node, and all of a piece.
Result<void> check(const JoinAccepted& accepted, const JoinToken& token, const JoinRequest& request,
                   UnixMillis now_ms) {
    if (accepted.identity.cluster_id != token.cluster_id)
        return Error(ErrorCode::kUnauthenticated, "the answer is from another cluster")
            .with("token_of", token.cluster_id)
            .with("answer_of", accepted.identity.cluster_id);
    if (accepted.identity.instance_id != request.instance_id)
        return Error(ErrorCode::kUnauthenticated, "the answer is for another data directory");
    TIDAL_ASSIGN(const std::string hash, certificate_hash(accepted.authority));
    if (hash != token.authority_hash)
        return Error(ErrorCode::kUnauthenticated,
                     "the cluster's authority is not the one of the token")
            .with("token_has", internal::to_hex(token.authority_hash))
            .with("answer_has", internal::to_hex(hash));
    return check_certificate(accepted.certificate, accepted.authority, accepted.identity, now_ms);
}

}  // namespace

std::string encode_join_request(const JoinRequest& request, std::string_view key) {
    Encoder out;
    out.u32(kRequestMagic);
    out.u8(kVersion);
    out.u64(request.token_id);
    std::string nonce = request.nonce;
    nonce.resize(kNonceBytes);
    out.raw(nonce);
    out.raw(internal::id_bytes(request.instance_id));
    out.u16(request.region.value());
    out.bytes(request.public_key);
    out.bytes(request.address);
    out.bytes(request.http_address);
    out.raw(mac_of_request(out.view(), key));
    return out.take();
}

Result<JoinRequest> decode_join_request(std::string_view bytes) {
    Decoder in(bytes);
    TIDAL_TRY(begin(&in, kRequestMagic, "request to join"));
    JoinRequest request;
    request.token_id = in.u64();
    request.nonce = in.raw(kNonceBytes);
    request.instance_id = internal::to_hex(in.raw(internal::kIdBytes));
    request.region = RegionId(in.u16());
    request.public_key = in.bytes();
    request.address = in.bytes();
    request.http_address = in.bytes();
    in.raw(kMacBytes);
    TIDAL_TRY(in.finish("request to join"));
    return request;
}

Result<void> check_join_request(std::string_view bytes, std::string_view key) {
    if (bytes.size() > kMacBytes) {
        const std::string_view body = bytes.substr(0, bytes.size() - kMacBytes);
        if (internal::equal_secrets(bytes.substr(body.size()), mac_of_request(body, key)))
            return {};
    }
    return Error(ErrorCode::kUnauthenticated, "the request to join was not made with its token");
}

Result<std::string> seal_join_answer(const JoinAccepted& accepted, std::string_view request_bytes,
                                     std::string_view key) {
    TIDAL_ASSIGN(const JoinRequest request, decode_join_request(request_bytes));
    TIDAL_ASSIGN(const std::string own, internal::derive_key(key, request.nonce, kAnswerUse));
    TIDAL_ASSIGN(const std::string sealed, internal::seal(own, request_bytes, encode(accepted)));
    Encoder out;
    out.u32(kAnswerMagic);
    out.u8(kVersion);
    out.u8(static_cast<std::uint8_t>(Answer::kSealed));
    out.raw(sealed);
    return out.take();
}

std::string refuse_join(const Error& why) {
    std::uint8_t code = 0;
    for (std::uint8_t i = 0; i < std::size(kRefusalCodes); ++i)
        if (kRefusalCodes[i] == why.code()) code = i;
    Encoder out;
    out.u32(kAnswerMagic);
    out.u8(kVersion);
    out.u8(static_cast<std::uint8_t>(Answer::kRefused));
    out.u8(code);
    out.bytes(why.message());
    return out.take();
}

Result<JoinAccepted> open_join_answer(std::string_view bytes, const JoinToken& token,
                                      const JoinRequest& request, std::string_view request_bytes,
                                      UnixMillis now_ms) {
    Decoder in(bytes);
    TIDAL_TRY(begin(&in, kAnswerMagic, "answer to a request to join"));
    const auto kind = static_cast<Answer>(in.u8());
    if (kind == Answer::kRefused) return refusal(&in);
    if (kind != Answer::kSealed)
        return Error(ErrorCode::kCorruption, "an answer to a request to join of an unknown kind");
    TIDAL_ASSIGN(const std::string own, internal::derive_key(token.key, request.nonce, kAnswerUse));
    TIDAL_ASSIGN(const std::string text, internal::unseal(own, request_bytes, in.rest()));
    TIDAL_ASSIGN(JoinAccepted accepted, decode(text));
    TIDAL_TRY(check(accepted, token, request, now_ms));
    return accepted;
}

}  // namespace tidal::cluster
