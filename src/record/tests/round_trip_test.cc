// Every record that passes check_record reads back equal; nothing shorter or longer reads at all.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "generate.h"

namespace tidal::record {
namespace round_trip_test {

std::string encode(const Record& record, RegionId region) {
    Encoder out;
    encode_record(record, region, &out);
    return out.take();
}

RC_GTEST_PROP(RecordRoundTrip, DecodesWhatWasEncoded, ()) {
    const Record record = any_record();
    RC_ASSERT(check_record(record).ok());
    const RegionId region = any_bool() ? record.envelope.origin : RegionId(any_u16());
    const auto decoded = decode_record(encode(record, region), region);
    RC_LOG() << (decoded ? "" : decoded.error().to_string());
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == record);
}

RC_GTEST_PROP(RecordRoundTrip, AReusedRecordKeepsNothingOfTheLast, ()) {
    Record reused;
    for (int i = 0; i < 4; ++i) {
        const Record record = any_record();
        RC_ASSERT(decode_record(encode(record, kFirstRegion), kFirstRegion, &reused).ok());
        RC_ASSERT(reused == record);
    }
}

RC_GTEST_PROP(RecordRoundTrip, CutOrLengthenedBytesAreCorruption, ()) {
    const std::string bytes = encode(any_record(), kFirstRegion);
    const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size());
    RC_ASSERT(decode_record(bytes.substr(0, cut), kFirstRegion).error().code() ==
              ErrorCode::kCorruption);
    RC_ASSERT(decode_record(bytes + '\0', kFirstRegion).error().code() == ErrorCode::kCorruption);
}

RC_GTEST_PROP(RecordRoundTrip, AFlippedByteNeverReadsOutOfBounds, ()) {
    std::string bytes = encode(any_record(), kFirstRegion);
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] ^=
        static_cast<char>(*rc::gen::inRange(1, 256));
    const auto decoded = decode_record(bytes, kFirstRegion);
    if (decoded) RC_ASSERT(check_record(*decoded).ok());
}

RC_GTEST_PROP(BodyHash, IsOfTheBodyAlone, ()) {
    const Record a = any_record();
    const Record b = any_record();
    RC_ASSERT((body_hash(a.body) == body_hash(b.body)) == (a.body == b.body));
}

TEST(RecordSize, APlainSignalIsSmall) {
    Record record;
    record.envelope.stamp = HybridTime::from(1'767'225'600'000, 3);
    record.envelope.event_time_ms = record.envelope.stamp.wall_ms();
    record.envelope.schema_version = SchemaVersion(1);
    record.envelope.apply_version = ApplyVersion(1);
    record.envelope.epoch = Epoch(1);
    record.envelope.generation = HybridTime::from(1'767'000'000'000, 0);
    record.body =
        SignalBody{SignalTypeId(0), EntityId(12'345'678), kWeightOne, EntityId(87'654'321)};
    EXPECT_EQ(encode(record, kFirstRegion).size(), 31u);
}

TEST(RecordBits, UnknownTagsAndBitsAreCorruption) {
    const std::string bytes = encode(Record{}, kFirstRegion);
    ASSERT_EQ(bytes.size(), 13u);  // presence, stamp, tag, signal, flags, item
    ASSERT_TRUE(decode_record(bytes, kFirstRegion));
    const auto with = [&](std::size_t at, char value) {
        std::string changed = bytes;
        changed[at] = value;
        return decode_record(changed, kFirstRegion);
    };
    EXPECT_EQ(with(9, 11).error().code(), ErrorCode::kCorruption);              // body tag
    EXPECT_EQ(with(11, '\x80').error().code(), ErrorCode::kCorruption);         // signal flag
    EXPECT_EQ(with(11, 8).error().code(), ErrorCode::kCorruption);              // text of no user
    const std::string presence = std::string("\x80\x20", 2) + bytes.substr(1);  // bit 12
    EXPECT_EQ(decode_record(presence, kFirstRegion).error().code(), ErrorCode::kCorruption);
}

TEST(RecordLimits, AreToldByField) {
    const auto field_of = [](Record record) {
        const auto checked = check_record(record);
        return checked.ok() ? std::string("ok") : checked.error().field();
    };
    const auto with_body = [&](Body body) { return field_of(Record{{}, std::move(body)}); };
    SignalBody signal;
    EXPECT_EQ(with_body(signal), "ok");
    signal.item = EntityId(std::string());
    EXPECT_EQ(with_body(signal), "entity_id");
    signal.item = EntityId(std::string(256, 'x'));
    EXPECT_EQ(with_body(signal), "entity_id");
    signal = {.weight = kWeightMax + 1};
    EXPECT_EQ(with_body(signal), "weight");
    signal = {.user = EntityId(std::string(256, 'x'))};
    EXPECT_EQ(with_body(signal), "user_id");
    signal = {.context = std::string(4097, 'x')};
    EXPECT_EQ(with_body(signal), "context");
    EXPECT_EQ(with_body(EmbeddingBody{}), "values");
    EXPECT_EQ(with_body(UndoBody{}), "undo");
    EXPECT_EQ(with_body(SessionUndoBody{}), "session_id");
    EXPECT_EQ(with_body(SessionUndoBody{7, EntityKind::kItem, EntityId(1), ""}), "undo");
    EXPECT_EQ(with_body(ArchiveKeysBody{}), "keys");
    EXPECT_EQ(with_body(ArchiveKeysBody{{{EntityId(1), {}, 1, "short"}}}), "secret");
    EXPECT_EQ(with_body(ShardConfigBody{{}, {}, 5, 4}), "vshards");
    EXPECT_EQ(with_body(RelayAckBody{{}, VShard(1024), 0}), "target");
    Record record;
    record.envelope.cohorts = {CohortId(2), CohortId(2)};
    EXPECT_EQ(field_of(record), "cohorts");
    record.envelope = {.idempotency_key = std::string(256, 'k')};
    EXPECT_EQ(field_of(record), "idempotency_key");
}

TEST(BodyHash, OfAnOpeningSessionIsOfThePolicyThatWasNamed) {
    SessionBody opens;
    opens.session = 1;
    opens.user = EntityId(7);
    opens.limits = {"checkout@1", {SignalTypeId(1)}, 30, 5, 60'000};
    SessionBody again = opens;
    again.limits = {"checkout@2", {}, 60, 10, 90'000};
    EXPECT_EQ(body_hash(opens), body_hash(again));
    again.limits.policy = "browse@2";
    EXPECT_NE(body_hash(opens), body_hash(again));
    again = opens;
    again.agent = "shopper";
    EXPECT_NE(body_hash(opens), body_hash(again));
}

}  // namespace round_trip_test
}  // namespace tidal::record
