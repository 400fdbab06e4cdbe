// What a shard tells another, and how far that came.
#include "record/id_codec.h"
#include "record/internal/body_codec.h"
#include "record/relay_codec.h"
#include "record/session_codec.h"

namespace tidal::record {

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

constexpr unsigned kHasEffect = 1, kTargetText = 32;

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

}  // namespace

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

}  // namespace tidal::record
