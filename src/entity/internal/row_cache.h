// entity/internal/row_cache.h: encoded rows of the entities that are read again and again, as those
// at the front of a feed are.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"

namespace tidal::entity {

/// Two generations, each bounded: when the younger is full it becomes the older, and what was not
/// read since is forgotten. Values, not a source of truth: put() and erase() follow every write.
class RowCache {
public:
    explicit RowCache(std::size_t bytes_max) : generation_max_(bytes_max / 2) {}

    /// Valid until the next call; nullptr = not kept.
    const std::string* find(Slot slot) {
        if (const auto at = young_.find(slot.value()); at != young_.end()) return &at->second;
        const auto at = old_.find(slot.value());
        if (at == old_.end()) return nullptr;
        std::string row = std::move(at->second);
        old_bytes_ -= cost(row);
        old_.erase(at);
        return put(slot, std::move(row));
    }

    /// Precondition: not kept. nullptr = too large to keep.
    const std::string* put(Slot slot, std::string row) {
        const std::size_t bytes = cost(row);
        if (bytes > generation_max_) return nullptr;
        if (young_bytes_ + bytes > generation_max_) {
            old_ = std::exchange(young_, {});
            old_bytes_ = std::exchange(young_bytes_, 0);
        }
        young_bytes_ += bytes;
        return &young_.emplace(slot.value(), std::move(row)).first->second;
    }

    void erase(Slot slot) {
        erase_from(young_, &young_bytes_, slot);
        erase_from(old_, &old_bytes_, slot);
    }

    std::size_t bytes() const { return young_bytes_ + old_bytes_; }

private:
    using Rows = absl::flat_hash_map<std::uint32_t, std::string>;

    static std::size_t cost(std::string_view row) {
        constexpr std::size_t kEntry = 64;
        return row.size() + kEntry;
    }
    static void erase_from(Rows& rows, std::size_t* bytes, Slot slot) {
        const auto at = rows.find(slot.value());
        if (at == rows.end()) return;
        *bytes -= cost(at->second);
        rows.erase(at);
    }

    const std::size_t generation_max_;
    Rows young_, old_;
    std::size_t young_bytes_ = 0, old_bytes_ = 0;
};

}  // namespace tidal::entity
