// What is a user's: relationships, saved searches, collections, deliveries, keys of archives.
#include "record/id_codec.h"
#include "record/internal/body_codec.h"

namespace tidal::record {
namespace {

constexpr unsigned kEnds = 1, kOfTextUser = 2, kOfTextTarget = 4;
constexpr unsigned kOfTextSaver = 1, kHasText = 2, kLooked = 4;
// Of a collection's member: what changes in the low bits.
constexpr unsigned kChangeBits = 3, kOfTextItem = 4;

}  // namespace

void encode(const RelationshipBody& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(body.kind));
    out->u8(static_cast<std::uint8_t>(flag(body.ends, kEnds) |
                                      flag(body.user.is_text(), kOfTextUser) |
                                      flag(body.target.is_text(), kOfTextTarget)));
    encode_entity(body.user, out);
    encode_entity(body.target, out);
}
void decode(RelationshipBody* body, Decoder* in) {
    const std::uint8_t kind = in->u8();
    const unsigned flags = in->u8();
    if (kind >= kRelationshipKindCount || flags > 7) return in->fail();
    body->kind = static_cast<RelationshipKind>(kind);
    body->ends = (flags & kEnds) != 0;
    body->user = decode_entity((flags & kOfTextUser) != 0, in);
    body->target = decode_entity((flags & kOfTextTarget) != 0, in);
}

void encode(const SavedSearchBody& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(flag(body.user.is_text(), kOfTextSaver) |
                                      flag(body.text.has_value(), kHasText) |
                                      flag(body.looked, kLooked)));
    encode_entity(body.user, out);
    out->bytes(body.name);
    if (body.text) out->bytes(*body.text);
}
void decode(SavedSearchBody* body, Decoder* in) {
    const unsigned flags = in->u8();
    if (flags > 7) return in->fail();
    body->user = decode_entity((flags & kOfTextSaver) != 0, in);
    body->name = in->bytes();
    if ((flags & kHasText) != 0) body->text = in->bytes();
    body->looked = (flags & kLooked) != 0;
}

void encode(const CollectionMemberBody& body, Encoder* out) {
    using Change = CollectionMemberBody::Change;
    out->u8(static_cast<std::uint8_t>(static_cast<unsigned>(body.change) |
                                      flag(body.item.is_text(), kOfTextItem)));
    out->u64(body.collection.value());
    if (body.change != Change::kDropAll) encode_entity(body.item, out);
    if (body.change == Change::kPut) out->f64(body.position);
}
void decode(CollectionMemberBody* body, Decoder* in) {
    using Change = CollectionMemberBody::Change;
    const unsigned flags = in->u8();
    if (flags > 7 || (flags & kChangeBits) == 3) return in->fail();
    body->change = static_cast<Change>(flags & kChangeBits);
    const bool text = (flags & kOfTextItem) != 0;
    body->collection = CollectionId(in->u64());
    if (body->change == Change::kDropAll) {
        body->item = EntityId();
        return text ? in->fail() : void();
    }
    body->item = decode_entity(text, in);
    if (body->change == Change::kPut) body->position = in->f64();
}

void encode(const DeliveryBody& body, Encoder* out) {
    out->u8(body.user.is_text() ? 1 : 0);
    encode_entity(body.user, out);
    out->bytes(body.profile);
    out->varint(body.cap);
    out->varint(body.wanted);
    out->u64(body.page);
}
void decode(DeliveryBody* body, Decoder* in) {
    const std::uint8_t text = in->u8();
    if (text > 1) return in->fail();
    body->user = decode_entity(text == 1, in);
    body->profile = in->bytes();
    const std::uint64_t cap = in->varint(), wanted = in->varint();
    if (cap > kDailyCapMax || wanted > kDailyCapMax) return in->fail();
    body->cap = static_cast<std::uint32_t>(cap);
    body->wanted = static_cast<std::uint32_t>(wanted);
    body->page = in->u64();
}

void encode(const ArchiveKeysBody& body, Encoder* out) {
    out->varint(body.keys.size());
    for (const ArchiveKey& key : body.keys) {
        encode_optional_id(key.user, out);
        out->u64(key.newest.bits());
        out->u64(key.alias);
        out->raw(key.secret);
    }
}
void decode(ArchiveKeysBody* body, Decoder* in) {
    constexpr std::size_t kBytesMin = 2 + 8 + 8 + kArchiveSecretBytes;
    const std::size_t count = in->count(kBytesMin);
    if (count > kArchiveKeysMax) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        ArchiveKey& key = body->keys.emplace_back();
        auto user = decode_optional_id(in);
        if (!user) return in->fail();
        key.user = std::move(*user);
        key.newest = HybridTime::from_bits(in->u64());
        key.alias = in->u64();
        key.secret = in->raw(kArchiveSecretBytes);
    }
}

}  // namespace tidal::record
