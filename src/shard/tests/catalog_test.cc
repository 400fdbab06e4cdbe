// The catalogue through apply: versions are written once, retired for good, and survive restarts.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace catalog_test {

using record::CatalogBody;
using record::CatalogKind;

CatalogBody profile(std::string name, std::uint32_t version, std::optional<std::string> text) {
    return {CatalogKind::kProfile, std::move(name), version, std::move(text)};
}

std::vector<std::string> names(ShardState& state) {
    std::vector<std::string> out;
    for (const CatalogEntry& entry : state.catalog().entries())
        out.push_back(entry.name + "@" + std::to_string(entry.version) + " " + entry.text);
    return out;
}

TEST(CatalogTest, AVersionIsWrittenOnce) {
    OneShard shard;
    EXPECT_TRUE(shard.apply(profile("a", 2, "two")).created);
    const Outcome again = shard.apply(profile("a", 2, "two"));
    EXPECT_TRUE(again.ok() && again.repeated && !again.created);
    const Outcome other = shard.apply(profile("a", 2, "zwei"));
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.refused->reason(), "version_exists");
    EXPECT_EQ(other.refused->hint(), "the next free one is 3");
    const Outcome older = shard.apply(profile("a", 1, "one"));
    ASSERT_FALSE(older.ok());
    EXPECT_EQ(older.refused->reason(), "version_not_newest");
    EXPECT_TRUE(shard.apply(profile("a", 10, "ten")).created);
    EXPECT_TRUE(shard.apply(profile("a1", 1, "other name")).created);
    EXPECT_TRUE(shard.apply(CatalogBody{CatalogKind::kExperiment, "a", 1, "other kind"}).created);
    EXPECT_EQ(
        names(shard.state()),
        (std::vector<std::string>{"a@2 two", "a@10 ten", "a1@1 other name", "a@1 other kind"}));
}

TEST(CatalogTest, RetiredNumbersAreNotUsedAgain) {
    OneShard shard;
    shard.apply(profile("a", 1, "one"));
    shard.apply(profile("a", 2, "two"));
    shard.apply(profile("b", 1, "b"));
    EXPECT_EQ(shard.apply(profile("c", 1, std::nullopt)).refused->code(), ErrorCode::kNotFound);
    EXPECT_TRUE(shard.apply(profile("a", 2, std::nullopt)).ok());
    EXPECT_TRUE(shard.apply(profile("a", 2, std::nullopt)).repeated);
    EXPECT_EQ(names(shard.state()), std::vector<std::string>{"b@1 b"});
    const Outcome retired = shard.apply(profile("a", 2, "two"));
    ASSERT_FALSE(retired.ok());
    EXPECT_EQ(retired.refused->reason(), "version_exists");
    EXPECT_EQ(retired.refused->message(), "profile `a` has a version 2 already, which is retired");
    EXPECT_EQ(retired.refused->hint(), "the next free one is 3");
    EXPECT_TRUE(shard.apply(profile("a", 3, "three")).created);
}

TEST(CatalogTest, WhatWasCheckedAgainstAnotherCatalogueIsRefused) {
    OneShard shard;
    const auto since = [&](CatalogBody body, HybridTime stamp) {
        body.since = stamp;
        return shard.apply(std::move(body));
    };
    const auto newest = [&] { return shard.state().catalog().newest_stamp(); };
    EXPECT_TRUE(since(profile("a", 1, "one"), HybridTime()).created) << "of an empty catalogue";
    const HybridTime one = newest();
    EXPECT_EQ(since(profile("b", 1, "b"), HybridTime()).refused->reason(), kCatalogChanged);
    EXPECT_EQ(since(profile("a", 1, "eins"), HybridTime()).refused->reason(), kCatalogChanged)
        << "not a word about a version that the caller may not have chosen";
    EXPECT_EQ(since(profile("c", 1, std::nullopt), HybridTime()).refused->reason(),
              kCatalogChanged);
    EXPECT_TRUE(since(profile("b", 1, "b"), one).created);
    EXPECT_EQ(since(profile("a", 1, std::nullopt), one).refused->reason(), kCatalogChanged);
    EXPECT_EQ(names(shard.state()), (std::vector<std::string>{"a@1 one", "b@1 b"}));

    // Proposed again after a change of leaders: what is there already passes.
    EXPECT_TRUE(since(profile("b", 1, "b"), one).repeated);
    const HybridTime two = newest();
    shard.restart();
    EXPECT_EQ(newest(), two);
    EXPECT_TRUE(since(profile("a", 1, std::nullopt), two).created);
    EXPECT_TRUE(since(profile("a", 1, std::nullopt), two).repeated);
    shard.restart();
    EXPECT_EQ(since(profile("b", 2, "c"), two).refused->reason(), kCatalogChanged);
    // A record of before there were stamps in them.
    EXPECT_TRUE(shard.apply(profile("b", 2, "c")).created);
    EXPECT_EQ(shard.apply(profile("c", 1, std::nullopt)).refused->code(), ErrorCode::kNotFound);
}

// A deletion that is proposed again after a change of leaders, when somebody has put the name anew.
TEST(CatalogTest, ARetirementThatIsOverLeavesWhatWasPutAfterIt) {
    OneShard shard;
    for (const CatalogKind kind : {CatalogKind::kProfile, CatalogKind::kSynonyms,
                                   CatalogKind::kCollection, CatalogKind::kPolicy}) {
        const std::string name(name_of(kind).substr(0, 1));
        EXPECT_TRUE(shard.apply(CatalogBody{kind, name, 1, "one"}).created);
        EXPECT_TRUE(shard.apply(CatalogBody{kind, name, 2, "two"}).created);
        CatalogBody deletion{kind, name, 2, std::nullopt};
        deletion.since = shard.state().catalog().newest_stamp();
        EXPECT_TRUE(shard.apply(deletion).created);
        EXPECT_TRUE(shard.apply(CatalogBody{kind, name, 3, "three"}).created);
        const Outcome again = shard.apply(deletion);
        ASSERT_TRUE(again.ok()) << "its door would go round and retire version 3";
        EXPECT_TRUE(again.repeated);
        ASSERT_EQ(shard.state().catalog().entries(kind).size(), 1u);
        EXPECT_EQ(shard.state().catalog().entries(kind)[0].text, "three");
        // Of a version that is there what it was checked against counts, as ever.
        CatalogBody late{kind, name, 3, std::nullopt};
        late.since = deletion.since;
        EXPECT_EQ(shard.apply(late).refused->reason(), kCatalogChanged);
    }
}

TEST(CatalogTest, SurvivesARestartWithTheSameHash) {
    OneShard shard;
    shard.apply(profile("a", 1, "one"));
    shard.apply(profile("a", 300, std::string(70'000, 'x')));
    shard.apply(profile("b", 1, "b"));
    shard.apply(profile("b", 1, std::nullopt));
    const auto before = names(shard.state());
    const std::uint64_t hash = must(shard.state().content_hash());
    shard.checkpoint();
    shard.restart();
    EXPECT_EQ(names(shard.state()), before);
    EXPECT_EQ(must(shard.state().content_hash()), hash);
    EXPECT_EQ(shard.apply(profile("a", 299, "late")).refused->reason(), "version_not_newest");
    EXPECT_EQ(shard.apply(profile("b", 1, "b")).refused->reason(), "version_exists");
}

TEST(CatalogTest, OfAModelOnlyTheNewestVersionIsKept) {
    const auto model = [](std::uint32_t version, std::optional<std::string> text) {
        return CatalogBody{CatalogKind::kModel, "m", version, std::move(text)};
    };
    OneShard shard;
    shard.apply(profile("m", 1, "a profile of the same name"));
    // More than the catalogue holds, were they all kept.
    const std::string text(record::kModelTextBytesMax, 'x');
    const auto versions = static_cast<std::uint32_t>(kCatalogBytesMax / text.size() + 2);
    for (std::uint32_t version = 1; version <= versions; ++version)
        ASSERT_TRUE(shard.apply(model(version, text)).created);
    const std::string newest = "m@" + std::to_string(versions) + " " + text;
    const std::vector<std::string> kept = {"m@1 a profile of the same name", newest};
    EXPECT_EQ(names(shard.state()), kept);
    shard.checkpoint();
    shard.restart();
    EXPECT_EQ(names(shard.state()), kept);
    EXPECT_EQ(shard.apply(model(1, text)).refused->reason(), "version_not_newest");
    EXPECT_TRUE(shard.apply(model(versions, std::nullopt)).ok());
    EXPECT_EQ(shard.apply(model(versions, text)).refused->reason(), "version_exists");
    EXPECT_TRUE(shard.apply(model(versions + 1, text)).created);
}

TEST(CatalogTest, OfWhatIsTheClustersOnlyTheNewestStateIsKept) {
    constexpr CatalogKind kKinds[] = {CatalogKind::kMember, CatalogKind::kJoinToken,
                                      CatalogKind::kApiKey};
    OneShard shard;
    shard.apply(profile("7", 1, "a profile of the same name"));
    for (const CatalogKind kind : kKinds) {
        EXPECT_TRUE(shard.apply(CatalogBody{kind, "7", 1, "first"}).created);
        EXPECT_TRUE(shard.apply(CatalogBody{kind, "7", 2, "second"}).created);
        // Who read the first state and writes the next one finds that it is there.
        EXPECT_EQ(shard.apply(CatalogBody{kind, "7", 2, "late"}).refused->reason(),
                  "version_exists");
        EXPECT_TRUE(shard.apply(CatalogBody{kind, "7", 2, "second"}).repeated);
        EXPECT_EQ(shard.apply(CatalogBody{kind, "7", 1, "first"}).refused->reason(),
                  "version_not_newest");
        EXPECT_TRUE(shard.apply(CatalogBody{kind, "70", 1, "another"}).created);
        EXPECT_TRUE(shard.apply(CatalogBody{kind, "70", 1, std::nullopt}).ok());
    }
    const std::uint64_t hash = must(shard.state().content_hash());
    for (int round = 0; round < 2; ++round) {
        const Catalog& catalog = shard.state().catalog();
        EXPECT_EQ(names(shard.state()),
                  (std::vector<std::string>{"7@1 a profile of the same name", "7@2 second",
                                            "7@2 second", "7@2 second"}));
        for (const CatalogKind kind : kKinds) {
            ASSERT_EQ(catalog.entries(kind).size(), 1u) << name_of(kind);
            EXPECT_EQ(catalog.entries(kind)[0].text, "second");
            EXPECT_EQ(catalog.names(kind), (std::vector<std::string>{"7", "70"}));
            EXPECT_EQ(catalog.newest(kind, "70"), 1u) << "an ended one is remembered";
        }
        EXPECT_EQ(must(shard.state().content_hash()), hash);
        shard.checkpoint();
        shard.restart();
    }
}

TEST(CatalogTest, AFullCatalogueOfProfilesLeavesRoomForTheCluster) {
    OneShard shard;
    for (std::uint32_t i = 0; i < kCatalogEntriesMax; ++i)
        ASSERT_TRUE(shard.apply(profile("a", i + 1, "")).created);
    EXPECT_EQ(shard.apply(profile("b", 1, "")).refused->code(), ErrorCode::kTooLarge);
    const auto member = [](std::uint32_t number, std::uint32_t version) {
        return CatalogBody{CatalogKind::kMember, std::to_string(number), version, "text"};
    };
    for (std::uint32_t i = 0; i < kCatalogEntriesMax; ++i)
        ASSERT_TRUE(shard.apply(member(i, 1)).created);
    EXPECT_EQ(shard.apply(member(kCatalogEntriesMax, 1)).refused->code(), ErrorCode::kTooLarge);
    EXPECT_TRUE(shard.apply(member(5, 2)).created) << "the next state of one takes no room";
    EXPECT_TRUE(shard.apply(member(6, 1)).repeated);
}

TEST(CatalogTest, IsBounded) {
    OneShard shard;
    const std::string text(record::kCatalogTextBytesMax - 1, 'x');
    std::uint32_t version = 0;
    for (std::uint64_t bytes = 0; bytes + text.size() + 1 <= kCatalogBytesMax;
         bytes += text.size() + 1)
        ASSERT_TRUE(shard.apply(profile("a", ++version, text)).created);
    EXPECT_EQ(shard.apply(profile("a", ++version, text)).refused->code(), ErrorCode::kTooLarge);
    EXPECT_TRUE(shard.apply(profile("a", version, std::nullopt)).ok());
    EXPECT_TRUE(shard.apply(profile("a", version, text)).created);
}

}  // namespace catalog_test
}  // namespace tidal::shard
