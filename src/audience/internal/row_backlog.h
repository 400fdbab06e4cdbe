// audience/internal/row_backlog.h: which rows are behind what is in memory, and of which moment the
// checkpoint under way wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace tidal::audience {

/// What a row costs beside its bytes, in bytes: a few ns each.
inline constexpr std::size_t kRowCost = 256;
inline constexpr std::size_t kAllRows = std::numeric_limits<std::size_t>::max();

/// Lies beside what the row is about.
class RowMark {
    template <typename Key>
    friend class RowBacklog;
    std::uint32_t epoch_ = 0;  ///< In which it changed; 0 = the row is as memory.
};

/// Rows that follow memory are written once a checkpoint, and as things stood when it began: what
/// had changed by then is frozen and written in slices while writes go on; one that is about to
/// change again is written first. As a page of the arena is. Threads: one at a time.
template <typename Key>
class RowBacklog {
public:
    /// Before a change. @return whether the row is to be written first, as memory is now.
    bool touch(const Key& key, RowMark* mark) {
        if (mark->epoch_ == epoch_) return false;
        changed_.push_back(key);
        return std::exchange(mark->epoch_, epoch_) != 0;
    }
    /// A checkpoint begins: what changed so far is to be written as it is now.
    void freeze() {
        ++epoch_;
        if (frozen_.empty()) return frozen_.swap(changed_);
        frozen_.insert(frozen_.end(), changed_.begin(), changed_.end());
        changed_.clear();
    }
    /// Whether the row must be written before what it is about goes.
    bool is_frozen(const RowMark& mark) const { return mark.epoch_ != 0 && mark.epoch_ != epoch_; }
    /// Whether the row is frozen; it then counts as written.
    bool settle(RowMark* mark) {
        if (!is_frozen(*mark)) return false;
        mark->epoch_ = 0;
        return true;
    }
    /// Goes through what is frozen until it costs this much. True when none is left.
    /// @param write  Of a key, which may have been written, changed or removed since: writes the
    ///               row if settle() says so; returns its bytes, 0 = not written.
    template <typename Write>
    bool write_frozen(std::size_t cost_max, Write write) {
        for (std::size_t cost = 0; !frozen_.empty() && cost < cost_max;) {
            const Key key = std::move(frozen_.back());
            frozen_.pop_back();
            cost += kRowCost + write(key);
        }
        return frozen_.empty();
    }

private:
    std::uint32_t epoch_ = 1;
    std::vector<Key> changed_;  ///< Each once; may name what is gone.
    std::vector<Key> frozen_;   ///< Likewise.
};

}  // namespace tidal::audience
