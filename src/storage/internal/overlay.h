// storage/internal/overlay.h: rows changed in memory, one generation of them.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidal::storage::internal {

/// Key to new value, or to nullopt for an erased row. Threads: one writer or many readers.
class Overlay {
public:
    using Map = absl::btree_map<std::string, std::optional<std::string>, std::less<>>;

    void set(std::string_view key, std::optional<std::string_view> value);
    /// The change of this row, or nullptr when it has none.
    const std::optional<std::string>* find(std::string_view key) const {
        const auto it = rows_.find(key);
        return it == rows_.end() ? nullptr : &it->second;
    }
    const Map& rows() const { return rows_; }
    bool empty() const { return rows_.empty(); }
    /// About what the changes take on disk.
    std::uint64_t bytes() const { return bytes_; }

    /// Takes the changes of `newer` over its own. Costs the size of `newer`.
    void absorb(Overlay&& newer);
    /// Forgets up to `rows_max` rows: lets a large overlay be freed a little at a time.
    void shed(std::size_t rows_max);

private:
    static std::uint64_t cost(std::string_view key, const std::optional<std::string>& value) {
        return key.size() + (value ? value->size() : 0) + kRowOverheadBytes;
    }
    static constexpr std::uint64_t kRowOverheadBytes = 16;
    Map rows_;
    std::uint64_t bytes_ = 0;
};

/// The smallest string above every string with this prefix; empty = there is none.
std::string prefix_end(std::string_view prefix);

/// Walks two overlays in key order; for a key in both the newer stands.
class OverlayCursor {
public:
    /// Rows from `begin` on that have this prefix.
    OverlayCursor(const Overlay& newer, const Overlay& older, std::string_view prefix);
    bool at_end() const { return newer_at_ == newer_end_ && older_at_ == older_end_; }
    const std::string& key() const { return at_newer() ? newer_at_->first : older_at_->first; }
    const std::optional<std::string>& value() const {
        return at_newer() ? newer_at_->second : older_at_->second;
    }
    void step();

private:
    bool at_newer() const {
        if (newer_at_ == newer_end_) return false;
        return older_at_ == older_end_ || newer_at_->first <= older_at_->first;
    }
    Overlay::Map::const_iterator newer_at_, newer_end_, older_at_, older_end_;
};

}  // namespace tidal::storage::internal
