// query/internal/top_items.h: the first k of a stream of scored slots, in a bounded heap, or as
// they come where they come in order, as from a view.
#pragma once

#include <algorithm>
#include <cassert>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "entity/entity_table.h"
#include "query/internal/item_order.h"

namespace tidal::query {

/// Most of a scan fails the first comparison of `offer`; ids are looked up only where scores tie.
/// Lifetime: borrows the table; the slots of entities stay theirs whatever changes it meanwhile.
/// What an entry is ordered by is what it was when it was offered.
class TopItems {
public:
    struct Entry {
        double key = 0;
        Slot slot;
        HybridTime generation;                    ///< Of the entity when it was offered.
        std::unique_ptr<const std::string> text;  ///< Of ShardOrder; nullptr = none: it moves less.
    };

    TopItems(std::size_t keep, const ShardOrder& order)
        : keep_(keep), order_(order), entities_(order.entities()) {
        heap_.reserve(keep);
        rest_.reserve(keep);
    }
    TopItems(std::size_t keep, const entity::EntityTable& entities)
        : TopItems(keep, ShardOrder(true, std::nullopt, entities)) {}

    /// False when `offer` would do nothing; true may still mean nothing, where scores tie.
    bool admits(double key) const { return !full() || key >= last().key; }
    /// The key below which nothing is admitted.
    double least() const { return full() ? last().key : -std::numeric_limits<double>::infinity(); }
    std::size_t size() const { return heap_.size(); }
    /// Holds all it keeps: more may have been offered.
    bool full() const { return heap_.size() == keep_; }

    void offer(double key, Slot slot) {
        if (!admits(key)) return;
        const std::string_view text = order_.text(slot);
        const bool is_last = heap_.empty() || !is_before(key, text, slot, last());
        if (is_last && full()) return;
        const HybridTime generation = entities_.generation_of(slot);
        if (generation == HybridTime()) return;  // Deleted since it was found to match.
        if (full() || !is_last) make_heap();
        Rest rest{generation, {}};
        if (!text.empty()) rest.text = std::make_unique<const std::string>(text);
        if (full()) {
            std::ranges::pop_heap(heap_, before());
            const std::uint32_t at = heap_.back().rest;
            rest_[at] = std::move(rest);
            heap_.back() = {key, slot, at};
        } else {
            push(key, slot, std::move(rest));
        }
        if (!in_order_) std::ranges::push_heap(heap_, before());
    }

    /// Likewise of what comes behind all that is held and has no text. Precondition: there is room.
    void append(double key, Slot slot) {
        assert(in_order_ && !full());
        const HybridTime generation = entities_.generation_of(slot);
        if (generation != HybridTime()) push(key, slot, {generation, {}});
    }

    /// Best first, without entities that have been deleted since they were offered; leaves it
    /// empty.
    std::vector<Entry> take() {
        std::vector<Entry> out = take_unchanged();
        std::erase_if(out, [&](const Entry& entry) {
            return !entities_.live().contains(entry.slot.value()) ||
                   entities_.generation_of(entry.slot) != entry.generation;
        });
        return out;
    }
    /// Likewise where the table is as it was when the first of them was offered.
    std::vector<Entry> take_unchanged() {
        if (!in_order_) std::ranges::sort(heap_, before());
        in_order_ = true;
        std::vector<Entry> out;
        out.reserve(heap_.size());
        for (const Place& place : heap_) {
            Rest& rest = rest_[place.rest];
            out.push_back({place.key, place.slot, rest.generation, std::move(rest.text)});
        }
        heap_.clear();
        rest_.clear();
        return out;
    }

private:
    /// What is moved about: little.
    struct Place {
        double key;
        Slot slot;
        std::uint32_t rest;  ///< Where in rest_.
    };
    struct Rest {
        HybridTime generation;
        std::unique_ptr<const std::string> text;
    };

    void push(double key, Slot slot, Rest rest) {
        heap_.push_back({key, slot, static_cast<std::uint32_t>(rest_.size())});
        rest_.push_back(std::move(rest));
    }
    /// Ids lie far from each other in memory: they are read where all else is equal.
    bool is_before(double key, std::string_view text, Slot slot, const Place& other) const {
        if (key != other.key) return key > other.key;
        return order_.before({key, text, entities_.id_of(slot)},
                             {other.key, text_of(other), entities_.id_of(other.slot)});
    }
    std::string_view text_of(const Place& place) const {
        const auto& text = rest_[place.rest].text;
        return text ? std::string_view(*text) : std::string_view();
    }
    /// As a heap order this keeps the last of the page on top.
    struct Before {
        const TopItems& items;
        bool operator()(const Place& a, const Place& b) const {
            if (a.key != b.key) return a.key > b.key;
            return items.is_before(a.key, items.text_of(a), a.slot, b);
        }
    };
    Before before() const { return {*this}; }
    /// Of those kept. Precondition: there is one.
    const Place& last() const { return in_order_ ? heap_.back() : heap_.front(); }
    void make_heap() {
        if (!in_order_) return;
        in_order_ = false;
        std::ranges::make_heap(heap_, before());
    }

    const std::size_t keep_;
    const ShardOrder order_;
    const entity::EntityTable& entities_;
    std::vector<Place> heap_;  ///< Best first, or a heap whose front is the last.
    std::vector<Rest> rest_;   ///< Of all places, in no order.
    bool in_order_ = true;
};

}  // namespace tidal::query
