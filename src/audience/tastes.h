// audience/tastes.h: the tastes of the users whose home a shard is.
// Format: docs/formats/audience_rows.md.
#pragma once

#include <memory>

#include "audience/internal/compact_id.h"
#include "audience/internal/row_backlog.h"
#include "audience/taste.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// What is in memory is the state; rows follow it with checkpoints. Errors are the store's.
/// Threads: one at a time.
class Tastes {
public:
    struct Options {
        std::uint64_t bytes_max = 1ULL << 30;  ///< As stats().bytes counts.
    };
    static Result<std::unique_ptr<Tastes>> open(const Options& options, storage::ShardStore& store);

    /// At or above the budget, users of whom nothing is known stay so, and are counted.
    /// @return  Where a positive item is new to its ring, the kPairs items liked before it.
    static constexpr std::size_t kPairs = 5;
    using LikedBefore = std::optional<std::vector<EntityId>>;
    LikedBefore apply(const EntityId& user, const TasteEvent& event);
    /// Forgets a user; signals committed up to `stamp` stay forgotten when they arrive later.
    void erase_user(const EntityId& user, HybridTime stamp);
    /// nullptr = nothing is known. Valid until the next change.
    const Taste* find(const EntityId& user) const;
    /// Up to when a user is forgotten; 0 = never.
    HybridTime erased(const EntityId& user) const {
        const Taste* const taste = find(user);
        return taste == nullptr ? HybridTime() : taste->erased();
    }

    /// Right after a checkpoint began: what has changed belongs to it.
    void freeze_rows() { backlog_.freeze(); }
    /// Writes some rows of the checkpoint under way, of so many bytes, each kRowCost more. True
    /// when none is left.
    bool write_frozen_rows(std::size_t cost_max = kAllRows);
    /// Of all, whatever their order.
    std::uint64_t content_hash() const;

    /// Fetches what apply() reads of a user, one after the other, some users later each: its place,
    /// what lies there (nullptr = nothing, good until the next change), the lists.
    TIDAL_PREFETCHES void prefetch_place(const EntityId& user) const { users_.prefetch(user); }
    TIDAL_PREFETCHES const Taste* prefetch_taste(const EntityId& user) const {
        const Taste* const taste = find(user);
        const auto* const lines = reinterpret_cast<const char*>(taste);
        if (lines == nullptr) return nullptr;
        for (std::size_t at = 0; at < sizeof(Taste); at += 64) __builtin_prefetch(lines + at, 1);
        __builtin_prefetch(lines + sizeof(Taste), 1);  // The mark.
        return taste;
    }
    TIDAL_PREFETCHES static void prefetch_lists(const Taste* taste, bool positive) {
        if (taste != nullptr) taste->prefetch(positive);
    }

    struct Stats {
        std::uint64_t users = 0;
        std::uint64_t bytes = 0;  ///< Of tastes as they lie in memory, and 96 a user for its place.
        std::uint64_t refused =
            0;  ///< Events of users not kept for want of memory, since the start.
    };
    Stats stats() const;

private:
    struct User {
        Taste taste;
        RowMark mark;
        EntityId id;
    };

    Tastes(const Options& options, storage::ShardStore& store) : options_(options), store_(store) {}
    /// A user, who may be new.
    User& place_of(const EntityId& user);
    template <typename Change>
    void change(User* user, Change change);
    /// @return bytes of the row.
    std::size_t write(const User& user);

    const Options options_;
    storage::ShardStore& store_;
    CompactIdMap<std::unique_ptr<User>>
        users_;  ///< Nobody leaves: of who is erased the stamp stays.
    RowBacklog<User*> backlog_;
    std::uint64_t taste_bytes_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
