// Ids as bodies hold them.
#include "record/id_codec.h"
#include "record/internal/body_codec.h"

namespace tidal::record {

void encode_entity(const EntityId& id, Encoder* out) {
    if (id.is_text())
        out->bytes(id.text());
    else
        out->varint(id.number());
}
EntityId decode_entity(bool is_text, Decoder* in) {
    if (is_text) return EntityId(std::string(in->bytes()));
    return EntityId(in->varint());
}

void encode_target(EntityKind kind, const EntityId& id, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(static_cast<unsigned>(kind) | (id.is_text() ? 4U : 0U)));
    encode_entity(id, out);
}
void decode_target(Decoder* in, EntityKind* kind, EntityId* id) {
    const std::uint8_t flags = in->u8();
    if (flags > 7 || (flags & 3) >= kEntityKindCount) return in->fail();
    *kind = static_cast<EntityKind>(flags & 3);
    *id = decode_entity((flags & 4) != 0, in);
}

void encode_optional_id(const std::optional<EntityId>& id, Encoder* out) {
    out->u8(!id ? 0 : id->is_text() ? 2 : 1);
    if (id) encode_entity(*id, out);
}

std::optional<EntityId> decode_optional_id(Decoder* in) {
    const std::uint8_t form = in->u8();
    if (form > 2) in->fail();
    if (form == 0 || form > 2) return std::nullopt;
    return decode_entity(form == 2, in);
}

}  // namespace tidal::record
