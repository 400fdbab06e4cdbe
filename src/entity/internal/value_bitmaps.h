// entity/internal/value_bitmaps.h: which slots hold a value; bitmaps filled one by one or in bulk.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/node_hash_map.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <roaring/roaring.hh>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidal::entity {

/// One set of slots. While loading, slots come in key order, not slot order: they are kept in a
/// list and sorted once, because adding to a Roaring bitmap in order is some ten times cheaper.
class SlotSet {
public:
    void load(std::uint32_t slot) { pending_.push_back(slot); }
    void finish_load() {
        std::sort(pending_.begin(), pending_.end());
        bitmap_.addMany(pending_.size(), pending_.data());
        pending_ = {};
    }
    void add(std::uint32_t slot) { bitmap_.add(slot); }
    void remove(std::uint32_t slot) { bitmap_.remove(slot); }
    const Roaring& bitmap() const { return bitmap_; }

private:
    Roaring bitmap_;
    std::vector<std::uint32_t> pending_;
};

/// Debian's absl has a string_view of its own, so its maps cannot look one of std up by themselves.
template <typename Key>
struct KeyTraits {
    using Hash = typename absl::flat_hash_map<Key, int>::hasher;
    using Equal = typename absl::flat_hash_map<Key, int>::key_equal;
};
template <>
struct KeyTraits<std::string> {
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view v) const {
            return std::hash<std::string_view>{}(v);
        }
    };
    using Equal = std::equal_to<>;
};

/// A set of slots per value. Values without slots are not kept. Keys stay where they are.
template <typename Key>
class ValueBitmaps {
public:
    template <typename View>
    const Key* load(const View& value, std::uint32_t slot) {
        auto at = pending_.find(value);
        if (at == pending_.end()) {
            at = pending_.try_emplace(Key(value)).first;
            // Made here, so that the address of the key is final.
            at->second.key = &bitmaps_.try_emplace(Key(value)).first->first;
        }
        at->second.slots.push_back(slot);
        return at->second.key;
    }
    void finish_load() {
        for (auto& [value, pending] : pending_) {  // order does not matter: sets
            std::sort(pending.slots.begin(), pending.slots.end());
            bitmaps_.find(value)->second.addMany(pending.slots.size(), pending.slots.data());
        }
        pending_ = {};
    }
    template <typename View>
    const Key* add(const View& value, std::uint32_t slot) {
        auto at = bitmaps_.find(value);
        if (at == bitmaps_.end()) at = bitmaps_.try_emplace(Key(value)).first;
        at->second.add(slot);
        return &at->first;
    }
    template <typename View>
    void remove(const View& value, std::uint32_t slot) {
        const auto at = bitmaps_.find(value);
        if (at == bitmaps_.end()) return;
        at->second.remove(slot);
        if (at->second.isEmpty()) bitmaps_.erase(at);
    }
    template <typename View>
    const Roaring* find(const View& value) const {
        const auto at = bitmaps_.find(value);
        return at == bitmaps_.end() ? nullptr : &at->second;
    }
    template <typename Visitor>
    void for_each(const Visitor& visit) const {
        for (const auto& [value, slots] : bitmaps_) visit(value, slots);
    }
    std::size_t size() const { return bitmaps_.size(); }

private:
    struct Pending {
        const Key* key = nullptr;
        std::vector<std::uint32_t> slots;
    };
    using Hash = typename KeyTraits<Key>::Hash;
    using Equal = typename KeyTraits<Key>::Equal;
    absl::node_hash_map<Key, Roaring, Hash, Equal> bitmaps_;
    absl::flat_hash_map<Key, Pending, Hash, Equal> pending_;
};

}  // namespace tidal::entity
