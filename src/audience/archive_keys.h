// audience/archive_keys.h: the keys under which the archive keeps what is of the users whose home a
// shard is. Format: docs/formats/audience_rows.md. Why: docs/decisions/0049-archive-keys.md.
#pragma once

#include <optional>
#include <string>

#include "record/record.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Rows are all there is: nothing is in memory. Without its rows a user's alias and what is sealed
/// under their secret say nothing to anybody. Errors are the store's, or kCorruption. Threads: one
/// at a time.
class ArchiveKeys {
public:
    struct Key {
        std::uint64_t alias = 0;  ///< Stands for the user in the archive.
        std::string secret;       ///< record::kArchiveSecretBytes.
        bool operator==(const Key&) const = default;
    };
    struct Owner {
        EntityId user;
        std::string secret;
    };

    explicit ArchiveKeys(storage::ShardStore& store) : store_(store) {}

    Result<std::optional<Key>> of(const EntityId& user) const;
    /// nullopt = nobody any more.
    Result<std::optional<Owner>> owner(std::uint64_t alias) const;
    /// Whoever has a key keeps it; one whose alias is taken gets none, and another one later.
    Result<void> apply(const record::ArchiveKey& key);
    Result<void> erase_user(const EntityId& user);

private:
    storage::ShardStore& store_;
};

}  // namespace tidal::audience
