// Signals, what takes them back, and what sessions do.
#include "record/id_codec.h"
#include "record/internal/body_codec.h"
#include "record/session_codec.h"

namespace tidal::record {
namespace {

constexpr unsigned kItemText = 1, kHasWeight = 2, kHasCreator = 16, kCreatorText = 32,
                   kHasContext = 64;

void encode_ids(const std::vector<EntityId>& ids, Encoder* out) {
    out->varint(ids.size());
    for (const EntityId& id : ids) encode_optional_id(id, out);
}
void decode_ids(std::size_t most, Decoder* in, std::vector<EntityId>* ids) {
    const std::size_t count = in->count(2);
    if (count > most) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        auto id = decode_optional_id(in);
        if (!id) return in->fail();
        ids->push_back(std::move(*id));
    }
}

bool opens(const SessionBody& body) {
    return body.act == SessionAct::kOpen;
}

}  // namespace

void encode(const SignalBody& body, Encoder* out) {
    out->varint(body.signal.value());
    const unsigned flags = flag(body.item.is_text(), kItemText) |
                           flag(body.weight != kWeightOne, kHasWeight) |
                           optional_id_flags(body.user, kHasUser, kUserText) |
                           optional_id_flags(body.creator, kHasCreator, kCreatorText) |
                           flag(!body.context.empty(), kHasContext);
    out->u8(static_cast<std::uint8_t>(flags));
    encode_entity(body.item, out);
    if ((flags & kHasWeight) != 0) out->svarint(body.weight);
    if (body.user) encode_entity(*body.user, out);
    if (body.creator) encode_entity(*body.creator, out);
    if (!body.context.empty()) out->bytes(body.context);
}
void decode(SignalBody* body, Decoder* in) {
    body->signal = decode_id_number<SignalTypeId>(in);
    const unsigned flags = in->u8();
    if (flags > 127 || is_stray(flags, kHasUser, kUserText) ||
        is_stray(flags, kHasCreator, kCreatorText))
        return in->fail();
    body->item = decode_entity((flags & kItemText) != 0, in);
    body->weight = (flags & kHasWeight) != 0 ? in->svarint() : kWeightOne;
    body->user.reset();
    if ((flags & kHasUser) != 0) body->user = decode_entity((flags & kUserText) != 0, in);
    body->creator.reset();
    if ((flags & kHasCreator) != 0) body->creator = decode_entity((flags & kCreatorText) != 0, in);
    body->context.clear();
    if ((flags & kHasContext) != 0) body->context = in->bytes();
}

void encode(const UndoBody& body, Encoder* out) {
    encode_target(EntityKind::kItem, body.item, out);
    out->bytes(body.key);
}
void decode(UndoBody* body, Decoder* in) {
    EntityKind kind{};
    decode_target(in, &kind, &body->item);
    if (kind != EntityKind::kItem) in->fail();
    body->key = in->bytes();
}

void encode(const SessionBody& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(body.act));
    out->varint(body.session);
    if (opens(body)) {
        encode_optional_id(body.user, out);
        out->bytes(body.agent);
        encode_limits(body.limits, out);
    }
    if (opens(body) || body.act == SessionAct::kAnnotate) encode_annotations(body.annotations, out);
    if (body.act == SessionAct::kShow) encode_ids(body.shown, out);
}
void decode(SessionBody* body, Decoder* in) {
    const std::uint8_t act = in->u8();
    if (act >= kSessionActCount) return in->fail();
    body->act = static_cast<SessionAct>(act);
    body->session = in->varint();
    if (opens(*body)) {
        body->user = decode_optional_id(in);
        body->agent = in->bytes();
        body->limits = decode_limits(in);
    }
    if (opens(*body) || body->act == SessionAct::kAnnotate)
        body->annotations = decode_annotations(in);
    if (body->act == SessionAct::kShow) decode_ids(kShownMax, in, &body->shown);
}

void encode(const SessionSignalBody& body, Encoder* out) {
    out->varint(body.session);
    encode(body.signal, out);
}
void decode(SessionSignalBody* body, Decoder* in) {
    body->session = in->varint();
    decode(&body->signal, in);
}

void encode(const SessionUndoBody& body, Encoder* out) {
    out->varint(body.session);
    encode_target(body.kind, body.item, out);
    out->bytes(body.key);
}
void decode(SessionUndoBody* body, Decoder* in) {
    body->session = in->varint();
    decode_target(in, &body->kind, &body->item);
    body->key = in->bytes();
}

}  // namespace tidal::record
