// One record into the archive and back: what is hidden, what stays, what damage and lost keys do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "api/internal/archived_record.h"
#include "record/personal.h"

namespace tidal::api {
namespace archived_record_test {

using audience::ArchiveKeys;
using record::Record;

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}
std::string to_hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

TEST(ArchiveCipher, IsThatOfRfc5297) {
    const auto cipher = ArchiveCipher::make();
    ASSERT_TRUE(cipher.ok()) << cipher.error().to_string();
    const std::string key =
        from_hex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    const std::string along = from_hex("101112131415161718191a1b1c1d1e1f2021222324252627");
    const std::string text = from_hex("112233445566778899aabbccddee");
    const auto sealed = cipher->seal(key, along, text);
    ASSERT_TRUE(sealed.ok());
    EXPECT_EQ(to_hex(*sealed), "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");
    const auto opened = cipher->open(key, along, *sealed);
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(*opened, text);
    EXPECT_FALSE(cipher->open(key, along + "x", *sealed).ok());
    EXPECT_FALSE(cipher->open(std::string(32, 'k'), along, *sealed).ok());
    for (std::size_t at = 0; at < sealed->size(); ++at) {
        std::string damaged = *sealed;
        damaged[at] ^= 4;
        EXPECT_FALSE(cipher->open(key, along, damaged).ok()) << at;
        EXPECT_FALSE(cipher->open(key, along, sealed->substr(0, at)).ok()) << at;
    }
}

class ArchivedRecord : public testing::Test {
protected:
    ArchivedRecord() : cipher_(std::move(*ArchiveCipher::make())), records_(cipher_) {
        header_.region = kFirstRegion;
        header_.shard = ShardId(3);
        header_.incarnation = Incarnation(1);
        know("nina", 0x1111111111111111, 'n');
        know("boris", 0x2222222222222222, 'b');
    }
    void know(const std::string& user, std::uint64_t alias, char secret) {
        keys_[EntityId(user)] = {alias, std::string(record::kArchiveSecretBytes, secret)};
    }
    void forget(const std::string& user) { keys_.erase(EntityId(user)); }

    static Record of(record::Body body) {
        Record out;
        out.envelope.stamp = HybridTime::from(1'767'225'600'000, 1);
        out.envelope.event_time_ms = out.envelope.stamp.wall_ms();
        out.body = std::move(body);
        return out;
    }
    static Record signal() {
        Record out = of(record::SignalBody{SignalTypeId(2), EntityId("film"), record::kWeightOne,
                                           EntityId("nina"), EntityId("studio"), "at home"});
        out.envelope.session = "s-1";
        out.envelope.session_sequence = 7;
        out.envelope.idempotency_key = "key-of-nina";
        out.envelope.cohorts = {CohortId(4)};
        return out;
    }
    static std::string bytes_of(const Record& record) {
        Encoder out;
        record::encode_record(record, kFirstRegion, &out);
        return out.take();
    }
    std::string seal(Record record, std::uint64_t index = 41) {
        const std::string bytes = bytes_of(record);
        auto sealed = records_.seal(header_, LogIndex(index), bytes, &record,
                                    [&](const EntityId& user, HybridTime) {
                                        const auto found = keys_.find(user);
                                        return found == keys_.end() ? nullptr : &found->second;
                                    });
        EXPECT_TRUE(sealed.ok()) << sealed.error().to_string();
        return *sealed;
    }
    Result<std::string> open(std::string_view sealed, std::uint64_t index = 41) {
        Record scratch;
        return records_.open(header_, LogIndex(index), sealed, &scratch,
                             [&](std::uint64_t alias) -> Result<const ArchiveKeys::Owner*> {
                                 for (const auto& [user, key] : keys_)
                                     if (key.alias == alias)
                                         return &(owners_[alias] = {user, key.secret});
                                 return static_cast<const ArchiveKeys::Owner*>(nullptr);
                             });
    }
    void expect_back(const Record& record) {
        const auto opened = open(seal(record));
        ASSERT_TRUE(opened.ok()) << opened.error().to_string();
        EXPECT_EQ(*opened, bytes_of(record));
    }
    static Record erased(Record record) {
        record::take_texts(&record);
        record::replace_users(&record, [](const EntityId&, HybridTime) { return std::nullopt; });
        return record;
    }
    static bool shows(std::string_view bytes, std::string_view what) {
        return bytes.find(what) != std::string_view::npos;
    }

    const ArchiveCipher cipher_;
    const ArchivedRecords records_;
    wal::BatchHeader header_;
    std::map<EntityId, ArchiveKeys::Key> keys_;
    std::map<std::uint64_t, ArchiveKeys::Owner> owners_;
};

TEST_F(ArchivedRecord, ASignalKeepsWhatItCounts) {
    expect_back(signal());
    const std::string sealed = seal(signal());
    for (const auto* hidden : {"nina", "at home", "s-1"})
        EXPECT_FALSE(shows(sealed, hidden)) << hidden;
    EXPECT_TRUE(shows(sealed, "film"));
    EXPECT_TRUE(shows(sealed, "studio"));
    forget("nina");
    const auto opened = open(sealed);
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    EXPECT_EQ(*opened, bytes_of(erased(signal())));
    // And erased before it was sealed.
    const auto late = open(seal(signal()));
    ASSERT_TRUE(late.ok());
    EXPECT_EQ(*late, *opened);
    const auto read = record::decode_record(*opened, kFirstRegion);
    ASSERT_TRUE(read.ok());
    EXPECT_TRUE(read->envelope.user_erased);
    EXPECT_EQ(read->envelope.cohorts, signal().envelope.cohorts);
}

TEST_F(ArchivedRecord, ASignalOfNobodyIsAsItWas) {
    Record record = signal();
    std::get<record::SignalBody>(record.body).user.reset();
    expect_back(record);
    EXPECT_EQ(seal(record).substr(1), bytes_of(record));
}

TEST_F(ArchivedRecord, WhatIsOfOneUserGoesWithThem) {
    record::UpsertBody fields;
    fields.kind = EntityKind::kUser;
    fields.id = EntityId("nina");
    fields.fields = {{FieldId(0), record::Value("Kyiv")}};
    const record::Body bodies[] = {
        fields,
        record::EmbeddingBody{EntityKind::kUser, EntityId("nina"), EmbeddingSlotId(0), {1, 2}},
        record::RelationshipBody{record::RelationshipKind::kFollows, false, EntityId("nina"),
                                 EntityId("Kyiv")},
        record::SavedSearchBody{EntityId("nina"), "Kyiv", "SEARCH items FOR 'Kyiv'", false},
        record::DeliveryBody{EntityId("nina"), "Kyiv", 5, 3, 9}};
    for (const record::Body& body : bodies) {
        SCOPED_TRACE(body.index());
        know("nina", 0x1111111111111111, 'n');
        expect_back(of(body));
        const std::string sealed = seal(of(body));
        EXPECT_FALSE(shows(sealed, "nina"));
        EXPECT_FALSE(shows(sealed, "Kyiv"));
        forget("nina");
        const auto opened = open(sealed);
        ASSERT_TRUE(opened.ok()) << opened.error().to_string();
        EXPECT_TRUE(opened->empty());
        EXPECT_EQ(seal(of(body)).size(), 1u) << "erased before it was sealed";
    }
}

TEST_F(ArchivedRecord, WhatIsOfTwoGoesWithEither) {
    const Record friends = of(record::RelationshipBody{record::RelationshipKind::kFriends, false,
                                                       EntityId("nina"), EntityId("boris")});
    for (const auto* gone : {"nina", "boris"}) {
        know("nina", 0x1111111111111111, 'n');
        know("boris", 0x2222222222222222, 'b');
        expect_back(friends);
        const std::string sealed = seal(friends);
        EXPECT_FALSE(shows(sealed, "nina") || shows(sealed, "boris"));
        forget(gone);
        const auto opened = open(sealed);
        ASSERT_TRUE(opened.ok());
        EXPECT_TRUE(opened->empty()) << gone;
    }
}

TEST_F(ArchivedRecord, KeysAndDeletionsOfUsersAreNotKept) {
    record::ArchiveKeysBody keys;
    keys.keys = {{EntityId("nina"), HybridTime::from_bits(9), 5, std::string(32, 'n')}};
    EXPECT_EQ(seal(of(keys)).size(), 1u);
    record::DeleteBody deletes{EntityKind::kUser, EntityId("nina"), std::nullopt};
    EXPECT_EQ(seal(of(deletes)).size(), 1u);
    EXPECT_EQ(seal(of(record::EraseUserBody{EntityId("nina"), {}, {VShard(7)}})).size(), 1u);
    deletes.kind = EntityKind::kItem;
    expect_back(of(deletes));
}

TEST_F(ArchivedRecord, RelayRowsKeepSignalsAndTotals) {
    record::RelayBody rows{ShardId(1), Incarnation(1), VShard(7), {}};
    record::RelayRow creator, taste, erasure, of_nina, of_boris;
    creator.target = EntityId("studio");
    creator.user = EntityId("nina");
    taste.effect = record::RelayEffect::kTaste;
    taste.target = EntityId("nina");
    taste.item = EntityId("film");
    erasure.effect = record::RelayEffect::kErasure;
    erasure.target = EntityId("nina");
    of_nina.effect = of_boris.effect = record::RelayEffect::kSignal;
    of_nina.target = of_boris.target = EntityId("film");
    of_nina.user = EntityId("nina");
    of_boris.user = EntityId("boris");
    std::uint64_t sequence = 0;
    for (record::RelayRow* row : {&creator, &taste, &erasure, &of_nina, &of_boris}) {
        row->sequence = ++sequence;
        rows.rows.push_back(*row);
    }
    const std::string sealed = seal(of(rows));
    EXPECT_FALSE(shows(sealed, "nina") || shows(sealed, "boris"));
    creator.user.reset();
    rows.rows = {creator, of_nina, of_boris};
    auto opened = open(sealed);
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    EXPECT_EQ(*opened, bytes_of(of(rows)));
    forget("nina");
    rows.rows = {creator, of_boris};
    opened = open(sealed);
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(*opened, bytes_of(of(rows)));
}

TEST_F(ArchivedRecord, OpensOnlyInItsPlace) {
    const std::string sealed = seal(signal());
    EXPECT_FALSE(open(sealed, 42).ok());
    header_.shard = ShardId(4);
    EXPECT_FALSE(open(sealed).ok());
}

/// A byte that is another gives an error, or nobody: never the texts or the id of somebody else.
TEST_F(ArchivedRecord, DamageNamesNobodyElse) {
    const Record records[] = {signal(),
                              of(record::SavedSearchBody{EntityId("nina"), "jazz", "jazz", false})};
    for (const Record& record : records) {
        const std::string sealed = seal(record);
        for (std::size_t at = 0; at < sealed.size(); ++at)
            for (const int bit : {0, 3, 7}) {
                std::string damaged = sealed;
                damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
                const auto opened = open(damaged);
                if (!opened.ok()) continue;
                EXPECT_FALSE(shows(*opened, "boris")) << at;
                const auto read = record::decode_record(*opened, kFirstRegion);
                if (opened->empty() || !read.ok()) continue;
                // What is under the checksums of its block and batch alone may differ, as in the
                // log.
                const auto* as_signal = std::get_if<record::SignalBody>(&read->body);
                if (as_signal == nullptr || !as_signal->user) continue;
                EXPECT_EQ(*as_signal->user, EntityId("nina")) << at;
                EXPECT_EQ(as_signal->context, "at home") << at;
            }
    }
}

TEST_F(ArchivedRecord, GoldenBytes) {
    const std::map<std::string, std::string> expected = [] {
        std::map<std::string, std::string> lines;
        std::ifstream file(TIDAL_TESTDATA_DIR "/archived_records_v2.txt");
        for (std::string name, hex; file >> name >> hex;) lines[name] = hex;
        return lines;
    }();
    const Record friends = of(record::RelationshipBody{record::RelationshipKind::kFriends, false,
                                                       EntityId("nina"), EntityId("boris")});
    const std::map<std::string, std::string> sealed = {
        {"signal", seal(signal())},
        {"friends", seal(friends)},
        {"tick", seal(of(record::TickBody{}))},
        {"gone", seal(of(record::DeleteBody{EntityKind::kUser, EntityId("nina"), {}}))}};
    for (const auto& [name, bytes] : sealed)
        EXPECT_EQ(to_hex(bytes), expected.contains(name) ? expected.at(name) : "") << name;
    EXPECT_EQ(expected.size(), sealed.size());
}

}  // namespace archived_record_test
}  // namespace tidal::api
