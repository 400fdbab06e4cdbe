// Random valid records for property tests, and one fixed record of each body for golden bytes.
#pragma once

#include <rapidcheck.h>

#include "record/record.h"

namespace tidal::record {

/// Small, large and in between: every length of a varint.
inline std::uint64_t any_u64() {
    return *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(0, 64);
}
inline std::int64_t any_i64() {
    return static_cast<std::int64_t>(any_u64() * (any_u64() | 1));
}
inline bool any_bool() {
    return *rc::gen::arbitrary<bool>();
}
inline std::string any_bytes(std::size_t min, std::size_t max) {
    return std::string(*rc::gen::inRange<std::size_t>(min, max + 1), *rc::gen::arbitrary<char>());
}
inline EntityId any_entity() {
    return any_bool() ? EntityId(any_u64()) : EntityId(any_bytes(1, kIdBytesMax));
}
template <typename Make>
auto maybe(Make make) -> std::optional<decltype(make())> {
    if (any_bool()) return make();
    return std::nullopt;
}
inline EntityKind any_kind() {
    return static_cast<EntityKind>(*rc::gen::inRange(0, 3));
}
inline HybridTime any_time() {
    return HybridTime::from_bits(any_u64());
}
inline std::uint16_t any_u16() {
    return *rc::gen::arbitrary<std::uint16_t>();
}
inline FixedWeight any_weight() {
    return any_bool() ? kWeightOne : *rc::gen::inRange<FixedWeight>(-kWeightMax, kWeightMax + 1);
}

inline Value any_value() {
    switch (*rc::gen::inRange(0, 6)) {
        case 0:
            return any_bytes(0, 300);
        case 1:
            return std::vector<std::string>{any_bytes(0, 4), any_bytes(0, 4)};
        case 2:
            return any_i64();
        case 3:
            return static_cast<double>(any_i64()) / 1024;
        case 4:
            return any_bool();
        default:
            return GeoPoint{12.5, -170.25};
    }
}

inline RelayRow any_relay_row() {
    RelayRow row;
    row.sequence = any_u64();
    row.target = any_entity();
    row.signal = SignalTypeId(any_u16());
    row.weight = any_weight();
    row.count = any_bool() ? 1 : -1;
    row.event_time_ms = any_i64();
    row.user = maybe(any_entity);
    if (any_bool()) return row;
    if (any_bool()) {
        row.effect = RelayEffect::kErasure;
        return row;
    }
    if (any_bool()) {
        row.effect = any_bool() ? RelayEffect::kSignal : RelayEffect::kKeyedSignal;
        row.user = any_entity();
        row.creator = maybe(any_entity);
        row.stamp = any_time();
        row.generation = any_time();
        if (any_bool()) row.cohorts = {CohortId(3), CohortId(1000)};
        return row;
    }
    if (any_bool()) {
        row.effect = RelayEffect::kCoEngagement;
        for (std::size_t i = *rc::gen::inRange<std::size_t>(0, 6); i > 0; --i)
            row.others.push_back(any_entity());
        return row;
    }
    row.effect = RelayEffect::kTaste;
    row.item = any_entity();
    row.creator = maybe(any_entity);
    row.stamp = any_time();
    return row;
}

inline std::uint64_t any_session() {
    return std::max<std::uint64_t>(any_u64() & kSessionIdMax, 1);
}
inline Annotations any_annotations() {
    Annotations out;
    if (any_bool()) out.emplace_back("a", any_bytes(0, 40));
    if (any_bool()) out.emplace_back("b" + any_bytes(0, 4), any_bytes(0, 40));
    return out;
}
inline SessionLimits any_limits() {
    SessionLimits out;
    out.policy = any_bytes(1, 20);
    for (std::uint16_t i = any_u16() % 4; i > 0; --i)
        out.signals.insert(out.signals.begin(), SignalTypeId(i * 1'000));
    out.per_minute = 1 + any_u16() % kSessionRateMax;
    out.burst = 1 + any_u16() % kSessionRateMax;
    out.duration_ms = kSessionDurationMsMin + any_u16();
    return out;
}
inline SessionBody any_session_body() {
    SessionBody body;
    body.act = static_cast<SessionAct>(*rc::gen::inRange<int>(0, kSessionActCount));
    body.session = any_session();
    if (body.act == SessionAct::kOpen) {
        body.user = any_entity();
        const VShard home = vshard_of(kDefaultTenant, EntityKind::kUser, *body.user);
        body.session = (body.session | 1024) / kVShardCount * kVShardCount + home.value();
        body.agent = any_bytes(0, 20);
        body.limits = any_limits();
    }
    if (body.act == SessionAct::kOpen || body.act == SessionAct::kAnnotate)
        body.annotations = any_annotations();
    if (body.act == SessionAct::kShow)
        for (std::uint16_t i = any_u16() % 4; i > 0; --i) body.shown.push_back(any_entity());
    return body;
}

inline Body any_body() {
    // Signals are most of a log.
    switch (any_bool() ? 0 : *rc::gen::inRange(1, 21)) {
        case 0:
            return SignalBody{SignalTypeId(any_u16()), any_entity(),      any_weight(),
                              maybe(any_entity),       maybe(any_entity), any_bytes(0, 20)};
        case 1:
            return UndoBody{any_entity(), any_bytes(1, 20)};
        case 2: {
            UpsertBody body;
            body.kind = any_kind();
            body.id = any_entity();
            body.must_exist = any_bool();
            body.if_match = maybe(any_time);
            if (any_bool()) body.creator = maybe(any_entity);
            if (any_bool()) body.created_at = maybe(any_i64);
            if (any_bool()) body.publish_at = maybe(any_i64);
            if (any_bool()) body.expires_at = maybe(any_i64);
            const auto fields = *rc::gen::inRange<std::uint16_t>(0, 5);
            for (std::uint16_t i = 0; i < fields; ++i)
                body.fields.push_back({FieldId(i), maybe(any_value)});
            return body;
        }
        case 3:
            return DeleteBody{any_kind(), any_entity(), maybe(any_time)};
        case 4:
            return EmbeddingBody{any_kind(), any_entity(), EmbeddingSlotId(any_u16()), {1, -2.5}};
        case 5:
            return SchemaBody{any_bytes(0, 50)};
        case 6:
            return ShardConfigBody{ApplyVersion(any_u16()), Epoch(7), 128, 256};
        case 7:
            return TickBody{};
        case 8: {
            RelayBody body{ShardId(any_u16()), Incarnation(3), VShard(1023), {}};
            for (std::size_t i = *rc::gen::inRange<std::size_t>(0, 4); i > 0; --i)
                body.rows.push_back(any_relay_row());
            return body;
        }
        case 9:
            return RelayAckBody{ShardId(any_u16()), VShard(0), any_u64()};
        case 10:
            return ImportMarkBody{any_bytes(0, 20), any_u64()};
        case 11:
            return RelationshipBody{
                static_cast<RelationshipKind>(*rc::gen::inRange<int>(0, kRelationshipKindCount)),
                any_bool(), any_entity(), any_entity()};
        case 12: {
            SavedSearchBody body{any_entity(), any_bytes(1, 63), std::nullopt, any_bool()};
            if (!body.looked) body.text = maybe([] { return any_bytes(0, 300); });
            return body;
        }
        case 13:
            return any_session_body();
        case 14:
            return SessionSignalBody{any_session(),
                                     {SignalTypeId(any_u16()), any_entity(), any_weight(),
                                      maybe(any_entity), maybe(any_entity), any_bytes(0, 20)}};
        case 15: {
            using Change = CollectionMemberBody::Change;
            const auto change = static_cast<Change>(*rc::gen::inRange(0, 3));
            CollectionMemberBody body{change, CollectionId(any_u64()), EntityId(), 0};
            if (change != Change::kDropAll) body.item = any_entity();
            if (change == Change::kPut) body.position = static_cast<double>(any_i64()) / 1024;
            return body;
        }
        case 17: {
            ArchiveKeysBody body;
            const int count = *rc::gen::inRange(1, 4);
            for (int i = 0; i < count; ++i)
                body.keys.push_back({any_entity(), any_time(), any_u64(),
                                     any_bytes(kArchiveSecretBytes, kArchiveSecretBytes)});
            return body;
        }
        case 18: {
            EraseUserBody body{any_entity(), maybe(any_time), {}};
            const auto others = *rc::gen::inRange<std::uint16_t>(0, 5);
            for (std::uint16_t i = 0; i < others; ++i) body.others.emplace_back(i * 255);
            return body;
        }
        case 19:
            return SessionUndoBody{any_session(), any_kind(), any_entity(), any_bytes(1, 20)};
        case 16:
            return DeliveryBody{any_entity(), any_bytes(1, 63),
                                *rc::gen::inRange<std::uint32_t>(1, kDailyCapMax + 1),
                                *rc::gen::inRange<std::uint32_t>(1, kDailyCapMax + 1), any_u64()};
        default:
            return CatalogBody{
                static_cast<CatalogKind>(*rc::gen::inRange<int>(0, kCatalogKindCount)),
                any_bytes(1, 63), *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX),
                maybe([] { return any_bytes(0, 300); }), maybe(any_time)};
    }
}

/// `batch_region` is the region of the batch the record will sit in.
inline Record any_record() {
    Record record;
    Envelope& e = record.envelope;
    e.tenant = TenantId(any_bool() ? 0 : *rc::gen::arbitrary<std::uint32_t>());
    e.origin = RegionId(any_u16());
    e.stamp = any_time();
    e.event_time_given = any_bool();
    e.event_time_ms = e.event_time_given ? any_i64() : e.stamp.wall_ms();
    e.schema_version = SchemaVersion(*rc::gen::arbitrary<std::uint32_t>());
    e.apply_version = ApplyVersion(any_u16());
    e.epoch = Epoch(*rc::gen::arbitrary<std::uint32_t>());
    e.generation = any_bool() ? HybridTime{} : any_time();
    const auto cohorts = *rc::gen::inRange<std::uint32_t>(0, kCohortsMax + 1);
    for (std::uint32_t i = 0; i < cohorts; ++i) e.cohorts.push_back(CohortId(i * 1000));
    e.session = any_bytes(0, 20);
    e.session_sequence = any_bool() ? 0 : any_u64();
    e.idempotency_key = any_bytes(0, 40);
    e.principal = any_bytes(0, 10);
    record.body = any_body();
    return record;
}

}  // namespace tidal::record
