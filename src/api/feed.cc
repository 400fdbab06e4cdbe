// A ranked page: plan once, run on each shard, merge, read the fields of what is shown.
#include "query/feed.h"

#include "api/database.h"
#include "api/resolve.h"
#include "query/top_views.h"
#include "ranking/shard_view.h"

namespace tidal::api {
namespace {

Result<query::FeedRequest> to_request(const FeedCall& call, std::string profile,
                                      const schema::Schema& schema, UnixMillis now_ms) {
    query::FeedRequest request;
    request.kind = EntityKind::kItem;
    request.profile = std::move(profile);
    request.params = call.params;
    request.filter = call.filter;
    request.facets = call.facets;
    request.limit = call.limit;
    request.cursor = call.cursor;
    request.seed = call.seed;
    request.explain = call.explain;
    request.now_ms = now_ms;
    for (const IdInput& id : call.exclude) {
        TIDAL_ASSIGN(EntityId excluded, resolve_id(schema, EntityKind::kItem, id, "exclude"));
        request.exclude.push_back(std::move(excluded));
    }
    // The user shapes nothing in these profiles; a malformed id is refused all the same.
    request.has_user = call.user_id.has_value();
    if (call.user_id) TIDAL_TRY(resolve_id(schema, EntityKind::kUser, *call.user_id, "user_id"));
    return request;
}

/// Calls `run` with what a query reads of a shard.
template <typename Run>
auto with_view(shard::Shard& shard, EntityKind kind, Run run) {
    return shard.with_state([&](shard::ShardState& state) { return run(state.view(kind)); });
}

Result<query::ShardPage> run_on(shard::Shard& shard, const query::FeedPlan& plan) {
    bool make_views = false;  // For requests to come.
    auto page = shard.with_state([&](shard::ShardState& state) {
        query::TopViews* const views =
            plan.kind == EntityKind::kItem ? state.item_views() : nullptr;
        auto out = query::run_feed(state.view(plan.kind), plan, views);
        make_views = views != nullptr && views->has_work();
        return out;
    });
    if (make_views) shard.make_views();
    return page;
}

/// What a page says beside its items.
void describe(query::FeedPage* page, FeedReply* reply) {
    for (query::FilterExplanation& node : page->filter)
        reply->filter.push_back({std::move(node.text), node.depth, node.trace.estimated,
                                 node.trace.examined, node.trace.matched});
    for (query::Facet& facet : page->facets) {
        FacetReply& out = reply->facets.emplace_back();
        out.name = std::move(facet.name);
        for (auto& [value, count] : facet.values) out.values.push_back({std::move(value), count});
        for (auto& [from, to, count] : facet.ranges)
            out.ranges.push_back({std::move(from), std::move(to), count});
        out.others = facet.others;
        out.missing = facet.missing;
    }
}

}  // namespace

/// The lists of the profile's sources over all shards.
Result<void> Database::gather_sources(query::FeedPlan* plan) {
    std::vector<std::vector<query::SourceList>> of_shards;
    for (std::size_t id = 1; id < shards_.size(); ++id) {
        TIDAL_ASSIGN(auto lists, with_view(*shards_[id], plan->kind, [&](const auto& view) {
                         return query::run_sources(view, *plan);
                     }));
        of_shards.push_back(std::move(lists));
    }
    merge_sources(of_shards, plan);
    return {};
}

Result<FeedReply> Database::feed(const FeedCall& call) {
    const auto schema = this->schema();
    const auto profiles = this->profiles();
    // One moment for all shards, never before the newest commit stamp of any.
    UnixMillis now_ms = runtime_.clock().wall_ms();
    for (std::size_t id = 1; id < shards_.size(); ++id)
        now_ms = shards_[id]->with_state(
            [&](shard::ShardState& state) { return state.read_time_ms(now_ms); });
    FeedReply reply;
    TIDAL_ASSIGN(std::string profile, profile_of(call, &reply.experiment));
    TIDAL_ASSIGN(const query::FeedRequest request,
                 to_request(call, std::move(profile), *schema, now_ms));
    const query::CursorCodec cursors(identity_.secret, &shown_,
                                     runtime_.clock().monotonic_ns() / 1'000'000);
    TIDAL_ASSIGN(query::FeedPlan plan, query::plan_feed(request, *schema, *profiles, cursors));

    if (plan.has_lists()) TIDAL_TRY(gather_sources(&plan));
    std::vector<query::ShardPage> pages;
    for (std::size_t id = 1; id < shards_.size(); ++id) {
        TIDAL_ASSIGN(auto page, run_on(*shards_[id], plan));
        pages.push_back(std::move(page));
    }
    query::FeedPage merged = query::merge_pages(plan, pages, cursors);
    reply.profile = plan.profile->profile.name_and_version();
    reply.candidates = merged.counts.candidates;
    reply.matched = merged.counts.matched;
    reply.scored = merged.counts.scored;
    reply.warnings = std::move(merged.warnings);
    describe(&merged, &reply);
    reply.constraints_satisfied = merged.constraints_satisfied;
    reply.next_cursor = std::move(merged.next_cursor).value_or("");
    reply.items.reserve(merged.items.size());
    for (query::FeedItem& shown : merged.items) {
        FeedItem item;
        item.rank = shown.rank;
        item.score = shown.item.score;
        if (shown.item.explanation)
            for (const auto& term : shown.item.explanation->terms)
                item.explain.emplace_back(term.text, term.value);
        auto entity = shards_[shown.shard + 1]->with_state(
            [&](shard::ShardState& state) { return entity_in(state, plan.kind, shown.item.id); });
        // Deleted since it was ranked: it is not shown.
        if (!entity.ok() && entity.error().code() == ErrorCode::kNotFound) continue;
        TIDAL_ASSIGN(item.entity, std::move(entity));
        reply.items.push_back(std::move(item));
    }
    return reply;
}

}  // namespace tidal::api
