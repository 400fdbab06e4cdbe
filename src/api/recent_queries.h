// api/recent_queries.h: what was searched for lately on this node, to be suggested.
//
// In memory, bounded, and this node's alone: a start begins with none.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/time_text.h"

namespace tidal::api {

/// Threads: any.
class RecentQueries {
public:
    static constexpr std::size_t kQueriesMax = 10'000;
    static constexpr std::size_t kBytesMax = 100;  ///< Longer ones are not kept.
    /// Searched for less often, a query is not shown: it may be somebody's own.
    static constexpr std::uint32_t kUsesMin = 3;
    static constexpr UnixMillis kHalfLifeMs = UnixMillis{7} * 24 * 3600 * 1000;

    struct Query {
        std::string text;  ///< Folded, one blank between words.
        double score = 0;  ///< Uses, each half of what it was after kHalfLifeMs.
    };

    /// A search that found something.
    void add(std::string_view text, UnixMillis now_ms);
    /// Those that begin so, the greatest first, then by text; at most `limit`.
    std::vector<Query> find(std::string_view beginning, std::size_t limit, UnixMillis now_ms) const;

private:
    struct Use {
        double weight = 0;  ///< As of `at_ms`.
        UnixMillis at_ms = 0;
        std::uint32_t uses = 0;
    };
    static double weight_at(const Use& use, UnixMillis now_ms);
    void make_room(UnixMillis now_ms);

    mutable std::mutex mutex_;
    absl::btree_map<std::string, Use> uses_;
};

}  // namespace tidal::api
