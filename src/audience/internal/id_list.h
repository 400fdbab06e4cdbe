// audience/internal/id_list.h: ids and what is kept beside each, found by looking at all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "audience/internal/compact_id.h"
#include "base/prefetch.h"

namespace tidal::audience {

/// The place of an id in a list, or its size.
std::size_t find_id(std::span<const CompactId> ids, const EntityId& id);

/// For a few hundred ids, in the order their owner keeps them in. All lies in one block, the ids
/// side by side before the rest: a signal looks through the ids of a few such lists of which none
/// is in a cache, and what costs is how many pages it meets, not how many lines in a row. Threads:
/// none of its own.
template <typename T>
class IdList {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= alignof(CompactId));

public:
    /// It grows by so many, so that what is free in it is little, and known.
    static constexpr std::size_t kStep = 8;
    static constexpr std::size_t room_for(std::size_t size) {
        return (size + kStep - 1) / kStep * kStep;
    }

    IdList() = default;
    IdList(const IdList& other) {
        reserve(other.size_);
        for (std::size_t at = 0; at < other.size_; ++at)
            push_back(other.ids()[at].id(), other.beside(at));
    }
    IdList(IdList&& other) noexcept { swap(other); }
    IdList& operator=(IdList other) noexcept {
        swap(other);
        return *this;
    }
    ~IdList() { clear(); }

    std::size_t size() const { return size_; }
    std::span<const CompactId> ids() const { return {ids_begin(), size_}; }
    T& beside(std::size_t at) { return besides()[at]; }
    const T& beside(std::size_t at) const { return besides()[at]; }
    std::span<T> all_beside() { return {besides(), size_}; }
    /// Its place, or size().
    std::size_t find(const EntityId& id) const { return find_id(ids(), id); }

    void reserve(std::size_t size);
    void push_back(const EntityId& id, const T& beside);
    void insert(std::size_t at, const EntityId& id, const T& beside);
    void replace(std::size_t at, const EntityId& id, const T& beside);
    void erase(std::size_t at);
    /// The last takes its place.
    void erase_unordered(std::size_t at);
    /// The one at `first` is the first then, and those before it are the last.
    void rotate(std::size_t first);
    void clear();
    /// Places, by id.
    std::vector<std::uint32_t> order() const;
    /// A function of the ids alone.
    std::uint64_t bytes() const { return room_for(size_) * kEach + heap_bytes_; }

    /// Fetches the first lines of the ids, the processor guesses those that follow, and what is
    /// beside one of them, or beside the next.
    TIDAL_PREFETCHES void prefetch(std::size_t at) const {
        constexpr std::size_t kIdsPerLine = 64 / sizeof(CompactId), kLinesMax = 8;
        const CompactId* const ids = ids_begin();
        const std::size_t end = std::min<std::size_t>(size_, kIdsPerLine * kLinesMax);
        for (std::size_t i = 0; i < end; i += kIdsPerLine) __builtin_prefetch(ids + i, 1);
        __builtin_prefetch(besides() + at, 1);
    }

private:
    static constexpr std::size_t kEach = sizeof(CompactId) + sizeof(T);

    CompactId* ids_begin() const { return static_cast<CompactId*>(block_); }
    T* besides() const { return reinterpret_cast<T*>(ids_begin() + room_); }
    void swap(IdList& other) noexcept {
        std::swap(block_, other.block_);
        std::swap(size_, other.size_);
        std::swap(room_, other.room_);
        std::swap(heap_bytes_, other.heap_bytes_);
    }

    void* block_ = nullptr;  ///< Room for ids, of which `size_` are alive, then for what is beside.
    std::uint32_t size_ = 0, room_ = 0;
    std::uint64_t heap_bytes_ = 0;
};

template <typename T>
void IdList<T>::reserve(std::size_t size) {
    if (size <= room_) return;
    const std::size_t room = room_for(size);
    void* const block = ::operator new(room* kEach);
    auto* const ids = static_cast<CompactId*>(block);
    std::uninitialized_move_n(ids_begin(), size_, ids);
    std::uninitialized_copy_n(besides(), size_, reinterpret_cast<T*>(ids + room));
    std::destroy_n(ids_begin(), size_);
    ::operator delete(block_);
    block_ = block;
    room_ = static_cast<std::uint32_t>(room);
}

template <typename T>
void IdList<T>::push_back(const EntityId& id, const T& beside) {
    reserve(size_ + std::size_t{1});
    heap_bytes_ += std::construct_at(ids_begin() + size_, id)->heap_bytes();
    std::construct_at(besides() + size_, beside);
    ++size_;
}

template <typename T>
void IdList<T>::insert(std::size_t at, const EntityId& id, const T& beside) {
    push_back(id, beside);
    std::rotate(ids_begin() + at, ids_begin() + size_ - 1, ids_begin() + size_);
    std::rotate(besides() + at, besides() + size_ - 1, besides() + size_);
}

template <typename T>
void IdList<T>::replace(std::size_t at, const EntityId& id, const T& beside) {
    heap_bytes_ -= ids_begin()[at].heap_bytes();
    ids_begin()[at] = CompactId(id);
    heap_bytes_ += ids_begin()[at].heap_bytes();
    besides()[at] = beside;
}

template <typename T>
void IdList<T>::erase(std::size_t at) {
    heap_bytes_ -= ids_begin()[at].heap_bytes();
    std::move(ids_begin() + at + 1, ids_begin() + size_, ids_begin() + at);
    std::move(besides() + at + 1, besides() + size_, besides() + at);
    std::destroy_at(ids_begin() + --size_);
}

template <typename T>
void IdList<T>::erase_unordered(std::size_t at) {
    std::swap(ids_begin()[at], ids_begin()[size_ - 1]);
    besides()[at] = besides()[size_ - 1];
    erase(size_ - 1);
}

template <typename T>
void IdList<T>::rotate(std::size_t first) {
    std::rotate(ids_begin(), ids_begin() + first, ids_begin() + size_);
    std::rotate(besides(), besides() + first, besides() + size_);
}

template <typename T>
void IdList<T>::clear() {
    std::destroy_n(ids_begin(), size_);
    ::operator delete(block_);
    block_ = nullptr;
    size_ = room_ = 0;
    heap_bytes_ = 0;
}

template <typename T>
std::vector<std::uint32_t> IdList<T>::order() const {
    std::vector<std::uint32_t> out(size_);
    std::iota(out.begin(), out.end(), 0U);
    std::sort(out.begin(), out.end(),
              [&](std::uint32_t a, std::uint32_t b) { return ids()[a] < ids()[b]; });
    return out;
}

}  // namespace tidal::audience
