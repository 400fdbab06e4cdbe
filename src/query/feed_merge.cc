#include <algorithm>

#include "query/feed.h"
#include "query/internal/item_order.h"

namespace tidal::query {

FeedPage merge_pages(const FeedPlan& plan, std::span<ShardPage> pages, const CursorCodec& cursors) {
    const ItemOrder order(plan.descending());
    FeedPage out;
    out.warnings = plan.warnings;
    if (plan.explain && plan.filter) out.filter = describe_nodes(*plan.filter);
    std::vector<std::vector<FacetCounts>> counts;
    for (ShardPage& page : pages) counts.push_back(std::move(page.facets));
    out.facets = merge_facets(plan.facets, counts);
    std::vector<FeedItem> all;
    for (std::size_t shard = 0; shard < pages.size(); ++shard) {
        out.counts.candidates += pages[shard].counts.candidates;
        out.counts.matched += pages[shard].counts.matched;
        out.counts.scored += pages[shard].counts.scored;
        for (std::size_t node = 0; node < pages[shard].filter_trace.size(); ++node)
            out.filter[node].trace += pages[shard].filter_trace[node];
        for (ScoredItem& item : pages[shard].items)
            all.push_back({.item = std::move(item), .rank = 0, .shard = shard});
    }
    // The ids of different shards differ, so no two items are equal and any sort gives one result.
    std::ranges::sort(all, [&](const FeedItem& a, const FeedItem& b) {
        return ItemOrder::before(order.key(a.item.score), a.item.id, order.key(b.item.score),
                                 b.item.id);
    });
    const bool more = all.size() > plan.limit;
    if (more) all.resize(plan.limit);
    out.items = std::move(all);
    std::uint64_t rank = plan.shown;
    for (FeedItem& item : out.items) item.rank = ++rank;
    if (more) {
        const ScoredItem& last = out.items.back().item;
        out.next_cursor = cursors.encode({.query = plan.query,
                                          .now_ms = plan.now_ms,
                                          .seed = plan.seed,
                                          .shown = rank,
                                          .score = last.score,
                                          .id = last.id});
    }
    return out;
}

}  // namespace tidal::query
