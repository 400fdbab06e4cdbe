// audience/internal/slot_table.h: what is kept of items, by slot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/huge_pages.h"
#include "base/ids.h"
#include "base/prefetch.h"

namespace tidal::audience {

/// Values lie side by side, not behind a pointer each, so that the place of one is known before
/// memory is read; in pieces, so that few move when more come. T() = nothing is known. Threads:
/// none of its own.
/// @tparam kPiece  Slots of a piece. A piece has room for all up to its greatest slot that was
/// asked
///                 for: small ones where few items have anything.
template <typename T, std::size_t kPiece>
class SlotTable {
public:
    /// One more than the greatest slot that was asked for.
    std::size_t size() const { return size_; }
    /// nullptr = never asked for. Good until the next operator[].
    const T* find(Slot slot) const {
        const std::size_t piece = slot.value() / kPiece, at = slot.value() % kPiece;
        return piece < pieces_.size() && at < pieces_[piece].size() ? &pieces_[piece][at] : nullptr;
    }
    T* find(Slot slot) { return const_cast<T*>(std::as_const(*this).find(slot)); }
    T& operator[](Slot slot) {
        T* const found = find(slot);
        return found != nullptr ? *found : make(slot);
    }
    TIDAL_PREFETCHES void prefetch(Slot slot) const {
        const T* const found = find(slot);
        if (found == nullptr) return;
        const auto* const bytes = reinterpret_cast<const char*>(found);
        __builtin_prefetch(bytes, 1);
        if constexpr (64 % sizeof(T) != 0) __builtin_prefetch(bytes + sizeof(T) - 1, 1);
    }

private:
    T& make(Slot slot) {
        const std::size_t piece = slot.value() / kPiece, at = slot.value() % kPiece;
        if (piece >= pieces_.size()) pieces_.resize(piece + 1);
        pieces_[piece].resize(at + 1);
        size_ = std::max(size_, slot.value() + std::size_t{1});
        return pieces_[piece][at];
    }

    std::vector<HugeVector<T>> pieces_;  ///< Each up to its greatest slot that was asked for.
    std::size_t size_ = 0;
};

}  // namespace tidal::audience
