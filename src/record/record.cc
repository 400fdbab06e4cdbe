// The envelope and the record around a body: docs/formats/record.md.

#include "record/record.h"

#include <cassert>
#include <limits>

#include "record/internal/body.h"
#include "record/session_codec.h"

namespace tidal::record {
namespace {

// Presence bits. Those of a plain signal are below 128, so that they take one byte.
enum Bit : unsigned {
    kSchemaVersion = 1 << 0,
    kApplyVersion = 1 << 1,
    kEpoch = 1 << 2,
    kGeneration = 1 << 3,
    kEventTime = 1 << 4,
    kIdempotencyKey = 1 << 5,
    kOrigin = 1 << 6,
    kTenant = 1 << 7,
    kCohorts = 1 << 8,
    kSession = 1 << 9,
    kPrincipal = 1 << 10,
    kUserErased = 1 << 11,
    kBitsEnd = 1 << 12,
};

unsigned presence(const Envelope& e, RegionId batch_region) {
    unsigned bits = 0;
    if (e.schema_version != SchemaVersion{}) bits |= kSchemaVersion;
    if (e.apply_version != ApplyVersion{}) bits |= kApplyVersion;
    if (e.epoch != Epoch{}) bits |= kEpoch;
    if (e.generation != HybridTime{}) bits |= kGeneration;
    if (e.event_time_given) bits |= kEventTime;
    if (!e.idempotency_key.empty()) bits |= kIdempotencyKey;
    if (e.origin != batch_region) bits |= kOrigin;
    if (e.tenant != kDefaultTenant) bits |= kTenant;
    if (!e.cohorts.empty()) bits |= kCohorts;
    if (!e.session.empty() || e.session_sequence != 0) bits |= kSession;
    if (!e.principal.empty()) bits |= kPrincipal;
    if (e.user_erased) bits |= kUserErased;
    return bits;
}

template <typename IdType>
void decode_number(Decoder* in, IdType* out) {
    const std::uint64_t value = in->varint();
    using Number = typename IdType::number_type;
    if (value > std::numeric_limits<Number>::max()) return in->fail();
    *out = IdType(static_cast<Number>(value));
}

void encode_envelope(const Envelope& e, RegionId batch_region, Encoder* out) {
    const unsigned bits = presence(e, batch_region);
    out->varint(bits);
    out->u64(e.stamp.bits());
    if ((bits & kSchemaVersion) != 0) out->varint(e.schema_version.value());
    if ((bits & kApplyVersion) != 0) out->varint(e.apply_version.value());
    if ((bits & kEpoch) != 0) out->varint(e.epoch.value());
    if ((bits & kGeneration) != 0) out->u64(e.generation.bits());
    if ((bits & kEventTime) != 0)
        out->svarint(static_cast<std::int64_t>(static_cast<std::uint64_t>(e.event_time_ms) -
                                               static_cast<std::uint64_t>(e.stamp.wall_ms())));
    if ((bits & kIdempotencyKey) != 0) out->bytes(e.idempotency_key);
    if ((bits & kOrigin) != 0) out->varint(e.origin.value());
    if ((bits & kTenant) != 0) out->varint(e.tenant.value());
    if ((bits & kCohorts) != 0) encode_cohorts(e.cohorts, out);
    if ((bits & kSession) != 0) {
        out->bytes(e.session);
        out->varint(e.session_sequence);
    }
    if ((bits & kPrincipal) != 0) out->bytes(e.principal);
}

/// Numbers take their default when absent; `e` may hold another record's values.
template <typename IdType>
void decode_optional(bool present, Decoder* in, IdType* out, IdType absent) {
    *out = absent;
    if (present) decode_number(in, out);
}
void decode_optional(bool present, Decoder* in, std::string* out) {
    out->clear();
    if (present) *out = in->bytes();
}

void decode_envelope(Decoder* in, RegionId batch_region, Envelope* e) {
    const std::uint64_t bits = in->varint();
    if (bits >= kBitsEnd) return in->fail();
    e->stamp = HybridTime::from_bits(in->u64());
    decode_optional((bits & kSchemaVersion) != 0, in, &e->schema_version, SchemaVersion{});
    decode_optional((bits & kApplyVersion) != 0, in, &e->apply_version, ApplyVersion{});
    decode_optional((bits & kEpoch) != 0, in, &e->epoch, Epoch{});
    e->generation = HybridTime::from_bits((bits & kGeneration) != 0 ? in->u64() : 0);
    e->event_time_given = (bits & kEventTime) != 0;
    const std::int64_t step = e->event_time_given ? in->svarint() : 0;
    e->event_time_ms = static_cast<UnixMillis>(static_cast<std::uint64_t>(e->stamp.wall_ms()) +
                                               static_cast<std::uint64_t>(step));
    decode_optional((bits & kIdempotencyKey) != 0, in, &e->idempotency_key);
    decode_optional((bits & kOrigin) != 0, in, &e->origin, batch_region);
    decode_optional((bits & kTenant) != 0, in, &e->tenant, kDefaultTenant);
    e->cohorts.clear();
    if ((bits & kCohorts) != 0) decode_cohorts(in, &e->cohorts);
    decode_optional((bits & kSession) != 0, in, &e->session);
    e->session_sequence = (bits & kSession) != 0 ? in->varint() : 0;
    decode_optional((bits & kPrincipal) != 0, in, &e->principal);
    e->user_erased = (bits & kUserErased) != 0;
}

}  // namespace

void encode_record(const Record& record, RegionId batch_region, Encoder* out) {
    assert(check_record(record).ok());
    assert(record.envelope.event_time_given ||
           record.envelope.event_time_ms == record.envelope.stamp.wall_ms());
    encode_envelope(record.envelope, batch_region, out);
    encode_body(record.body, out);
}

Result<void> decode_record(std::string_view bytes, RegionId batch_region, Record* into) {
    Decoder in(bytes);
    decode_envelope(&in, batch_region, &into->envelope);
    decode_body(&in, &into->body);
    if (in.failed() || in.remaining() > 0) return in.finish("record");
    if (auto checked = check_record(*into); !checked)
        return Error(ErrorCode::kCorruption, "record: " + checked.error().to_string());
    return {};
}

Result<Record> decode_record(std::string_view bytes, RegionId batch_region) {
    Result<Record> result{Record{}};
    TIDAL_TRY(decode_record(bytes, batch_region, &*result));
    return result;
}

HybridTime stamp_of(std::string_view bytes) {
    Decoder in(bytes);
    in.varint();  // presence
    const std::uint64_t bits = in.u64();
    return HybridTime::from_bits(in.failed() ? 0 : bits);
}

}  // namespace tidal::record
