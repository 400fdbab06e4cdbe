// Bytes of one record per body, written once into testdata/: every later version reads them.

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "record/record.h"

namespace tidal::record {
namespace golden_test {

Envelope full_envelope() {
    Envelope e;
    e.tenant = TenantId(5);
    e.origin = RegionId(2);
    e.stamp = HybridTime::from(1'767'225'600'000, 7);
    e.event_time_ms = 1'767'225'599'000;
    e.event_time_given = true;
    e.schema_version = SchemaVersion(3);
    e.apply_version = ApplyVersion(1);
    e.epoch = Epoch(300);
    e.generation = HybridTime::from(1'767'000'000'000, 1);
    e.cohorts = {CohortId(1), CohortId(200)};
    e.session = "s-1";
    e.session_sequence = 9;
    e.idempotency_key = "key-1";
    e.principal = "alice";
    return e;
}

Envelope plain_envelope() {
    Envelope e;
    e.stamp = HybridTime::from(1'767'225'600'000, 0);
    e.event_time_ms = e.stamp.wall_ms();
    e.schema_version = SchemaVersion(1);
    e.apply_version = ApplyVersion(1);
    e.epoch = Epoch(1);
    return e;
}

Envelope erased_envelope() {
    Envelope e = plain_envelope();
    e.user_erased = true;
    return e;
}

/// By file name, without its folder and ".hex".
std::map<std::string, Record> golden_records() {
    UpsertBody upsert;
    upsert.id = EntityId(1);
    upsert.must_exist = true;
    upsert.if_match = HybridTime::from(1'767'000'000'000, 2);
    upsert.creator.emplace(EntityId("studio"));
    upsert.created_at.emplace(1'700'000'000'000);
    upsert.publish_at.emplace();  // removed
    upsert.fields = {{FieldId(0), Value("Jazz Piano")},
                     {FieldId(1), Value(std::vector<std::string>{"jazz", "piano"})},
                     {FieldId(2), Value(std::int64_t{-1959})},
                     {FieldId(3), Value(2.5)},
                     {FieldId(4), Value(true)},
                     {FieldId(5), Value(GeoPoint{48.25, -16.5})},
                     {FieldId(300), std::nullopt}};
    const RelayBody relay{ShardId(1),
                          Incarnation(2),
                          VShard(777),
                          {{.sequence = 41,
                            .target = EntityId(7),
                            .signal = SignalTypeId(1),
                            .weight = kWeightOne,
                            .event_time_ms = 1'767'225'599'000,
                            .user = EntityId(42)},
                           {.sequence = 42,
                            .target = EntityId("c"),
                            .signal = SignalTypeId(0),
                            .weight = -kWeightOne,
                            .count = -1,
                            .event_time_ms = 1'767'225'599'500}}};
    const RelayBody tastes{ShardId(3),
                           Incarnation(2),
                           VShard(777),
                           {{.sequence = 43,
                             .effect = RelayEffect::kTaste,
                             .target = EntityId("ada"),
                             .signal = SignalTypeId(2),
                             .weight = kWeightOne,
                             .event_time_ms = 1'767'225'599'000,
                             .item = EntityId(9),
                             .creator = EntityId("nina"),
                             .stamp = HybridTime::from_bits(0x0123456789abcdef)},
                            {.sequence = 44,
                             .effect = RelayEffect::kCoEngagement,
                             .target = EntityId(9),
                             .signal = SignalTypeId(2),
                             .event_time_ms = 1'767'225'599'000,
                             .others = {EntityId(8), EntityId("film")}}}};
    const RelayBody signals{ShardId(3),
                            Incarnation(2),
                            VShard(777),
                            {{.sequence = 45,
                              .effect = RelayEffect::kSignal,
                              .target = EntityId("film"),
                              .signal = SignalTypeId(2),
                              .weight = kWeightOne,
                              .event_time_ms = 1'767'225'599'000,
                              .user = EntityId(7),
                              .creator = EntityId("nina"),
                              .stamp = HybridTime::from_bits(0x0123456789abcdef),
                              .generation = HybridTime::from_bits(0x0023456789abcdef),
                              .cohorts = {CohortId(1), CohortId(200)}}}};
    RelayBody keyed = signals;
    keyed.rows.front().effect = RelayEffect::kKeyedSignal;
    keyed.rows.push_back(keyed.rows.front());
    keyed.rows.back().sequence = 46;
    keyed.rows.back().count = -1;
    const RelayBody erasures{
        ShardId(3),
        Incarnation(2),
        VShard(777),
        {{.sequence = 46, .effect = RelayEffect::kErasure, .target = EntityId("nina")},
         {.sequence = 47, .effect = RelayEffect::kErasure, .target = EntityId(7)}}};
    SessionBody opens;
    opens.user = EntityId(7);
    opens.session =
        (77ULL << 10) + vshard_of(kDefaultTenant, EntityKind::kUser, *opens.user).value();
    opens.agent = "shopper";
    opens.limits = {"checkout@2", {SignalTypeId(0), SignalTypeId(300)}, 30, 5, 60'000};
    opens.annotations = {{"goal", "a present"}, {"page", "home"}};
    SessionBody shows;
    shows.act = SessionAct::kShow;
    shows.session = 78'855;
    shows.shown = {EntityId(9), EntityId("film")};
    SessionBody closes;
    closes.act = SessionAct::kClose;
    closes.session = kSessionIdMax;
    return {
        {"relay_signals", {plain_envelope(), signals}},
        {"relay_keyed_signals", {plain_envelope(), keyed}},
        {"relay_erasures", {plain_envelope(), erasures}},
        {"erase_user",
         {plain_envelope(), EraseUserBody{EntityId(7), std::nullopt, {VShard(0), VShard(1023)}}}},
        {"erase_user_matched",
         {full_envelope(), EraseUserBody{EntityId("nina"), HybridTime::from_bits(77), {}}}},
        {"session_open", {full_envelope(), opens}},
        {"session_show", {plain_envelope(), shows}},
        {"session_close", {plain_envelope(), closes}},
        {"session_signal",
         {full_envelope(),
          SessionSignalBody{78'855, SignalBody{SignalTypeId(3), EntityId(1), kWeightOne}}}},
        {"session_undo",
         {plain_envelope(), SessionUndoBody{78'855, EntityKind::kItem, EntityId(1), "key-1"}}},
        {"signal_plain",
         {plain_envelope(), SignalBody{SignalTypeId(0), EntityId(1), kWeightOne, EntityId(42)}}},
        {"signal_full",
         {full_envelope(), SignalBody{SignalTypeId(300), EntityId("item"), -kWeightOne / 2,
                                      EntityId(UINT64_MAX), EntityId("creator"), "home"}}},
        {"signal_erased", {erased_envelope(), SignalBody{SignalTypeId(0), EntityId(1)}}},
        {"undo", {plain_envelope(), UndoBody{EntityId(1), "key-1"}}},
        {"upsert", {full_envelope(), upsert}},
        {"delete",
         {plain_envelope(),
          DeleteBody{EntityKind::kCreator, EntityId("c"), HybridTime::from_bits(77)}}},
        {"embedding",
         {plain_envelope(),
          EmbeddingBody{EntityKind::kUser, EntityId(9), EmbeddingSlotId(1), {0.1F, -2, 3e30F}}}},
        {"schema", {plain_envelope(), SchemaBody{"TSCH..."}}},
        {"shard_config", {plain_envelope(), ShardConfigBody{ApplyVersion(1), Epoch(2), 128, 1024}}},
        {"shard_config_memory",
         {plain_envelope(), ShardConfigBody{ApplyVersion(1), Epoch(2), 128, 1024,
                                            MemoryBudgets{1 << 20, 2 << 20, 300, 0, 1ULL << 40}}}},
        {"tick", {plain_envelope(), TickBody{}}},
        {"relay", {plain_envelope(), relay}},
        {"relay_tastes", {plain_envelope(), tastes}},
        {"relay_ack", {plain_envelope(), RelayAckBody{ShardId(3), VShard(777), 42}}},
        {"import_mark", {plain_envelope(), ImportMarkBody{"movielens", 100'836}}},
        {"catalog",
         {plain_envelope(), CatalogBody{CatalogKind::kExperiment, "spring", 300, "arm"}}},
        {"catalog_member", {plain_envelope(), CatalogBody{CatalogKind::kMember, "7", 2, "state"}}},
        {"catalog_join_token",
         {plain_envelope(), CatalogBody{CatalogKind::kJoinToken, "00ff", 1, std::nullopt}}},
        {"relationship",
         {plain_envelope(),
          RelationshipBody{RelationshipKind::kBlocks, true, EntityId(300), EntityId("nina")}}},
        {"saved_search",
         {plain_envelope(),
          SavedSearchBody{EntityId("nina"), "jazz", "SEARCH items FOR 'jazz'", false}}},
        {"saved_search_looked",
         {plain_envelope(), SavedSearchBody{EntityId(7), "jazz", std::nullopt, true}}},
        {"collection_put",
         {plain_envelope(), CollectionMemberBody{CollectionMemberBody::Change::kPut,
                                                 CollectionId(300), EntityId("film"), 2.5}}},
        {"collection_remove",
         {plain_envelope(), CollectionMemberBody{CollectionMemberBody::Change::kRemove,
                                                 CollectionId(UINT64_MAX), EntityId(7), 0}}},
        {"collection_drop",
         {plain_envelope(), CollectionMemberBody{CollectionMemberBody::Change::kDropAll,
                                                 CollectionId(300), EntityId(), 0}}},
        {"delivery",
         {plain_envelope(),
          DeliveryBody{EntityId("nina"), "notification", 5, 3, 0x0123456789abcdef}}},
        {"archive_keys",
         {plain_envelope(),
          ArchiveKeysBody{{{EntityId("nina"), HybridTime::from_bits(0x0123456789abcdef),
                            alias_in(ShardId(3), 0xfedcba9876543210), std::string(32, 'k')},
                           {EntityId(7), HybridTime::from_bits(9), alias_in(ShardId(3), 0),
                            std::string(32, '\0')}}}}},
        {"catalog_collection",
         {plain_envelope(), CatalogBody{CatalogKind::kCollection, "staff picks", 1, "id 7\n"}}},
        {"catalog_since",
         {plain_envelope(), CatalogBody{CatalogKind::kCollection, "jazz", 2, "id 7\n",
                                        HybridTime::from_bits(0x0123456789abcdef)}}},
        {"catalog_retired_since",
         {plain_envelope(), CatalogBody{CatalogKind::kCohort, "parisian", 2, std::nullopt,
                                        HybridTime::from_bits(0x0123456789abcdef)}}},
        {"catalog_api_key",
         {plain_envelope(), CatalogBody{CatalogKind::kApiKey, "reports", 1, "role"}}},
    };
}

std::string to_hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}

TEST(RecordGolden, EveryBodyReadsAndWritesItsBytes) {
    std::map<std::size_t, int> bodies;
    for (const auto& [name, record] : golden_records()) {
        SCOPED_TRACE(name);
        ++bodies[record.body.index()];
        ASSERT_TRUE(check_record(record).ok());
        Encoder out;
        encode_record(record, kFirstRegion, &out);
        std::ifstream file(TIDAL_TESTDATA_DIR "/record_" + name + ".hex");
        std::string hex;
        file >> hex;
        EXPECT_EQ(to_hex(out.view()), hex);
        const auto golden = decode_record(from_hex(hex), kFirstRegion);
        EXPECT_TRUE(golden) << golden.error().to_string();
        EXPECT_TRUE(golden && *golden == record);
    }
    EXPECT_EQ(bodies.size(), std::variant_size_v<Body>) << "a body has no golden bytes";
}

}  // namespace golden_test
}  // namespace tidal::record
