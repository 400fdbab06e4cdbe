// What a shard is, what its schema and catalogue say, how far an import came.
#include "record/budget_codec.h"
#include "record/internal/body_codec.h"

namespace tidal::record {

namespace {

constexpr unsigned kCatalogText = 1, kCatalogSince = 2;

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

void encode(const ImportMarkBody& body, Encoder* out) {
    out->bytes(body.import_id);
    out->varint(body.position);
}
void decode(ImportMarkBody* body, Decoder* in) {
    body->import_id = in->bytes();
    body->position = in->varint();
}

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

}  // namespace tidal::record
