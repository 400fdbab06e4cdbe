// Keys of the archive come and go with their users, the same on every replica.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace archive_keys_test {

EntityId user_where(bool owned, int number = 0) {
    for (int i = 0;; ++i) {
        EntityId id("user " + std::to_string(i));
        const VShard vshard = record::vshard_of(kDefaultTenant, EntityKind::kUser, id);
        if ((vshard.value() < kOwnedEnd) == owned && number-- == 0) return id;
    }
}

struct ArchiveKeysOfAShard : testing::Test {
    Outcome give(const EntityId& user, std::uint64_t alias, HybridTime newest) {
        record::ArchiveKeysBody body;
        body.keys = {{user, newest, alias, std::string(record::kArchiveSecretBytes, 's')}};
        return shard.apply(std::move(body));
    }
    std::optional<std::uint64_t> alias_of(const EntityId& user) {
        const auto key = must(shard.state().archive_keys().of(user));
        return key ? std::optional(key->alias) : std::nullopt;
    }
    HybridTime erase(const EntityId& user) {
        (void)shard.apply(record::DeleteBody{EntityKind::kUser, user, {}});
        return shard.stamper.last();
    }

    OneShard shard;
    const EntityId ada = user_where(true), bob = user_where(true, 1);
};

TEST_F(ArchiveKeysOfAShard, AreThoseOfItsOwnUsers) {
    const HybridTime now = shard.stamper.last();
    EXPECT_TRUE(give(ada, 1024, now).ok());
    EXPECT_TRUE(give(user_where(false), 2048, now).ok());
    EXPECT_EQ(alias_of(ada), 1024u);
    EXPECT_EQ(alias_of(user_where(false)), std::nullopt);
    EXPECT_TRUE(give(ada, 3072, now).ok());
    EXPECT_EQ(alias_of(ada), 1024u);
}

TEST_F(ArchiveKeysOfAShard, GoWithTheUserAndComeOnlyForWhatIsNewer) {
    const HybridTime before = shard.stamper.last();
    give(ada, 1024, before);
    give(bob, 2048, before);
    const HybridTime erased = erase(ada);
    EXPECT_EQ(alias_of(ada), std::nullopt);
    EXPECT_FALSE(must(shard.state().archive_keys().owner(1024)));
    EXPECT_EQ(shard.state().tastes().erased(ada), erased);
    EXPECT_EQ(shard.state().tastes().erased(bob), HybridTime());
    // What another node asked for before it knew.
    give(ada, 3072, before);
    give(ada, 3072, erased);
    EXPECT_EQ(alias_of(ada), std::nullopt);
    give(ada, 3072, shard.stamper.last());
    EXPECT_EQ(alias_of(ada), 3072u) << "somebody who came back";
    EXPECT_EQ(alias_of(bob), 2048u);
}

TEST_F(ArchiveKeysOfAShard, AreStateThatRestartsKeep) {
    const std::uint64_t without = must(shard.state().content_hash());
    give(ada, 1024, shard.stamper.last());
    EXPECT_NE(must(shard.state().content_hash()), without);
    shard.checkpoint();
    give(bob, 2048, shard.stamper.last());
    const std::uint64_t hash = must(shard.state().content_hash());
    shard.restart();
    EXPECT_EQ(must(shard.state().content_hash()), hash);
    EXPECT_EQ(alias_of(ada), 1024u);
    EXPECT_EQ(alias_of(bob), 2048u);
    erase(ada);
    shard.checkpoint();
    shard.restart();
    EXPECT_EQ(alias_of(ada), std::nullopt);
}

}  // namespace archive_keys_test
}  // namespace tidal::shard
