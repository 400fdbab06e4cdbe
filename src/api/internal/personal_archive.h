// api/internal/personal_archive.h: the archive's records under the keys that the shards of their
// users hold. Why: docs/decisions/0049-archive-keys.md.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "api/internal/archived_record.h"
#include "wal/archive_codec.h"

namespace tidal::api {

class Database;

/// Seals with the keys that this node's replicas know. Where one is missing its user's shard is
/// asked to keep a new one, and the log waits; so a user who is never archived never has a key, and
/// no write waits for one. Threads: seal() the log's second executor; readers any.
class PersonalArchive final : public wal::ArchiveCodec {
public:
    static Result<std::unique_ptr<PersonalArchive>> make(Database& database);
    /// The shards take proposals from now on; until then nothing is sealed.
    void begin() { begun_ = true; }

    Result<std::vector<Sealed>> seal(std::span<const Batch> batches) override;
    std::unique_ptr<Reader> reader() override;

private:
    class AliasReader;
    /// A user that records name.
    struct Named {
        HybridTime newest;  ///< Of the records.
        HybridTime erased;
        std::optional<audience::ArchiveKeys::Key> key;
        /// Of what was committed at `stamp`: nothing is kept of a user up to their erasure.
        const audience::ArchiveKeys::Key* key_at(HybridTime stamp) const {
            return key && stamp > erased ? &*key : nullptr;
        }
        bool lacks_key() const { return !key && newest > erased; }
    };
    using Users = absl::flat_hash_map<EntityId, Named>;
    using Place = std::pair<const EntityId, Named>;

    PersonalArchive(Database& database, ArchiveCipher cipher)
        : database_(database), cipher_(std::move(cipher)), records_(cipher_) {}
    static Result<void> gather(const Batch& batch, Users* users);
    Result<void> look_up(ShardId home, std::span<Place* const> users);
    Result<bool> ask_for_missing(ShardId home, std::span<Place* const> users);
    void ask(ShardId home, std::vector<record::ArchiveKey> keys);
    void answered(ShardId home, bool resume);
    Result<void> seal(const Batch& batch, const Users& users, std::vector<Sealed>* out) const;

    Database& database_;
    const ArchiveCipher cipher_;
    const ArchivedRecords records_;
    std::atomic<bool> begun_ = false;
    std::mutex mutex_;
    std::set<ShardId> asked_;  ///< Shards whose answer is under way; guarded by mutex_.
};

}  // namespace tidal::api
