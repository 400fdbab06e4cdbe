// entity/internal/id_map.h: ids to dense slots and back.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace tidal::entity {

/// Numbers have a map of their own: most applications use nothing else, and a map of 12-byte
/// entries is a fifth of one that must hold strings.
class IdMap {
public:
    std::optional<Slot> find(const EntityId& id) const {
        if (id.is_text()) {
            const auto at = by_text_.find(id.text());
            return at == by_text_.end() ? std::nullopt : std::optional(Slot(at->second));
        }
        const auto at = by_number_.find(id.number());
        return at == by_number_.end() ? std::nullopt : std::optional(Slot(at->second));
    }
    [[gnu::always_inline]] void prefetch(const EntityId& id) const {
        if (!id.is_text()) by_number_.prefetch(id.number());
    }
    /// `id` must not be there yet.
    Slot add(const EntityId& id) {
        const Slot slot(size());
        set(id, slot);
        return slot;
    }
    /// While loading, slots come in any order. False when `slot` or `id` is already taken.
    bool set(const EntityId& id, Slot slot) {
        const bool fresh = id.is_text() ? by_text_.emplace(id.text(), slot.value()).second
                                        : by_number_.emplace(id.number(), slot.value()).second;
        if (slot.value() >= taken_.size()) {
            ids_.resize(slot.value() + std::size_t{1});
            taken_.resize(slot.value() + std::size_t{1});
        }
        if (!fresh || taken_[slot.value()]) return false;
        taken_[slot.value()] = true;
        ids_[slot.value()] = id;
        return true;
    }
    const EntityId& id_of(Slot slot) const {
        assert(slot.value() < ids_.size());
        return ids_[slot.value()];
    }
    std::uint32_t size() const { return static_cast<std::uint32_t>(ids_.size()); }
    /// No slot below size() is without an id.
    bool is_dense() const { return by_number_.size() + by_text_.size() == ids_.size(); }
    const std::vector<EntityId>& ids() const { return ids_; }

private:
    absl::flat_hash_map<std::uint64_t, std::uint32_t> by_number_;
    absl::flat_hash_map<std::string, std::uint32_t> by_text_;
    std::vector<EntityId> ids_;  ///< By slot.
    std::vector<bool> taken_;    ///< Slots set; told apart from the default id 0.
};

}  // namespace tidal::entity
