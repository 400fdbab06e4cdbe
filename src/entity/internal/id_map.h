// entity/internal/id_map.h: ids to dense slots and back.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/huge_pages.h"
#include "base/ids.h"

namespace tidal::entity {

/// Numbers to slots, for finding alone: nothing is ever removed. Linear probing, at most three
/// quarters full: what is looked for lies in the line of the cache where it is looked for first,
/// nearly always. Threads: none of its own.
class NumberMap {
public:
    std::optional<Slot> find(std::uint64_t number) const {
        if (entries_.empty()) return std::nullopt;
        for (std::size_t at = home_of(number);; at = (at + 1) & mask()) {
            const Entry& entry = entries_[at];
            if (entry.slot == kFree) return std::nullopt;
            if (entry.number == number) return Slot(entry.slot);
        }
    }
    [[gnu::always_inline]] void prefetch(std::uint64_t number) const {
        if (!entries_.empty()) __builtin_prefetch(&entries_[home_of(number)]);
    }
    void reserve(std::size_t size) {
        std::size_t room = 16;
        while (size > most_of(room)) room *= 2;
        if (room > entries_.size()) grow(room);
    }
    /// `number` must not be there yet.
    void add(std::uint64_t number, Slot slot) {
        reserve(++size_);
        place({number, slot.value()});
    }

private:
    static constexpr std::uint32_t kFree = 0xffffffff;  ///< No slot: a table ends before it.
    struct Entry {
        std::uint64_t number = 0;
        std::uint32_t slot = kFree;
    };
    static std::size_t most_of(std::size_t room) { return room / 4 * 3; }
    std::size_t mask() const { return entries_.size() - 1; }
    std::size_t home_of(std::uint64_t number) const { return absl::HashOf(number) & mask(); }
    void place(const Entry& entry) {
        std::size_t at = home_of(entry.number);
        while (entries_[at].slot != kFree) at = (at + 1) & mask();
        entries_[at] = entry;
    }
    void grow(std::size_t room) {
        const HugeVector<Entry> before = std::exchange(entries_, HugeVector<Entry>(room));
        for (const Entry& entry : before)
            if (entry.slot != kFree) place(entry);
    }

    HugeVector<Entry> entries_;  ///< A power of two of them.
    std::size_t size_ = 0;
};

/// Numbers have a map of their own: most applications use nothing else, and it is a fifth of one
/// that must hold strings.
class IdMap {
public:
    std::optional<Slot> find(const EntityId& id) const {
        if (id.is_text()) {
            const auto at = by_text_.find(id.text());
            return at == by_text_.end() ? std::nullopt : std::optional(Slot(at->second));
        }
        return by_number_.find(id.number());
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
            by_number_.add(id.number(), Slot(number));
    }

    NumberMap by_number_;
    absl::flat_hash_map<std::string, std::uint32_t> by_text_;
    std::vector<EntityId> ids_;  ///< By slot.
    // While loading.
    std::vector<bool> taken_;  ///< By slot.
    std::size_t loaded_ = 0, texts_loaded_ = 0;
};

}  // namespace tidal::entity
