// A ranked page: plan once, run on each shard, merge, read the fields of what is shown.
#include "query/feed.h"

#include <algorithm>

#include "api/database.h"
#include "api/internal/highlights.h"
#include "api/resolve.h"
#include "base/edit_distance.h"
#include "query/degradation.h"

namespace tidal::api {
namespace {

Result<std::vector<EntityId>> resolve_all(const schema::Schema& schema, EntityKind kind,
                                          const std::vector<IdInput>& ids, std::string_view field) {
    std::vector<EntityId> out;
    for (const IdInput& id : ids) {
        auto one = resolve_id(schema, kind, id, field);
        if (!one.ok()) return one.take_error().with("index", out.size());
        out.push_back(*std::move(one));
    }
    return out;
}

/// The fields that items of the reply show.
Result<std::optional<std::set<std::string>>> check_fields(const FeedCall& call,
                                                          const schema::Schema& schema) {
    if (!call.fields) return std::optional<std::set<std::string>>();
    if (call.fields->empty()) return std::optional(std::set<std::string>());
    std::vector<std::string_view> known{"creator_id", "created_at", "publish_at", "expires_at"};
    for (const auto& field : schema.kind(call.kind).fields) known.push_back(field.name);
    for (std::size_t i = 0; i < call.fields->size(); ++i)
        if (const std::string& name = (*call.fields)[i];
            std::ranges::find(known, name) == known.end())
            return Error(ErrorCode::kUnknownName, "unknown field `" + name + "`")
                .with_field("fields")
                .with("index", i)
                .with_hint(name_hint(name, known))
                .with_reason("unknown_field");
    return std::optional(std::set<std::string>(call.fields->begin(), call.fields->end()));
}

Result<vector::Effort> effort_of(const FeedCall& call) {
    if (call.effort.empty()) return vector::Effort::kDefault;
    if (const auto found = vector::find_effort(call.effort)) return *found;
    return Error(ErrorCode::kInvalidArgument, "unknown effort `" + call.effort + "`")
        .with_field("effort")
        .with_hint(name_hint(call.effort, vector::kEffortNames));
}

/// Nobody named the profile that is refused.
Error of_default(const Error& why) {
    return Error(why.code(), why.message() + "; it is the default: nothing names a profile")
        .with_field("profile")
        .with_hint("name one that is available: `profile` of a request, USING name of a query")
        .with_reason(why.reason());
}

/// Large: it is filled where it stays.
Result<void> fill_request(const FeedCall& call, std::string profile, const schema::Schema& schema,
                          UnixMillis now_ms, query::FeedRequest* out) {
    query::FeedRequest& request = *out;
    request.kind = call.kind;
    request.profile = std::move(profile);
    request.params = call.params;
    request.text = call.query;
    request.filter = call.filter;
    request.facets = call.facets;
    request.limit = call.limit;
    request.cursor = call.cursor;
    request.seed = call.seed;
    request.explain = call.explain || call.log_features;
    request.now_ms = now_ms;
    TIDAL_ASSIGN(request.exclude, resolve_all(schema, call.kind, call.exclude, "exclude"));
    TIDAL_ASSIGN(request.pin, resolve_all(schema, call.kind, call.pin, "pin"));
    TIDAL_ASSIGN(request.bury, resolve_all(schema, call.kind, call.bury, "bury"));
    if (call.similar_to) {
        TIDAL_ASSIGN(request.similar_to,
                     resolve_id(schema, call.kind, *call.similar_to, "similar_to"));
    }
    request.vector.assign(call.vector.begin(), call.vector.end());
    TIDAL_ASSIGN(request.effort, effort_of(call));
    request.sort = call.sort;
    request.diversity = call.diversity;
    request.group_by = call.group_by;
    return {};
}

SourceReply::Texts texts_reply(query::SourceExplanation::Texts* texts,
                               const schema::KindSchema& kind) {
    SourceReply::Texts out;
    out.postings = texts->trace.postings;
    out.looked_at = texts->trace.looked_at;
    out.scored = texts->trace.scored;
    for (query::TermExplanation& each : texts->terms)
        out.terms.push_back({kind.fields[each.field.value()].name, std::move(each.term),
                             each.documents, std::move(each.of), each.edits});
    return out;
}

/// What a page says beside its items. @param kind  Of these.
void describe(query::FeedPage* page, const schema::KindSchema& kind, FeedReply* reply) {
    for (query::FilterExplanation& node : page->filter)
        reply->filter.push_back({std::move(node.text), node.depth, node.trace.estimated,
                                 node.trace.examined, node.trace.matched});
    for (query::SourceExplanation& each : page->sources) {
        SourceReply& out = reply->sources.emplace_back();
        out.source = std::move(each.source);
        out.path = std::move(each.path);
        out.why = std::move(each.why);
        out.candidates = each.texts ? each.texts->listed : each.trace.candidates;
        out.visited = each.trace.visited;
        out.coded = each.trace.coded;
        out.compared = each.trace.compared;
        if (each.texts) out.texts = texts_reply(&*each.texts, kind);
    }
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

/// All of an item but its entity.
FeedItem& add_item(query::ScoredItem* shown, FeedReply* reply) {
    FeedItem& item = reply->items.emplace_back();
    item.rank = shown->rank;
    item.score = shown->score;
    item.text_score = shown->text_score;
    item.vector_score = shown->vector_score;
    item.fused_score = shown->fused_score;
    item.pinned = shown->is_pinned();
    if (shown->group) item.group = *shown->group;
    if (const auto& why = shown->explored)
        item.explored =
            FeedItem::Explored{why->impressions, why->positives, why->draw, why->outside};
    if (!shown->explanation) return item;
    FeedExplanation out;
    for (const auto& term : shown->explanation->terms) out.terms.push_back({term.text, term.value});
    for (const auto& feature : shown->explanation->features)
        out.features.push_back({feature.text, feature.value, feature.missing});
    item.explain = std::make_shared<const FeedExplanation>(std::move(out));
    return item;
}

}  // namespace

query::CursorCodec Database::cursors() {
    return query::CursorCodec(cursor_key_, &shown_, runtime_.clock().monotonic_ns() / 1'000'000);
}

/// Fills in what the reply says of its beginning.
Result<query::FeedPlan> Database::plan_call(const FeedCall& call, query::TextMode mode,
                                            FeedReply* reply) {
    TIDAL_TRY(check_readable());
    if (call.log_impressions && call.kind != EntityKind::kItem)
        return Error(ErrorCode::kInvalidArgument, "only of items impressions are counted")
            .with_field("log_impressions");
    if (call.log_features && !call.log_impressions)
        return Error(ErrorCode::kInvalidArgument, "features are logged with impressions")
            .with_field("log_features")
            .with_hint("log_impressions=true beside it");
    const auto schema = this->schema();
    const auto profiles = this->profiles();
    // One moment for all shards, never before the newest commit stamp of any.
    UnixMillis now_ms = runtime_.clock().wall_ms();
    for (std::size_t id = 1; id < shards_.size(); ++id) now_ms = shards_[id]->read_time_ms(now_ms);
    TIDAL_ASSIGN(reply->fields, check_fields(call, *schema));
    TIDAL_TRY(check_highlight(call, *schema));
    TIDAL_ASSIGN(std::string profile, profile_of(call, &reply->experiment));
    query::FeedRequest request;
    TIDAL_TRY(fill_request(call, std::move(profile), *schema, now_ms, &request));
    request.text_mode = mode;
    if (call.query) {
        const std::lock_guard lock(mutex_);
        request.synonyms = search_synonyms_;
    }
    if (call.user_id) {
        TIDAL_ASSIGN(const EntityId user,
                     resolve_id(*schema, EntityKind::kUser, *call.user_id, "user_id"));
        TIDAL_ASSIGN(request.user, viewer_of(user, now_ms));
    }
    if (call.session != 0) {
        TIDAL_ASSIGN(const audience::Session session, session_of(call, now_ms));
        TIDAL_TRY(add_session(call, session, &*request.user));
    }
    if (!call.cohort.empty()) {
        TIDAL_ASSIGN(request.cohort, cohort_of(call.cohort, now_ms));
    }
    if (const auto found = profiles->find(request.profile, request.kind);
        found.ok() && query::reads_own_cohorts(**found, request))
        request.own_cohorts = own_cohorts(request.user->id, now_ms);
    request.collections = collections();
    // Large: it stays where it is made.
    Result<query::FeedPlan> plan = query::plan_feed(request, *schema, *profiles, cursors());
    if (!plan.ok() && plan.error().field() == "profile" && call.profile.empty() &&
        call.experiment.empty())
        return of_default(plan.error());
    if (!plan.ok()) return plan;
    TIDAL_TRY(read_anchors(&*plan));
    reply->left_out = query::degrade(reply->degradation, &*plan);
    return plan;
}

/// What an item of a page shows; nullopt = gone since it was ranked.
Result<std::optional<EntityReply>> Database::row_of(shard::ShardState& state,
                                                    const query::FeedPlan& plan, const EntityId& id,
                                                    bool id_alone) {
    Result<std::optional<EntityReply>> row{std::nullopt};
    const auto slot = state.entities(plan.kind).find(id);
    if (!slot) return row;
    // Also what its user hid since.
    if (plan.user && plan.kind == EntityKind::kItem &&
        state.user_states().holds(plan.user->id, audience::kHidden, *slot))
        return row;
    if (id_alone) {
        row->emplace().id = id;
        return row;
    }
    TIDAL_ASSIGN(*row, entity_in(state, plan.kind, id));
    return row;
}

/// A few at a time inside a shard's monitor, so that writes come in between.
Result<std::vector<std::optional<EntityReply>>> Database::rows_of(
    const query::FeedPlan& plan, const std::vector<query::ScoredItem>& page, bool ids_alone) {
    constexpr std::size_t kRowsAtOnce = 32;
    std::vector<std::optional<EntityReply>> rows(page.size());
    std::vector<std::size_t> here;
    for (std::size_t shard = 1; shard < shards_.size(); ++shard) {
        here.clear();
        for (std::size_t i = 0; i < page.size(); ++i)
            if (page[i].shard + 1 == shard) here.push_back(i);
        for (std::size_t begin = 0; begin < here.size(); begin += kRowsAtOnce) {
            const std::size_t end = std::min(begin + kRowsAtOnce, here.size());
            TIDAL_TRY(shards_[shard]->with_readable([&](shard::ShardState& state) -> Result<void> {
                const entity::EntityTable& entities = state.entities(plan.kind);
                for (std::size_t n = begin; n < end; ++n) entities.prefetch_id(page[here[n]].id);
                for (std::size_t n = begin; n < end; ++n) {
                    const std::size_t i = here[n];
                    TIDAL_ASSIGN(rows[i], row_of(state, plan, page[i].id, ids_alone));
                }
                return {};
            }));
        }
    }
    return rows;
}

Result<void> Database::finish_feed(const query::FeedPlan& plan, std::vector<query::ShardPage> pages,
                                   bool at_once, bool marks, FeedReply* reply) {
    query::FeedPage merged = query::merge_pages(plan, pages, cursors());
    reply->profile = plan.profile->profile.name_and_version();
    reply->candidates = merged.counts.candidates;
    reply->matched = merged.counts.matched;
    reply->scored = merged.counts.scored;
    reply->warnings = std::move(merged.warnings);
    describe(&merged, schema()->kind(plan.kind), reply);
    reply->constraints_satisfied = merged.constraints_satisfied;
    reply->next_cursor = std::move(merged.next_cursor).value_or("");
    reply->items.reserve(merged.items.size());
    const bool ids_alone = reply->fields && reply->fields->empty() && !marks;
    // What one step ranked was there and might be shown: its ids are all there is to say.
    if (ids_alone && at_once) {
        for (query::ScoredItem& shown : merged.items)
            add_item(&shown, reply).entity.id = std::move(shown.id);
        return {};
    }
    TIDAL_ASSIGN(auto rows, rows_of(plan, merged.items, ids_alone));
    for (std::size_t i = 0; i < merged.items.size(); ++i)
        if (rows[i]) add_item(&merged.items[i], reply).entity = std::move(*rows[i]);
    return {};
}

}  // namespace tidal::api
