// audience/tastes.h: the tastes of the users whose home a shard is.
// Format: docs/formats/audience_rows.md.
#pragma once

#include <absl/container/btree_set.h>

#include <memory>
#include <vector>

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

    /// What is there stays until others take its place.
    void set_bytes_max(std::uint64_t bytes_max) { options_.bytes_max = bytes_max; }
    /// At or above the budget a user of whom nothing is known takes the place of who was silent
    /// longest, by the hour of what the taste has from them. Who was erased keeps the stamp and is
    /// not replaced; where nobody is, or the event is older, the user stays unknown and is counted.
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
        std::uint64_t bytes = 0;  ///< Of tastes as they lie in memory, and 128 a user for places.
        // For want of memory, since the start:
        std::uint64_t refused = 0;    ///< Events of users who stay unknown.
        std::uint64_t forgotten = 0;  ///< Users whose places others took.
    };
    Stats stats() const;

private:
    struct User {
        Taste taste;
        RowMark mark;
        TasteHour hour = 0;
        EntityId id;
    };
    /// Of a user who may be replaced.
    struct Silent {
        TasteHour hour;
        std::uint64_t hash;  ///< Of the id: among those of an hour no kind of id goes first.
        User* user;
    };
    struct IsSilentLonger {
        bool operator()(const Silent& a, const Silent& b) const {
            if (a.hour != b.hour) return a.hour < b.hour;
            return a.hash != b.hash ? a.hash < b.hash : a.user->id < b.user->id;
        }
    };

    Tastes(const Options& options, storage::ShardStore& store) : options_(options), store_(store) {}
    /// A user, who may be new.
    User& place_of(const EntityId& user);
    /// @return whether there is room, or somebody has gone, for who is heard of at that time.
    bool make_room(UnixMillis at_ms);
    void forget(User* user);
    static Silent silent(User* user);
    /// After a change of what the taste says.
    void set_hour(User* user);
    template <typename Change>
    void change(User* user, Change change);
    /// @return bytes of the row.
    std::size_t write(const User& user);

    Options options_;
    storage::ShardStore& store_;
    CompactIdMap<std::unique_ptr<User>> users_;
    absl::btree_set<Silent, IsSilentLonger> silent_;  ///< All but those who were erased.
    std::vector<std::unique_ptr<User>> unused_;       ///< The backlog may still name them.
    RowBacklog<User*> backlog_;
    std::uint64_t taste_bytes_ = 0;
    std::uint64_t refused_ = 0, forgotten_ = 0;
};

}  // namespace tidal::audience
