// shard/idempotency.h: what was answered under each idempotency key of the last 24 hours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hlc.h"
#include "record/record.h"
#include "shard/outcome.h"
#include "storage/shard_store.h"

namespace tidal::shard {

/// "this idempotency key was used with another body", for replies.
Error key_of_another_body();
/// "no signal with this idempotency key is kept", for replies.
Error unknown_undo_key();

/// What an undo of a keyed signal subtracts. Of a signal of a session there are two: the session's
/// shard keeps what it sends on, and the item's, under session_row_key(), what came of it there.
struct UndoEntry {
    record::SignalBody signal;
    std::uint64_t session = 0;  ///< Under which it was sent, in that one's shard; 0 = none.
    HybridTime generation;  ///< Of the item it was counted for; of a session: as of an envelope.
    RegionId origin;
    UnixMillis event_time_ms = 0;
    std::optional<EntityId> creator;  ///< Whose ledger it reached.
    bool marked_user = false;         ///< It counts among what holds states of its user.
    std::vector<CohortId> cohorts;    ///< Whose ledgers it reached.
};

struct KeyEntry {
    std::uint64_t body_hash = 0;
    HybridTime stamp;
    Outcome answer;
    std::optional<UndoEntry> undo;
    std::optional<Outcome> undone;  ///< Set once taken back: a second undo gets this answer.
};

/// Rows "k/<hash of tenant, principal and key>" hold entries, rows "x/<minute><hash>" order them by
/// age. Kept 24 h of commit stamps and at most `bytes_max`, the oldest minutes going first; both
/// rules read only state and record. Threads: one at a time.
class IdempotencyTable {
public:
    static constexpr UnixMillis kKeepMs = 24LL * 3600 * 1000;

    static Result<IdempotencyTable> open(storage::ShardStore& store, std::uint64_t bytes_max);

    static std::string row_key(TenantId tenant, std::string_view principal, std::string_view key);
    /// Of a signal of a session in the shard of its item: the stamps of one user's shard differ.
    static std::string session_row_key(TenantId tenant, const EntityId& user, HybridTime stamp);

    Result<std::optional<KeyEntry>> find(const std::string& row_key);
    Result<void> insert(const std::string& row_key, const KeyEntry& entry);
    /// Replaces an entry in place (an undo marks the entry of its signal).
    void replace(const std::string& row_key, const KeyEntry& entry);
    /// Drops what is older than 24 h at `now`, and the oldest minutes above the quota.
    Result<void> expire(HybridTime now);

    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t count() const { return count_; }
    /// Commit time of the oldest key kept; nullopt when there is none.
    std::optional<UnixMillis> oldest_ms() const { return oldest_ms_; }

private:
    IdempotencyTable(storage::ShardStore& store, std::uint64_t bytes_max)
        : store_(&store), bytes_max_(bytes_max) {}

    storage::ShardStore* store_;
    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
    std::uint64_t count_ = 0;
    std::optional<UnixMillis> oldest_ms_;
};

}  // namespace tidal::shard
