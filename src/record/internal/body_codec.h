// record/internal/body_codec.h: each body's pair of functions, and what they share
// (docs/formats/record.md). Decoders are failed by any bit that no encoder sets.
#pragma once

#include <limits>
#include <optional>

#include "base/codec.h"
#include "record/record.h"

namespace tidal::record {

void encode(const SignalBody& body, Encoder* out);
void decode(SignalBody* body, Decoder* in);
void encode(const UndoBody& body, Encoder* out);
void decode(UndoBody* body, Decoder* in);
void encode(const UpsertBody& body, Encoder* out);
void decode(UpsertBody* body, Decoder* in);
void encode(const DeleteBody& body, Encoder* out);
void decode(DeleteBody* body, Decoder* in);
void encode(const EmbeddingBody& body, Encoder* out);
void decode(EmbeddingBody* body, Decoder* in);
void encode(const SchemaBody& body, Encoder* out);
void decode(SchemaBody* body, Decoder* in);
void encode(const ShardConfigBody& body, Encoder* out);
void decode(ShardConfigBody* body, Decoder* in);
void encode(const TickBody& body, Encoder* out);
void decode(TickBody* body, Decoder* in);
void encode(const RelayBody& body, Encoder* out);
void decode(RelayBody* body, Decoder* in);
void encode(const RelayAckBody& body, Encoder* out);
void decode(RelayAckBody* body, Decoder* in);
void encode(const ImportMarkBody& body, Encoder* out);
void decode(ImportMarkBody* body, Decoder* in);
void encode(const CatalogBody& body, Encoder* out);
void decode(CatalogBody* body, Decoder* in);
void encode(const RelationshipBody& body, Encoder* out);
void decode(RelationshipBody* body, Decoder* in);
void encode(const SavedSearchBody& body, Encoder* out);
void decode(SavedSearchBody* body, Decoder* in);
void encode(const SessionBody& body, Encoder* out);
void decode(SessionBody* body, Decoder* in);
void encode(const SessionSignalBody& body, Encoder* out);
void decode(SessionSignalBody* body, Decoder* in);
void encode(const CollectionMemberBody& body, Encoder* out);
void decode(CollectionMemberBody* body, Decoder* in);
void encode(const DeliveryBody& body, Encoder* out);
void decode(DeliveryBody* body, Decoder* in);
void encode(const ArchiveKeysBody& body, Encoder* out);
void decode(ArchiveKeysBody* body, Decoder* in);
void encode(const EraseUserBody& body, Encoder* out);
void decode(EraseUserBody* body, Decoder* in);
void encode(const SessionUndoBody& body, Encoder* out);
void decode(SessionUndoBody* body, Decoder* in);

template <typename IdType>
IdType decode_id_number(Decoder* in) {
    const std::uint64_t value = in->varint();
    using Number = typename IdType::number_type;
    if (value > std::numeric_limits<Number>::max()) in->fail();
    return IdType(static_cast<Number>(value));
}

/// Whether an id is text is known from a flag before it.
void encode_entity(const EntityId& id, Encoder* out);
EntityId decode_entity(bool is_text, Decoder* in);

/// Kind in the low bits, text flag above.
void encode_target(EntityKind kind, const EntityId& id, Encoder* out);
void decode_target(Decoder* in, EntityKind* kind, EntityId* id);

/// Flags of users in signals and in relay rows.
inline constexpr unsigned kHasUser = 4, kUserText = 8;

inline unsigned flag(bool on, unsigned bit) {
    return on ? bit : 0;
}
inline unsigned optional_id_flags(const std::optional<EntityId>& id, unsigned has, unsigned text) {
    return id ? has | flag(id->is_text(), text) : 0;
}
/// A text flag without its id is no encoding of ours.
inline bool is_stray(unsigned flags, unsigned has, unsigned text) {
    return (flags & text) != 0 && (flags & has) == 0;
}

}  // namespace tidal::record
