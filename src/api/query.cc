// Queries as text: each is a call of feed().
#include "query/query_text.h"

#include "api/database.h"

namespace tidal::api {
namespace {

FeedCall to_call(const query::Query& query, std::string_view text, FeedCall call) {
    if (query.verb == query::Query::Verb::kSearch) call.query = query.text;
    call.kind = query.kind;
    call.profile = query.profile;
    call.params = query.params;
    if (query.user) call.user_id = IdInput(query.user->text);
    call.session = query.session;
    call.fresh = query.fresh;
    call.cohort = query.cohort;
    call.experiment = query.experiment;
    if (query.similar_to) call.similar_to = IdInput(query.similar_to->text);
    call.vector = query.vector;
    if (query.filter) call.filter = query::part_in_place(text, query.filter_at);
    if (!query.facets.empty()) call.facets = query::part_in_place(text, query.facets_at);
    if (query.limit) call.limit = *query.limit;
    for (const query::Literal& id : query.exclude) call.exclude.emplace_back(id.text);
    if (query.sort) call.sort = query::part_in_place(text, query.sort_at);
    if (query.group) call.group_by = query::part_in_place(text, query.group_at);
    if (query.diversity) call.diversity = query::part_in_place(text, query.diversity_at);
    for (const query::Literal& id : query.pin) call.pin.emplace_back(id.text);
    for (const query::Literal& id : query.bury) call.bury.emplace_back(id.text);
    call.fields = query.fields;
    call.highlight = query.highlight;
    call.effort = query.effort;
    call.seed = query.seed;
    call.cursor = query.after;
    call.explain = query.explain;
    call.log_impressions = query.log_impressions;
    call.log_features = query.log_features;
    return call;
}

SuggestCall to_suggest_call(const query::Query& query, const FeedCall& request) {
    SuggestCall call;
    call.query = query.text;
    if (query.user) call.user_id = IdInput(query.user->text);
    if (query.limit) call.limit = *query.limit;
    call.urgency = request.urgency;
    call.confirmed = request.confirmed;
    return call;
}

}  // namespace

Result<FeedCall> feed_call_of(std::string_view text) {
    TIDAL_ASSIGN(const query::Query query, query::parse_query(text));
    return to_call(query, text, {});
}

Result<QueryReply> Database::query(std::string_view text) {
    TIDAL_ASSIGN(const query::Query query, query::parse_query(text));
    if (query.verb == query::Query::Verb::kSuggest) {
        auto reply = suggest(to_suggest_call(query, {}));
        if (!reply.ok()) return query::in_place(reply.take_error(), query, text);
        return QueryReply(std::move(*reply));
    }
    auto reply = feed(to_call(query, text, {}));
    if (!reply.ok()) return query::in_place(reply.take_error(), query, text);
    if (query.explain) reply->query = query::print_query(query);
    return QueryReply(std::move(*reply));
}

void Database::query(std::string text, FeedCall request, QueryDone done) {
    auto parsed = query::parse_query(text);
    if (!parsed.ok()) return done(parsed.take_error());
    // It stays where it is, for the answer to look at.
    auto query = std::make_unique<const query::Query>(std::move(*parsed));
    const query::Query& asked = *query;
    SuggestCall suggestions;
    FeedCall page;
    const bool suggests = asked.verb == query::Query::Verb::kSuggest;
    if (suggests)
        suggestions = to_suggest_call(asked, request);
    else
        page = to_call(asked, text, std::move(request));
    auto answer = [done = std::move(done), query = std::move(query),
                   text = std::move(text)](auto reply) mutable {
        if (!reply.ok()) return done(query::in_place(reply.take_error(), *query, text));
        if constexpr (requires { reply->query; })
            if (query->explain) reply->query = query::print_query(*query);
        done(QueryReply(std::move(*reply)));
    };
    if (suggests) return suggest(std::move(suggestions), std::move(answer));
    feed(std::move(page), std::move(answer));
}

}  // namespace tidal::api
