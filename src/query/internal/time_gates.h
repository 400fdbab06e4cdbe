// query/internal/time_gates.h: live entities that are published and not expired: every source of
// candidates keeps these gates.
#pragma once

#include "entity/entity_table.h"

namespace tidal::query {

/// Lifetime: until the table changes.
class TimeGates {
public:
    TimeGates(const entity::EntityTable& entities, UnixMillis now_ms)
        : always_open_(entities.always_open()),
          publish_at_(entities.publish_at_column()),
          expires_at_(entities.expires_at_column()),
          now_ms_(now_ms) {}
    /// Of a live one.
    bool open(std::uint32_t slot) const {
        if (always_open(slot)) return true;
        return (int{publish_at_[slot] <= now_ms_} & int{now_ms_ < expires_at_[slot]}) != 0;
    }
    /// Of any: it is live, too. Most have no times, and bits of many slots lie together.
    bool always_open(std::uint32_t slot) const {
        return slot / 64 < always_open_.size() && (always_open_[slot / 64] >> (slot % 64) & 1) != 0;
    }

private:
    std::span<const std::uint64_t> always_open_;
    std::span<const UnixMillis> publish_at_, expires_at_;
    const UnixMillis now_ms_;
};

}  // namespace tidal::query
