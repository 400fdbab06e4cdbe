// What goes on as somebody begins to type: titles of items, names of creators, recent queries.
#include <algorithm>
#include <set>

#include "api/database.h"
#include "api/internal/answered.h"
#include "query/feed.h"

namespace tidal::api {
namespace {

/// What an entity is suggested by: its first field of texts. nullptr = the kind has none.
const schema::FieldSpec* title_field(const schema::Schema& schema, EntityKind kind) {
    const auto& fields = schema.kind(kind).fields;
    const auto found =
        std::ranges::find(fields, schema::FieldType::kText, &schema::FieldSpec::type);
    return found == fields.end() ? nullptr : &*found;
}

const std::string* title_of(const EntityReply& entity, const std::string& field) {
    const auto found =
        std::ranges::find(entity.metadata, field, &std::pair<std::string, record::Value>::first);
    return found == entity.metadata.end() ? nullptr : std::get_if<std::string>(&found->second);
}

/// Many copies of one title are one suggestion: so many more are looked at.
constexpr std::uint32_t kLookAt = 3;

FeedCall completion_call(const SuggestCall& call, EntityKind kind) {
    FeedCall out;
    out.kind = kind;
    out.profile = "suggest";
    out.query = call.query;
    out.user_id = call.user_id;
    if (kind == EntityKind::kItem) out.filter = call.filter;
    out.limit = std::min(kLookAt * call.limit, query::kLimitMax);
    out.urgency = call.urgency;
    out.confirmed = call.confirmed;
    return out;
}

Result<void> check(const SuggestCall& call) {
    if (call.limit < 1 || call.limit > kSuggestionsMax)
        return Error(ErrorCode::kInvalidArgument, "limit out of range")
            .with_field("limit")
            .with_hint("1 to " + std::to_string(kSuggestionsMax));
    return {};
}

void rank(std::vector<Suggestion>* all, std::size_t limit) {
    std::ranges::stable_sort(*all, std::ranges::greater(), &Suggestion::score);
    if (all->size() > limit) all->resize(limit);
}

}  // namespace

runtime::Task<Result<void>> Database::complete(const SuggestCall* call, EntityKind kind,
                                               query::TextMode mode, bool in_turns,
                                               SuggestReply* reply) {
    const auto schema = this->schema();
    const schema::FieldSpec* const field = title_field(*schema, kind);
    if (field == nullptr) co_return Result<void>();
    FeedCall feed = completion_call(*call, kind);
    const auto as =
        kind == EntityKind::kItem ? Suggestion::Kind::kItem : Suggestion::Kind::kCreator;
    std::set<std::string, std::less<>> known;
    for (const Suggestion& each : reply->suggestions)
        if (each.kind == as) known.insert(each.text);
    auto task = feed_task(&feed, in_turns, mode);
    TIDAL_CO_ASSIGN(FeedReply page, co_await std::move(task));
    reply->degradation = std::max(reply->degradation, page.degradation);
    for (std::string& warning : page.warnings)
        if (std::ranges::find(reply->warnings, warning) == reply->warnings.end())
            reply->warnings.push_back(std::move(warning));
    for (FeedItem& item : page.items) {
        const std::string* const title = title_of(item.entity, field->name);
        if (title == nullptr || !known.insert(*title).second) continue;
        reply->suggestions.push_back({*title, as, item.entity.id, item.score});
    }
    co_return Result<void>();
}

runtime::Task<Result<SuggestReply>> Database::suggest_task(SuggestCall call, bool in_turns) {
    TIDAL_CO_TRY(check(call));
    if (call.user_id && cluster_ != nullptr) {
        auto confirmed = confirm(&call.confirmed);
        TIDAL_CO_TRY(co_await std::move(confirmed));
    }
    SuggestReply reply;
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kCreator}) {
        auto task = complete(&call, kind, query::TextMode::kCompletion, in_turns, &reply);
        TIDAL_CO_TRY(co_await std::move(task));
    }
    for (auto& query : recent_queries_.find(call.query, call.limit, runtime_.clock().wall_ms()))
        reply.suggestions.push_back(
            {std::move(query.text), Suggestion::Kind::kQuery, std::nullopt, query.score});
    rank(&reply.suggestions, call.limit);
    // What was mistyped comes behind what was not, however popular.
    if (reply.suggestions.size() < call.limit) {
        SuggestReply guessed = reply;
        for (const EntityKind kind : {EntityKind::kItem, EntityKind::kCreator}) {
            auto task = complete(&call, kind, query::TextMode::kGuess, in_turns, &guessed);
            TIDAL_CO_TRY(co_await std::move(task));
        }
        const auto exact = static_cast<std::ptrdiff_t>(reply.suggestions.size());
        std::vector<Suggestion> more(guessed.suggestions.begin() + exact,
                                     guessed.suggestions.end());
        rank(&more, call.limit - reply.suggestions.size());
        std::ranges::move(more, std::back_inserter(reply.suggestions));
        reply.warnings = std::move(guessed.warnings);
        reply.degradation = guessed.degradation;
    }
    co_return std::move(reply);
}

Result<SuggestReply> Database::suggest(const SuggestCall& call) {
    return runtime::sync_wait(suggest_task(call, false));
}

void Database::suggest(SuggestCall call, SuggestDone done) {
    runtime::spawn(answered<SuggestReply>(suggest_task(std::move(call), true), std::move(done)));
}

}  // namespace tidal::api
