// query/pins.h: places that do not come from a score: pinned entities first and buried ones last,
// both in the order given, and behind all others what lacks the field a page is sorted by.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <limits>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "entity/entity_table.h"

namespace tidal::query {

inline constexpr std::size_t kPinnedMax = 100;

/// The places by entity, as keys of an order with the greatest first. Scores end at 1e300, so that
/// none comes between. Immutable.
class Pins {
public:
    static constexpr double kMissing = -1e301;

    /// @return kTooLarge, kInvalidArgument (an id twice); the field is "pin" or "bury".
    static Result<Pins> make(std::span<const EntityId> pin, std::span<const EntityId> bury);

    bool empty() const { return keys_.empty(); }
    std::size_t pinned() const { return pinned_; }
    const absl::flat_hash_map<EntityId, double>& keys() const { return keys_; }

    static bool is_pinned(double key) { return key > 1e302; }
    static bool is_buried(double key) { return key < -1e302; }

private:
    absl::flat_hash_map<EntityId, double> keys_;
    std::size_t pinned_ = 0;
};

/// The places in one shard. Lifetime: borrows the table and `sorted_by`.
class Placement {
public:
    /// @param sorted_by  Entities without a number there come last; nullptr = none do.
    Placement(const Pins& pins, const entity::NumberSource* sorted_by,
              const entity::EntityTable& entities)
        : sorted_by_(sorted_by), entities_(entities) {
        for (const auto& [id, key] : pins.keys())
            if (const auto slot = entities.find(id)) keys_.emplace(slot->value(), key);
    }

    /// To be called again when the table may have changed.
    void begin() {
        if (sorted_by_ != nullptr) numbers_ = entities_.numbers(*sorted_by_);
    }

    /// Every key stays what its score made it.
    bool changes_nothing() const { return keys_.empty() && sorted_by_ == nullptr; }
    /// Neither pinned nor buried.
    bool is_free(Slot slot) const { return !keys_.contains(slot.value()); }
    /// @param key  Of its score.
    double key(double key, Slot slot) {
        if (changes_nothing()) return key;
        return placed(key, slot);
    }
    /// The key of the score of what was given `key`.
    double key_of_score(double key, Slot slot) const {
        if (key == Pins::kMissing) return missing_key_;
        if (Pins::is_pinned(key) || Pins::is_buried(key)) return scores_.at(slot.value());
        return key;
    }

private:
    double placed(double key, Slot slot) {
        if (const auto found = keys_.find(slot.value()); found != keys_.end()) {
            scores_[slot.value()] = key;
            return found->second;
        }
        if (sorted_by_ == nullptr) return key;
        const double number = slot.value() < numbers_.size()
                                  ? numbers_[slot.value()]
                                  : std::numeric_limits<double>::quiet_NaN();
        if (number == number) return key;
        missing_key_ = key;
        return Pins::kMissing;
    }

    absl::flat_hash_map<std::uint32_t, double> keys_;    ///< By slot.
    absl::flat_hash_map<std::uint32_t, double> scores_;  ///< Of those in keys_.
    double missing_key_ = 0;  ///< Of the field's default: the same for all that lack it.
    const entity::NumberSource* const sorted_by_;
    const entity::EntityTable& entities_;
    entity::NumberView numbers_;
};

}  // namespace tidal::query
