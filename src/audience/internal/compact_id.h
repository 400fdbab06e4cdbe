// audience/internal/compact_id.h: an id in eight bytes, for lists that hold very many of them.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <utility>

#include "base/ids.h"

namespace tidal::audience {

/// A number below 2^63 lies in the word itself, any other id in the heap. Threads: none of its own.
class CompactId {
public:
    CompactId() = default;  ///< The number 0.
    explicit CompactId(const EntityId& id) : word_(fits(id) ? id.number() : in_heap(id)) {}
    CompactId(const CompactId& other)
        : word_(other.in_heap() ? in_heap(other.heap()) : other.word_) {}
    CompactId(CompactId&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
    CompactId& operator=(CompactId other) noexcept {
        std::swap(word_, other.word_);
        return *this;
    }
    ~CompactId() {
        if (in_heap()) delete &heap();
    }

    /// Whether an id lies in the word, which then is its number and no other id's.
    static bool fits(const EntityId& id) { return !id.is_text() && id.number() < kInHeap; }
    std::uint64_t word() const { return word_; }

    EntityId id() const { return in_heap() ? heap() : EntityId(word_); }
    bool operator==(const EntityId& id) const {
        return fits(id) ? word_ == id.number() : in_heap() && heap() == id;
    }
    bool operator==(const CompactId& other) const {
        return in_heap() ? other == heap() : word_ == other.word_;
    }
    bool operator<(const CompactId& other) const {
        return in_heap() || other.in_heap() ? id() < other.id() : word_ < other.word_;
    }
    std::size_t hash() const { return in_heap() ? absl::HashOf(heap()) : absl::HashOf(word_); }
    /// What it takes beside its word.
    std::uint64_t heap_bytes() const {
        return in_heap() ? sizeof(EntityId) + heap().text().size() : 0;
    }

private:
    /// No address has this bit.
    static constexpr std::uint64_t kInHeap = std::uint64_t{1} << 63;

    static std::uint64_t in_heap(const EntityId& id) {
        return kInHeap | reinterpret_cast<std::uintptr_t>(new EntityId(id));
    }
    bool in_heap() const { return (word_ & kInHeap) != 0; }
    const EntityId& heap() const { return *reinterpret_cast<const EntityId*>(word_ & ~kInHeap); }

    std::uint64_t word_ = 0;
};

/// A map by id, found by EntityId as well.
struct CompactIdHash {
    using is_transparent = void;
    std::size_t operator()(const EntityId& id) const {
        return CompactId::fits(id) ? absl::HashOf(id.number()) : absl::HashOf(id);
    }
    std::size_t operator()(const CompactId& id) const { return id.hash(); }
};
struct CompactIdEqual {
    using is_transparent = void;
    bool operator()(const CompactId& a, const EntityId& b) const { return a == b; }
    bool operator()(const CompactId& a, const CompactId& b) const { return a == b; }
};
template <typename Value>
using CompactIdMap = absl::flat_hash_map<CompactId, Value, CompactIdHash, CompactIdEqual>;

}  // namespace tidal::audience
