// entity/internal/id_map.h: ids to dense slots and back.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
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
        place(id, slot.value());
        ids_.push_back(id);
        return slot;
    }
    /// While loading, ids come once each, their slots in any order, and wait for finish_load().
    /// False when `slot` is already taken.
    bool load(EntityId id, Slot slot) {
        if (slot.value() >= ids_.size()) {
            ids_.resize(slot.value() + std::size_t{1});
            taken_.resize(slot.value() + std::size_t{1});
        }
        if (taken_[slot.value()]) return false;
        taken_[slot.value()] = true;
        texts_loaded_ += id.is_text() ? 1 : 0;
        ++loaded_;
        ids_[slot.value()] = std::move(id);
        return true;
    }
    /// False when a slot below size() is without an id. Maps of a size known beforehand are filled
    /// in half the time of maps that grow.
    bool finish_load() {
        if (loaded_ != ids_.size()) return false;
        by_number_.reserve(ids_.size() - texts_loaded_);
        by_text_.reserve(texts_loaded_);
        for (std::size_t slot = 0; slot < ids_.size(); ++slot) place(ids_[slot], slot);
        taken_ = {};
        return true;
    }
    const EntityId& id_of(Slot slot) const {
        assert(slot.value() < ids_.size());
        return ids_[slot.value()];
    }
    [[gnu::always_inline]] void prefetch_id(Slot slot) const {
        __builtin_prefetch(&ids_[slot.value()]);
    }
    std::uint32_t size() const { return static_cast<std::uint32_t>(ids_.size()); }
    const std::vector<EntityId>& ids() const { return ids_; }

private:
    void place(const EntityId& id, std::size_t slot) {
        const auto number = static_cast<std::uint32_t>(slot);
        if (id.is_text())
            by_text_.emplace(id.text(), number);
        else
            by_number_.emplace(id.number(), number);
    }

    absl::flat_hash_map<std::uint64_t, std::uint32_t> by_number_;
    absl::flat_hash_map<std::string, std::uint32_t> by_text_;
    std::vector<EntityId> ids_;  ///< By slot.
    // While loading.
    std::vector<bool> taken_;  ///< By slot.
    std::size_t loaded_ = 0, texts_loaded_ = 0;
};

}  // namespace tidal::entity
