// query/internal/open_set.h: which entities a feed may show at a moment, kept while time passes and
// entities change, so that counting them does not read the columns of all.
#pragma once

#include <absl/container/btree_set.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <roaring/roaring.hh>
#include <utility>

#include "entity/entity_table.h"

namespace tidal::query {

/// Live entities that are published and not expired (TimeGates). Memory: a bit per slot, and about
/// 20 bytes per `publish_at` or `expires_at` that lies ahead. Threads: those of the shard.
/// Lifetime: borrows the entity table.
class OpenSet {
public:
    /// How far behind the newest moment asked for counts are still known.
    static constexpr UnixMillis kKeptMs = 3'600'000;

    /// @param now_ms  A moment that no change seen so far comes after.
    OpenSet(const entity::EntityTable& entities, UnixMillis now_ms)
        : entities_(entities), latest_ms_(now_ms), kept_from_ms_(now_ms) {}

    /// Looks at the next `slots` slots of the table; `scanned()` once it has seen all.
    void scan(std::uint32_t slots);
    bool scanned() const { return scanned_; }
    /// The entity was made, changed or deleted.
    void on_change(std::uint32_t slot);
    /// How many are open at `now_ms`; nullopt when that is too long ago.
    std::optional<std::uint64_t> count_at(UnixMillis now_ms);

private:
    void look_at(std::uint32_t slot);
    bool is_open(std::uint32_t slot, UnixMillis now_ms) const;
    void advance(UnixMillis now_ms);
    /// Drops moments that entities no longer have, once they are the most.
    void tidy();

    const entity::EntityTable& entities_;
    Roaring open_;  ///< At latest_ms_.
    /// When slots open or close, from kept_from_ms_ on. May name moments that an entity no longer
    /// has: the columns decide.
    absl::btree_set<std::pair<UnixMillis, std::uint32_t>> moments_;
    UnixMillis latest_ms_, kept_from_ms_;
    std::uint32_t next_slot_ = 0;
    bool scanned_ = false;
};

}  // namespace tidal::query
