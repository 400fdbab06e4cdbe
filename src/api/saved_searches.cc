// Searches that users keep: text of the query language, run with "new since the last look" beside
// it.
#include "api/internal/saved_searches.h"

#include "api/database.h"
#include "api/resolve.h"
#include "base/time_text.h"
#include "query/query_text.h"

namespace tidal::api {

Result<void> check_saved_search(std::string_view text) {
    TIDAL_ASSIGN(const query::Query query, query::parse_query(text));
    std::string_view wrong;
    if (query.verb == query::Query::Verb::kSuggest) wrong = "SUGGEST";
    if (query.user) wrong = "FOR USER";
    if (query.session != 0) wrong = "SESSION";
    if (!query.after.empty()) wrong = "AFTER";
    if (query.log_impressions) wrong = "LOG IMPRESSIONS";
    if (wrong.empty()) return {};
    return Error(ErrorCode::kInvalidArgument, std::string(wrong) + " is not kept with a search")
        .with_field("query")
        .with_hint("RETRIEVE or SEARCH; the user is the one who keeps it");
}

Result<std::vector<SavedSearch>> Database::saved_searches(const IdInput& user_id) {
    TIDAL_TRY(check_readable());
    TIDAL_ASSIGN(const EntityId user, resolve_id(*schema(), EntityKind::kUser, user_id, "user_id"));
    const ShardId home = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, user));
    return shard(home).with_state(
        [&](shard::ShardState& state) -> Result<std::vector<SavedSearch>> {
            TIDAL_ASSIGN(auto kept, state.saved_searches().of(user));
            std::vector<SavedSearch> out;
            for (auto& each : kept)
                out.push_back({std::move(each.name), std::move(each.text), each.saved.wall_ms(),
                               each.looked.wall_ms()});
            return out;
        });
}

Result<FeedCall> Database::saved_search_call(const SavedSearchRequest& request) {
    TIDAL_ASSIGN(auto kept, saved_searches(request.user_id));
    for (const SavedSearch& search : kept) {
        if (search.name != request.name) continue;
        TIDAL_ASSIGN(FeedCall call, feed_call_of(search.query));
        call.user_id = request.user_id;
        if (request.limit) call.limit = *request.limit;
        call.cursor = request.cursor;
        call.urgency = request.urgency;
        call.may_count = request.may_count;
        call.confirmed = request.confirmed;
        if (!request.only_new) return call;
        const std::string since = "created_at > '" + format_time(search.looked_ms) + "'";
        call.filter = call.filter.empty() ? since : "(" + call.filter + ") AND " + since;
        return call;
    }
    return Error(ErrorCode::kNotFound, "no saved search `" + request.name + "`")
        .with_field("name")
        .with_reason("unknown_saved_search");
}

Result<FeedReply> Database::run_saved_search(const SavedSearchRequest& request) {
    TIDAL_ASSIGN(const FeedCall call, saved_search_call(request));
    return feed(call);
}

void Database::run_saved_search(const SavedSearchRequest& request, FeedDone done) {
    auto call = saved_search_call(request);
    if (!call.ok()) return done(call.take_error());
    feed(std::move(*call), std::move(done));
}

}  // namespace tidal::api
