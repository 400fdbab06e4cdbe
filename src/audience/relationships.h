// audience/relationships.h: how the users of one shard stand to creators and to other users.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>

#include <array>
#include <memory>
#include <vector>

#include "audience/internal/hold_row.h"
#include "record/record.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Follows, blocks, mutes and friends, of users whose home this shard is. One is in force while the
/// greatest stamp that began it is not below the greatest that ended it. Rows are the truth; what
/// is in memory equals a rebuild from them. Errors are the store's. Threads: one at a time.
class Relationships {
public:
    /// In force, of one user and kind: a page reads them all.
    static constexpr std::size_t kEachMax = 10'000;
    using Since = absl::flat_hash_map<EntityId, HybridTime>;  ///< By creator, or friend.

    static Result<std::unique_ptr<Relationships>> open(storage::ShardStore& store);

    /// False = there is no room for one more of this kind.
    bool admits(const record::RelationshipBody& body) const;
    /// @param body  Of a kind that is not of items; it begins, or ends.
    Result<void> apply(const record::RelationshipBody& body, HybridTime stamp);
    /// Everything of a user.
    Result<void> erase_user(const EntityId& user);
    /// Wherever a user, of any shard, is named as a friend.
    Result<void> erase_friend(const EntityId& user);

    /// Empty = none.
    const Since& of(const EntityId& user, record::RelationshipKind kind) const;
    std::uint64_t rows() const { return rows_; }
    /// Over all rows.
    Result<std::uint64_t> content_hash();

private:
    using User = std::array<Since, record::kRelationshipKindCount>;

    explicit Relationships(storage::ShardStore& store) : store_(store) {}
    void note(const RelationKey& key, const HoldRow& row);

    storage::ShardStore& store_;
    absl::node_hash_map<EntityId, User> users_;
    /// Who names a user as a friend, or did: rows that go with that user.
    absl::flat_hash_map<EntityId, absl::flat_hash_set<EntityId>> named_by_;
    std::uint64_t rows_ = 0;
};

}  // namespace tidal::audience
