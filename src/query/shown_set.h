// query/shown_set.h: what the pages of a sequence have shown, so that no entity comes twice while
// scores move.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace tidal::query {

/// 40 bits of an id's hash: of a million candidates and a thousand shown, one in a thousand
/// sequences leaves one entity out that it should not; none repeats.
using ShortHash = std::uint64_t;
inline constexpr unsigned kShortHashBytes = 5;
ShortHash short_hash(const EntityId& id);

inline constexpr std::size_t kShownInToken = 1000;  ///< More are kept by the server.
inline constexpr std::size_t kShownMax = 2000;      ///< Then a sequence ends.

/// How many of a group the pages so far show, by short_hash() of its name; rising. Two names of one
/// hash, one in a million sequences, are limited together.
using ShownGroups = std::vector<std::pair<ShortHash, std::uint32_t>>;

/// What the pages of a sequence have shown.
struct ShownList {
    std::vector<ShortHash> hashes;  ///< At most kShownMax.
    ShownGroups groups;             ///< Likewise.
    bool operator==(const ShownList&) const = default;
};

/// Lists too long for a token. Bounded: the oldest go first. Threads: any.
class ShownStore {
public:
    struct Options {
        std::uint64_t keep_ms = 600'000;
        std::size_t lists_max = 4096;  ///< Of at most kShownMax hashes and groups: 192 MiB.
        /// Drawn, so that a handle of another node, or of this one before it was started again, is
        /// none here: else it would stand for what another sequence has shown.
        std::uint64_t first_handle = 1;
    };
    ShownStore() : ShownStore(Options{}) {}
    explicit ShownStore(const Options& options)
        : options_(options), next_handle_(options.first_handle) {}

    /// @param clock_ms  A clock that never goes back.
    /// @return The handle to ask for it with; no two lists get the same.
    std::uint64_t put(ShownList list, std::uint64_t clock_ms);
    /// nullopt when it is no longer kept, or never was.
    std::optional<ShownList> get(std::uint64_t handle, std::uint64_t clock_ms);

private:
    struct Kept {
        std::uint64_t handle, until_ms;
        ShownList list;
    };
    void drop_old(std::uint64_t clock_ms);

    const Options options_;
    std::mutex mutex_;        ///< Guards what follows.
    std::deque<Kept> lists_;  ///< By handle, oldest first; handles count on over zero.
    std::uint64_t next_handle_;
};

}  // namespace tidal::query
