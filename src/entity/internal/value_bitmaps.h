// entity/internal/value_bitmaps.h: which slots hold a value; bitmaps filled one by one or in bulk.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/node_hash_map.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <roaring/roaring.hh>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidal::entity {

/// Adds slots below `slot_count`, each once, in order: some ten times cheaper than as they come. A
/// large share of all slots is ordered by one bit each, in a third of the time of a sort.
inline void add_unordered(std::vector<std::uint32_t>* slots, std::uint32_t slot_count,
                          Roaring* bitmap) {
    if (slots->size() < slot_count / 64) {
        std::sort(slots->begin(), slots->end());
    } else {
        std::vector<std::uint64_t> bits(slot_count / 64 + std::size_t{1});
        for (const std::uint32_t slot : *slots) bits[slot / 64] |= std::uint64_t{1} << (slot % 64);
        slots->clear();
        for (std::size_t word = 0; word < bits.size(); ++word)
            for (std::uint64_t rest = bits[word]; rest != 0; rest &= rest - 1)
                slots->push_back(static_cast<std::uint32_t>(word * 64) +
                                 static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
    bitmap->addMany(slots->size(), slots->data());
}

/// One set of slots. While loading, slots come in key order, not slot order, and wait in a list.
class SlotSet {
public:
    void load(std::uint32_t slot) { pending_.push_back(slot); }
    void finish_load(std::uint32_t slot_count) {
        add_unordered(&pending_, slot_count, &bitmap_);
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
            at->second.key = &insert(value)->first;
        }
        at->second.slots.push_back(slot);
        return at->second.key;
    }
    void finish_load(std::uint32_t slot_count) {
        for (auto& [value, pending] : pending_)  // order does not matter: sets
            add_unordered(&pending.slots, slot_count, &bitmaps_.find(value)->second.slots);
        pending_ = {};
    }
    template <typename View>
    const Key* add(const View& value, std::uint32_t slot) {
        auto at = bitmaps_.find(value);
        if (at == bitmaps_.end()) at = insert(value);
        at->second.slots.add(slot);
        return &at->first;
    }
    template <typename View>
    void remove(const View& value, std::uint32_t slot) {
        const auto at = bitmaps_.find(value);
        if (at == bitmaps_.end()) return;
        at->second.slots.remove(slot);
        if (!at->second.slots.isEmpty()) return;
        values_[at->second.place] = values_.back();
        values_[at->second.place]->second.place = at->second.place;
        values_.pop_back();
        bitmaps_.erase(at);
    }
    template <typename View>
    const Roaring* find(const View& value) const {
        const auto at = bitmaps_.find(value);
        return at == bitmaps_.end() ? nullptr : &at->second.slots;
    }
    template <typename Visitor>
    void for_each(const Visitor& visit) const {
        for (const auto* value : values_) visit(value->first, value->second.slots);
    }
    /// Visits up to `most` values below place `left`, from above; begins with left = size().
    /// @return Where the next call goes on. Changes in between do no harm: a value that is there
    /// all
    ///         the time is visited, and if twice, then with what it has by then.
    template <typename Visitor>
    std::size_t visit_some(std::size_t left, std::size_t most, const Visitor& visit) const {
        // A value that goes leaves its place to the last one, which has been visited already.
        left = std::min(left, values_.size());
        for (; left > 0 && most > 0; --most) {
            --left;
            visit(values_[left]->first, values_[left]->second.slots);
        }
        return left;
    }
    std::size_t size() const { return bitmaps_.size(); }

private:
    struct Pending {
        const Key* key = nullptr;
        std::vector<std::uint32_t> slots;
    };
    using Hash = typename KeyTraits<Key>::Hash;
    using Equal = typename KeyTraits<Key>::Equal;
    struct Holders {
        Roaring slots;
        std::size_t place = 0;  ///< In values_.
    };
    using Bitmaps = absl::node_hash_map<Key, Holders, Hash, Equal>;

    template <typename View>
    typename Bitmaps::iterator insert(const View& value) {
        const auto at = bitmaps_.try_emplace(Key(value)).first;
        at->second.place = values_.size();
        values_.push_back(&*at);
        return at;
    }

    Bitmaps bitmaps_;
    std::vector<typename Bitmaps::value_type*> values_;
    absl::flat_hash_map<Key, Pending, Hash, Equal> pending_;
};

}  // namespace tidal::entity
