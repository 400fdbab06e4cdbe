// query/feed.h: RETRIEVE: the page of entities that a profile puts first.
//
//   plan_feed()    once: names, filter and cursor are checked against schema and profiles
//   run_feed()     on each shard, in its monitor: candidates -> filter -> score -> top k
//   merge_pages()  once: one page, the same however the entities are spread over shards
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "query/bound_filter.h"
#include "query/cursor.h"
#include "query/facets.h"
#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"
#include "ranking/shard_view.h"

namespace tidal::query {

inline constexpr std::uint32_t kLimitDefault = 20;
inline constexpr std::uint32_t kLimitMax = 1000;
inline constexpr std::size_t kExcludedMax = 10'000;

struct FeedRequest {
    EntityKind kind = EntityKind::kItem;
    std::string profile;                   ///< "trending" or "trending@1".
    std::map<std::string, double> params;  ///< By name; finite.
    std::string filter;                    ///< Filter language; empty = none.
    std::string facets;                    ///< What to count of what matches; empty = nothing.
    std::uint32_t limit = kLimitDefault;   ///< 1..kLimitMax.
    std::string cursor;                    ///< Of the page before; empty = the first page.
    std::vector<EntityId> exclude;         ///< At most kExcludedMax.
    std::optional<std::uint64_t> seed;     ///< Of random(seed); now_ms when not given.
    bool explain = false;
    bool has_user = false;  ///< The request says for which user it is.
    UnixMillis now_ms = 0;  ///< The shard's clock; later pages use the one of the first.
};

/// Where the page before ended.
struct PagePosition {
    double score = 0;
    EntityId id;
};

/// Everything about a request that does not depend on a shard. Immutable; shared by threads.
struct FeedPlan {
    EntityKind kind = EntityKind::kItem;
    std::shared_ptr<const ranking::CompiledProfile> profile;
    std::vector<double> params;  ///< By Program::params.
    std::optional<BoundFilter> filter;
    std::vector<BoundFacet> facets;
    std::set<EntityId> exclude;
    std::uint32_t limit = kLimitDefault;
    std::uint32_t keep = kLimitDefault + 1;  ///< Best items each shard returns: one tells of more.
    bool explain = false;
    UnixMillis now_ms = 0;
    std::uint64_t seed = 0;
    std::optional<PagePosition> after;
    std::uint64_t shown = 0;  ///< Items on the pages before.
    Hash128 query;            ///< Fingerprint that the cursors carry.
    std::vector<std::string> warnings;

    bool descending() const { return profile->profile.order.descending; }
};

/// @return kUnknownName      profile, parameter or field, with a hint;
///         kInvalidArgument  limit, filter, parameter or cursor; kTooLarge; kUnsupported (cursor).
///         `field()` names the part of the request.
Result<FeedPlan> plan_feed(const FeedRequest& request, const schema::Schema& schema,
                           const ranking::ProfileRegistry& profiles, const CursorCodec& cursors);

struct ScoredItem {
    EntityId id;
    double score = 0;
    Slot slot;  ///< In its shard, for reading its fields within the same query.
    std::optional<ranking::Explanation> explanation;
};

struct FeedCounts {
    std::uint64_t candidates = 0;  ///< Live, published, not expired.
    std::uint64_t matched = 0;     ///< Of these, accepted by filter and `exclude`.
    std::uint64_t scored = 0;
    bool operator==(const FeedCounts&) const = default;
};

struct ShardPage {
    std::vector<ScoredItem> items;  ///< Best first, at most `keep`, all after `after`.
    FeedCounts counts;
    std::vector<NodeTrace> filter_trace;  ///< With `explain`: by node of the filter.
    std::vector<FacetCounts> facets;      ///< By facet of the plan.
};

/// Threads: inside the shard's monitor.
/// @return kIo  a cold ledger could not be read.
Result<ShardPage> run_feed(const ranking::ShardView& view, const FeedPlan& plan);

struct FeedItem {
    ScoredItem item;
    std::uint64_t rank = 1;  ///< From 1, counted on over pages.
    std::size_t shard = 0;   ///< Index of its ShardPage.
};

struct FeedPage {
    std::vector<FeedItem> items;
    std::optional<std::string> next_cursor;  ///< nullopt = this is the last page.
    FeedCounts counts;                       ///< Of all shards.
    std::vector<FilterExplanation> filter;   ///< With `explain`: its nodes, parents first.
    std::vector<Facet> facets;               ///< In the order asked for.
    std::vector<std::string> warnings;
};

/// @param pages  One per shard, in any fixed order; every entity is on one shard.
FeedPage merge_pages(const FeedPlan& plan, std::span<ShardPage> pages, const CursorCodec& cursors);

}  // namespace tidal::query
