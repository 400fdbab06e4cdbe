#include "audience/archive_keys.h"

#include <gtest/gtest.h>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace archive_keys_test {

record::ArchiveKey key(const EntityId& user, std::uint64_t alias, char secret) {
    return {user, HybridTime::from_bits(1), alias,
            std::string(record::kArchiveSecretBytes, secret)};
}

TEST(ArchiveKeys, WhoHasAKeyKeepsIt) {
    entity::MemoryStore store;
    ArchiveKeys keys(store);
    EXPECT_FALSE(keys.of(EntityId("ada")).value());
    EXPECT_FALSE(keys.owner(7).value());
    ASSERT_TRUE(keys.apply(key(EntityId("ada"), 7, 'a')).ok());
    ASSERT_TRUE(keys.apply(key(EntityId("ada"), 8, 'b')).ok()) << "of another replica";
    EXPECT_EQ(keys.of(EntityId("ada")).value()->alias, 7u);
    EXPECT_EQ(keys.of(EntityId("ada")).value()->secret, std::string(32, 'a'));
    EXPECT_EQ(keys.owner(7).value()->user, EntityId("ada"));
    EXPECT_EQ(keys.owner(7).value()->secret, std::string(32, 'a'));
    EXPECT_FALSE(keys.owner(8).value());
}

TEST(ArchiveKeys, AnAliasIsOfOneUser) {
    entity::MemoryStore store;
    ArchiveKeys keys(store);
    ASSERT_TRUE(keys.apply(key(EntityId(1), 7, 'a')).ok());
    ASSERT_TRUE(keys.apply(key(EntityId(2), 7, 'b')).ok());
    EXPECT_FALSE(keys.of(EntityId(2)).value()) << "taken: the next one that is drawn is theirs";
    EXPECT_EQ(keys.owner(7).value()->user, EntityId(1));
    ASSERT_TRUE(keys.apply(key(EntityId(2), 9, 'b')).ok());
    EXPECT_EQ(keys.owner(9).value()->user, EntityId(2));
}

TEST(ArchiveKeys, NothingIsLeftOfWhoIsErased) {
    entity::MemoryStore store;
    ArchiveKeys keys(store);
    ASSERT_TRUE(keys.apply(key(EntityId("ada"), 7, 'a')).ok());
    ASSERT_TRUE(keys.apply(key(EntityId("bob"), 8, 'b')).ok());
    ASSERT_TRUE(keys.erase_user(EntityId("ada")).ok());
    ASSERT_TRUE(keys.erase_user(EntityId("nobody")).ok());
    EXPECT_FALSE(keys.owner(7).value());
    EXPECT_FALSE(keys.of(EntityId("ada")).value());
    EXPECT_EQ(keys.owner(8).value()->user, EntityId("bob"));
    for (const auto& [row, value] : store.rows)
        EXPECT_EQ((row + value).find("ada"), std::string::npos) << row;
    ASSERT_TRUE(keys.apply(key(EntityId("ada"), 7, 'c')).ok());
    EXPECT_EQ(keys.of(EntityId("ada")).value()->secret, std::string(32, 'c'));
}

TEST(ArchiveKeys, DamagedRowsAreErrorsNotNobody) {
    entity::MemoryStore store;
    ArchiveKeys keys(store);
    ASSERT_TRUE(keys.apply(key(EntityId("ada"), 7, 'a')).ok());
    const auto sound = store.rows;
    for (const auto& [row, value] : sound) {
        store.rows = sound;
        store.rows[row] = value.substr(0, value.size() / 2);
        EXPECT_FALSE(keys.owner(7).ok() && keys.of(EntityId("ada")).ok()) << row;
        store.rows = sound;
        store.rows[row][0] = 99;
        EXPECT_FALSE(keys.owner(7).ok() && keys.of(EntityId("ada")).ok()) << row;
    }
    // A row whose other one is missing.
    store.rows = sound;
    std::erase_if(store.rows, [](const auto& row) { return row.first.starts_with("a/k/"); });
    EXPECT_FALSE(keys.owner(7).ok());
}

}  // namespace archive_keys_test
}  // namespace tidal::audience
