// Bodies by their tags, and a body's hash.
#include "record/internal/body.h"

#include "base/hash.h"
#include "record/internal/body_codec.h"

namespace tidal::record {
namespace {

// The tag of a body is its place in the variant; both only grow at the end.
static_assert(std::variant_size_v<Body> == 21);

template <std::size_t... I>
void decode_tagged(std::size_t tag, Decoder* in, Body* out, std::index_sequence<I...>) {
    const bool known = ((tag == I && (decode(&out->emplace<I>(), in), true)) || ...);
    if (!known) in->fail();
}

}  // namespace

void encode_body(const Body& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(body.index()));
    std::visit([&](const auto& b) { encode(b, out); }, body);
}

void decode_body(Decoder* in, Body* out) {
    const std::uint8_t tag = in->u8();
    // Nearly every record of a log; a new or reused record holds a SignalBody already, and its
    // decode sets every member.
    if (tag == 0 && out->index() == 0) return decode(std::get_if<SignalBody>(out), in);
    decode_tagged(tag, in, out, std::make_index_sequence<std::variant_size_v<Body>>());
}

std::uint64_t body_hash(const Body& body) {
    Encoder out;
    const auto* session = std::get_if<SessionBody>(&body);
    if (session == nullptr || session->act != SessionAct::kOpen) {
        encode_body(body, &out);
        return hash64(out.view());
    }
    // The client named a policy; which version the door knew is not the client's.
    SessionBody asked = *session;
    asked.limits = {session->limits.policy.substr(0, session->limits.policy.find('@'))};
    encode_body(asked, &out);
    return hash64(out.view());
}

}  // namespace tidal::record
