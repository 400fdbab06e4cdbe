// Bodies, one pair of functions each, in the order of their tags (docs/formats/record.md).

#include <limits>

#include "base/hash.h"
#include "record/budget_codec.h"
#include "record/id_codec.h"
#include "record/internal/body.h"
#include "record/relay_codec.h"
#include "record/session_codec.h"

namespace tidal::record {
namespace {

// The tag of a body is its place in the variant; both only grow at the end.
static_assert(std::variant_size_v<Body> == 21);

template <typename IdType>
IdType decode_id_number(Decoder* in) {
    const std::uint64_t value = in->varint();
    using Number = typename IdType::number_type;
    if (value > std::numeric_limits<Number>::max()) in->fail();
    return IdType(static_cast<Number>(value));
}

/// Whether an id is text is known from a flag before it.
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

/// Kind in the low bits, text flag above.
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

// Signal and relay row flags.
constexpr unsigned kItemText = 1, kHasWeight = 2, kHasUser = 4, kUserText = 8, kHasCreator = 16,
                   kCreatorText = 32, kHasContext = 64;
constexpr unsigned kHasEffect = 1, kTargetText = 32;  // Of relay rows alone.

unsigned flag(bool on, unsigned bit) {
    return on ? bit : 0;
}
unsigned optional_id_flags(const std::optional<EntityId>& id, unsigned has, unsigned text) {
    return id ? has | flag(id->is_text(), text) : 0;
}
/// A text flag without its id is no encoding of ours.
bool is_stray(unsigned flags, unsigned has, unsigned text) {
    return (flags & text) != 0 && (flags & has) == 0;
}

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

// Upsert flags; each changed envelope field has one bit for "named" and the next for "set".
constexpr unsigned kMustExist = 1, kIfMatch = 2, kCreator = 4, kCreated = 16, kPublish = 64,
                   kExpires = 256, kUpsertFlags = 1024;

template <typename T>
unsigned change_flags(const Change<T>& change, unsigned named) {
    if (!change) return 0;
    return *change ? named | named << 1 : named;
}
/// nullopt when not named; otherwise an empty inner optional, filled by the caller when set.
template <typename T>
bool decode_change(unsigned flags, unsigned named, Change<T>* change, Decoder* in) {
    const bool set = (flags & named << 1) != 0;
    if ((flags & named) == 0) {
        if (set) in->fail();
        return false;
    }
    change->emplace();
    return set;
}

void encode_time(const Change<UnixMillis>& change, Encoder* out) {
    if (change && *change) out->svarint(**change);
}
void decode_time(unsigned flags, unsigned named, Change<UnixMillis>* change, Decoder* in) {
    if (decode_change(flags, named, change, in)) *change = in->svarint();
}

void encode(const UpsertBody& body, Encoder* out) {
    encode_target(body.kind, body.id, out);
    out->varint(flag(body.must_exist, kMustExist) | flag(body.if_match.has_value(), kIfMatch) |
                change_flags(body.creator, kCreator) | change_flags(body.created_at, kCreated) |
                change_flags(body.publish_at, kPublish) | change_flags(body.expires_at, kExpires));
    if (body.if_match) out->u64(body.if_match->bits());
    if (body.creator && *body.creator) {
        out->u8((*body.creator)->is_text() ? 1 : 0);
        encode_entity(**body.creator, out);
    }
    encode_time(body.created_at, out);
    encode_time(body.publish_at, out);
    encode_time(body.expires_at, out);
    out->varint(body.fields.size());
    for (const FieldChange& change : body.fields) {
        out->varint(static_cast<std::uint64_t>(change.field.value()) << 1 | (change.value ? 1 : 0));
        if (change.value) encode_value(*change.value, out);
    }
}
void decode_fields(std::vector<FieldChange>* fields, Decoder* in) {
    const std::size_t count = in->count(1);
    if (count > schema::kFieldsMax) return in->fail();
    fields->reserve(count);
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        const std::uint64_t head = in->varint();
        if (head >> 1 > UINT16_MAX) return in->fail();
        FieldChange& change = fields->emplace_back();
        change.field = FieldId(static_cast<std::uint16_t>(head >> 1));
        if ((head & 1) != 0) change.value = decode_value(in);
    }
}
void decode(UpsertBody* body, Decoder* in) {
    decode_target(in, &body->kind, &body->id);
    const std::uint64_t bits = in->varint();
    if (bits >= kUpsertFlags) return in->fail();
    const auto flags = static_cast<unsigned>(bits);
    body->must_exist = (flags & kMustExist) != 0;
    if ((flags & kIfMatch) != 0) body->if_match = HybridTime::from_bits(in->u64());
    if (decode_change(flags, kCreator, &body->creator, in)) {
        const std::uint8_t is_text = in->u8();
        if (is_text > 1) return in->fail();
        body->creator = decode_entity(is_text == 1, in);
    }
    decode_time(flags, kCreated, &body->created_at, in);
    decode_time(flags, kPublish, &body->publish_at, in);
    decode_time(flags, kExpires, &body->expires_at, in);
    decode_fields(&body->fields, in);
}

void encode(const DeleteBody& body, Encoder* out) {
    encode_target(body.kind, body.id, out);
    out->u8(body.if_match ? 1 : 0);
    if (body.if_match) out->u64(body.if_match->bits());
}
void decode(DeleteBody* body, Decoder* in) {
    decode_target(in, &body->kind, &body->id);
    const std::uint8_t has_match = in->u8();
    if (has_match > 1) return in->fail();
    if (has_match == 1) body->if_match = HybridTime::from_bits(in->u64());
}

void encode(const EmbeddingBody& body, Encoder* out) {
    encode_target(body.kind, body.id, out);
    out->varint(body.slot.value());
    out->varint(body.values.size());
    for (const float value : body.values) out->f32(value);
}
void decode(EmbeddingBody* body, Decoder* in) {
    decode_target(in, &body->kind, &body->id);
    body->slot = decode_id_number<EmbeddingSlotId>(in);
    const std::size_t count = in->count(sizeof(float));
    if (count > schema::kDimensionsMax) return in->fail();
    body->values.reserve(count);
    for (std::size_t i = 0; i < count; ++i) body->values.push_back(in->f32());
}

void encode(const SchemaBody& body, Encoder* out) {
    out->bytes(body.schema);
}
void decode(SchemaBody* body, Decoder* in) {
    body->schema = in->bytes();
}

void encode(const ShardConfigBody& body, Encoder* out) {
    out->varint(body.apply_version.value());
    out->varint(body.epoch.value());
    out->u16(body.vshard_begin);
    out->u16(body.vshard_end);
    if (body.memory) encode_budgets(*body.memory, out);
}
void decode(ShardConfigBody* body, Decoder* in) {
    body->apply_version = decode_id_number<ApplyVersion>(in);
    body->epoch = decode_id_number<Epoch>(in);
    body->vshard_begin = in->u16();
    body->vshard_end = in->u16();
    if (in->remaining() > 0) body->memory = decode_budgets(in);  // a body is the last of a record
}

void encode(const TickBody&, Encoder*) {}
void decode(TickBody*, Decoder*) {}

}  // namespace

void encode_budgets(const MemoryBudgets& budgets, Encoder* out) {
    out->varint(budgets.user_states);
    out->varint(budgets.tastes);
    out->varint(budgets.co_engagement);
    out->varint(budgets.cohorts);
    out->varint(budgets.collections);
}
MemoryBudgets decode_budgets(Decoder* in) {
    MemoryBudgets out;
    out.user_states = in->varint();
    out.tastes = in->varint();
    out.co_engagement = in->varint();
    out.cohorts = in->varint();
    out.collections = in->varint();
    return out;
}

void encode_effect(const RelayRow& row, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(row.effect));
    if (row.effect == RelayEffect::kErasure) return;
    if (row.effect == RelayEffect::kCoEngagement) {
        out->varint(row.others.size());
        for (const EntityId& other : row.others) encode_optional_id(other, out);
        return;
    }
    if (row.effect == RelayEffect::kTaste) encode_optional_id(row.item, out);
    encode_optional_id(row.creator, out);
    out->u64(row.stamp.bits());
    if (row.effect == RelayEffect::kTaste) return;
    out->u64(row.generation.bits());
    encode_cohorts(row.cohorts, out);
}
void decode_effect(RelayRow* row, Decoder* in) {
    const std::uint8_t effect = in->u8();
    if (effect == 0 || effect >= kRelayEffectCount) return in->fail();
    row->effect = static_cast<RelayEffect>(effect);
    if (row->effect == RelayEffect::kErasure) return;
    if (row->effect == RelayEffect::kCoEngagement) {
        const std::size_t count = in->count(2);
        if (count > kRelayOthersMax) return in->fail();
        for (std::size_t i = 0; i < count && !in->failed(); ++i) {
            auto other = decode_optional_id(in);
            if (!other) return in->fail();
            row->others.push_back(std::move(*other));
        }
        return;
    }
    if (row->effect == RelayEffect::kTaste) row->item = decode_optional_id(in);
    row->creator = decode_optional_id(in);
    row->stamp = HybridTime::from_bits(in->u64());
    if (row->effect == RelayEffect::kTaste) return;
    row->generation = HybridTime::from_bits(in->u64());
    decode_cohorts(in, &row->cohorts);
}

namespace {

/// Sequences and times of neighbouring rows are close: each is written as the step from the last.
void encode(const RelayRow& row, const RelayRow& last, Encoder* out) {
    const bool more = row.effect != RelayEffect::kCreator;
    out->u8(static_cast<std::uint8_t>(flag(row.target.is_text(), kTargetText) |
                                      flag(more, kHasEffect) |
                                      optional_id_flags(row.user, kHasUser, kUserText)));
    out->svarint(static_cast<std::int64_t>(row.sequence - last.sequence));
    encode_entity(row.target, out);
    out->varint(row.signal.value());
    out->svarint(row.weight);
    out->svarint(row.count);
    out->svarint(static_cast<std::int64_t>(static_cast<std::uint64_t>(row.event_time_ms) -
                                           static_cast<std::uint64_t>(last.event_time_ms)));
    if (row.user) encode_entity(*row.user, out);
    if (more) encode_effect(row, out);
}
void decode(RelayRow* row, const RelayRow& last, Decoder* in) {
    const unsigned flags = in->u8();
    if ((flags & ~(kTargetText | kHasUser | kUserText | kHasEffect)) != 0 ||
        is_stray(flags, kHasUser, kUserText))
        return in->fail();
    row->sequence = last.sequence + static_cast<std::uint64_t>(in->svarint());
    row->target = decode_entity((flags & kTargetText) != 0, in);
    row->signal = decode_id_number<SignalTypeId>(in);
    row->weight = in->svarint();
    const std::int64_t count = in->svarint();
    if (count < INT32_MIN || count > INT32_MAX) return in->fail();
    row->count = static_cast<std::int32_t>(count);
    row->event_time_ms = static_cast<UnixMillis>(static_cast<std::uint64_t>(last.event_time_ms) +
                                                 static_cast<std::uint64_t>(in->svarint()));
    if ((flags & kHasUser) != 0) row->user = decode_entity((flags & kUserText) != 0, in);
    if ((flags & kHasEffect) != 0) decode_effect(row, in);
}

void encode(const RelayBody& body, Encoder* out) {
    out->varint(body.source.value());
    out->varint(body.source_incarnation.value());
    out->varint(body.target.value());
    out->varint(body.rows.size());
    const RelayRow zero;
    const RelayRow* last = &zero;
    for (const RelayRow& row : body.rows) {
        encode(row, *last, out);
        last = &row;
    }
}
void decode(RelayBody* body, Decoder* in) {
    body->source = decode_id_number<ShardId>(in);
    body->source_incarnation = decode_id_number<Incarnation>(in);
    body->target = decode_id_number<VShard>(in);
    const std::size_t count = in->count(7);
    if (count > kRelayRowsMax) return in->fail();
    body->rows.resize(count);
    const RelayRow zero;
    for (std::size_t i = 0; i < count && !in->failed(); ++i)
        decode(&body->rows[i], i == 0 ? zero : body->rows[i - 1], in);
}

void encode(const RelayAckBody& body, Encoder* out) {
    out->varint(body.target_shard.value());
    out->varint(body.target.value());
    out->varint(body.through);
}
void decode(RelayAckBody* body, Decoder* in) {
    body->target_shard = decode_id_number<ShardId>(in);
    body->target = decode_id_number<VShard>(in);
    body->through = in->varint();
}

void encode(const ImportMarkBody& body, Encoder* out) {
    out->bytes(body.import_id);
    out->varint(body.position);
}
void decode(ImportMarkBody* body, Decoder* in) {
    body->import_id = in->bytes();
    body->position = in->varint();
}

constexpr unsigned kCatalogText = 1, kCatalogSince = 2;

void encode(const CatalogBody& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(body.kind));
    out->bytes(body.name);
    out->varint(body.version);
    out->u8(static_cast<std::uint8_t>(flag(body.text.has_value(), kCatalogText) |
                                      flag(body.since.has_value(), kCatalogSince)));
    if (body.text) out->bytes(*body.text);
    if (body.since) out->u64(body.since->bits());
}
void decode(CatalogBody* body, Decoder* in) {
    const std::uint8_t kind = in->u8();
    if (kind >= kCatalogKindCount) return in->fail();
    body->kind = static_cast<CatalogKind>(kind);
    body->name = in->bytes();
    const std::uint64_t version = in->varint();
    if (version > UINT32_MAX) return in->fail();
    body->version = static_cast<std::uint32_t>(version);
    const unsigned flags = in->u8();
    if ((flags & ~(kCatalogText | kCatalogSince)) != 0) return in->fail();
    if ((flags & kCatalogText) != 0) body->text = in->bytes();
    if ((flags & kCatalogSince) != 0) body->since = HybridTime::from_bits(in->u64());
}

constexpr unsigned kEnds = 1, kOfTextUser = 2, kOfTextTarget = 4;

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

constexpr unsigned kOfTextSaver = 1, kHasText = 2, kLooked = 4;

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

// Of a collection's member: what changes in the low bits.
constexpr unsigned kChangeBits = 3, kOfTextItem = 4;

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

constexpr unsigned kOfTextErased = 1, kOfVersion = 2;

void encode(const EraseUserBody& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(flag(body.user.is_text(), kOfTextErased) |
                                      flag(body.if_match.has_value(), kOfVersion)));
    encode_entity(body.user, out);
    if (body.if_match) out->u64(body.if_match->bits());
    out->varint(body.others.size());
    for (const VShard other : body.others) out->varint(other.value());
}
void decode(EraseUserBody* body, Decoder* in) {
    const unsigned flags = in->u8();
    if (flags > 3) return in->fail();
    body->user = decode_entity((flags & kOfTextErased) != 0, in);
    if ((flags & kOfVersion) != 0) body->if_match = HybridTime::from_bits(in->u64());
    const std::size_t count = in->count(1);
    if (count > kVShardCount) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i)
        body->others.push_back(decode_id_number<VShard>(in));
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
