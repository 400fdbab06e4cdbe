#include <algorithm>
#include <cmath>
#include <string>

#include "base/codec.h"
#include "query/feed.h"
#include "query/internal/candidate_lists.h"
#include "query/internal/missing_inputs.h"
#include "query/internal/plan_anchors.h"
#include "query/internal/query_conditions.h"
#include "query/internal/query_fingerprint.h"
#include "ranking/embedding_name.h"
#include "text/completion.h"
#include "text/text_index.h"

namespace tidal::query {
namespace {

/// What diversity chooses from, at least: a page whose best are all alike finds others among these.
constexpr std::uint32_t kDiverseKeepMin = 200;

Result<void> check_limits(const FeedRequest& request) {
    if (request.limit < 1 || request.limit > kLimitMax)
        return Error(ErrorCode::kInvalidArgument, "limit out of range")
            .with_field("limit")
            .with_hint("1 to " + std::to_string(kLimitMax));
    if (request.exclude.size() > kExcludedMax)
        return Error(ErrorCode::kTooLarge, "too many ids to exclude")
            .with_field("exclude")
            .with_hint("at most " + std::to_string(kExcludedMax));
    return {};
}

/// Has a source of what a cohort watches. @param when_cold  One that not every page reads.
bool lists_cohort(const ranking::CompiledProfile& profile, bool when_cold) {
    return std::ranges::any_of(profile.profile.sources, [&](const ranking::Source& source) {
        return source.kind == ranking::SourceKind::kCohortTop && source.when_cold == when_cold;
    });
}

bool reads_cohort(const ranking::CompiledProfile& profile) {
    return lists_cohort(profile, false) ||
           std::ranges::any_of(profile.program.needs, [](const ranking::Need& need) {
               return need.input == ranking::Input::kCohort;
           });
}

/// What is read of a cohort that nobody tracks is 0.
void warn_untracked(const schema::Schema& schema, FeedPlan* plan) {
    for (const ranking::Feature& feature : plan->profile->program.features) {
        if (!feature.of_cohort ||
            std::ranges::find(plan->cohort->signals, feature.signal) != plan->cohort->signals.end())
            continue;
        std::string warning = "cohort `" + plan->cohort->name + "` does not track `" +
                              schema.signals[feature.signal.value()].name + "`: it counts 0";
        if (std::ranges::find(plan->warnings, warning) == plan->warnings.end())
            plan->warnings.push_back(std::move(warning));
    }
}

/// A user of whom nothing is known is shown what others like: the reply says who.
void plan_cold(const FeedRequest& request, FeedPlan* plan) {
    if (request.cohort) {
        plan->cohort = request.cohort;
        if (!plan->cohort->instead.empty()) plan->warnings.push_back(plan->cohort->instead);
    }
    plan->own_cohorts = request.own_cohorts;
    std::string names;
    for (const FeedCohort& cohort : plan->listed_cohorts()) {
        if (!cohort.read.empty()) names += (names.empty() ? "`" : ", `") + cohort.read + "`";
        if (!request.cohort && !cohort.instead.empty()) plan->warnings.push_back(cohort.instead);
    }
    const bool popular = std::ranges::any_of(
        plan->profile->profile.sources,
        [](const ranking::Source& source) { return source.kind == ranking::SourceKind::kPopular; });
    std::string warning = request.user
                              ? "user " + request.user->id.to_string() + " has liked nothing yet"
                              : "the page is for no user";
    if (names.empty() && request.user) warning += " and is in no cohort of which enough is known";
    if (!names.empty()) warning += ": the page has what cohort " + names + " watches";
    if (popular)
        warning += names.empty() ? ": it has what everybody likes" : ", and everybody likes";
    plan->warnings.push_back(std::move(warning));
}

Result<void> plan_cohort(const FeedRequest& request, const schema::Schema& schema, FeedPlan* plan) {
    const std::string name = "the profile `" + plan->profile->profile.name + "`";
    if (!reads_cohort(*plan->profile) && lists_cohort(*plan->profile, true)) {
        if (plan->cold) plan_cold(request, plan);
        if (!plan->cold && request.cohort)
            plan->warnings.push_back("cohort: " + name +
                                     " reads it only for who has liked nothing yet");
        return {};
    }
    if (!reads_cohort(*plan->profile)) {
        if (request.cohort) plan->warnings.push_back("cohort: nothing of " + name + " reads it");
        return {};
    }
    if (!request.cohort)
        return lacks_input(request, *plan->profile,
                           reader_of(plan->profile->program, ranking::Input::kCohort), "cohort")
            .with_field("cohort")
            .with_hint("say of which cohort: cohort of the request, COHORT name of a query")
            .with_reason("missing_input");
    plan->cohort = request.cohort;
    if (plan->cohort->id) warn_untracked(schema, plan);
    if (!plan->cohort->instead.empty()) plan->warnings.push_back(plan->cohort->instead);
    return {};
}

FilterInputs inputs_of(const FeedRequest& request) {
    return {.user = request.user ? &*request.user : nullptr,
            .anchor = request.similar_to.has_value() || !request.vector.empty(),
            .collections = request.collections.get()};
}

Result<void> plan_facets(const FeedRequest& request, const FilterNode* filter,
                         const schema::Schema& schema, FeedPlan* plan) {
    if (request.facets.empty()) return {};
    auto facets = parse_facets(request.facets);
    if (!facets) return facets.take_error().with_field("facets");
    TIDAL_ASSIGN(plan->facets, bind_facets(*facets, request.facets, filter, schema, request.kind,
                                           inputs_of(request)));
    return {};
}

/// Where a stored value orders the page: which column tells who has none. A declared default stands
/// in the place of a number that is missing, and so does 0 in a profile's own order.
void plan_field_order(const FeedRequest& request, const schema::Schema& schema, FeedPlan* plan) {
    const ranking::Profile& profile = plan->profile->profile;
    if (!profile.order.by_field) return;
    const schema::FieldSpec* const field = schema.find_field(request.kind, profile.score.name);
    if (field == nullptr) return;
    const bool text =
        std::ranges::any_of(plan->profile->program.features, [](const ranking::Feature& feature) {
            return feature.kind == ranking::FeatureKind::kText;
        });
    if (text) plan->text_field = field->id;
    if (text || (!request.sort.empty() && !field->default_value))
        plan->sorted_by = {.kind = entity::NumberSource::Kind::kField, .field = field->id};
}

/// What the request says in the place of its profile.
Result<void> plan_stages(const FeedRequest& request, const schema::Schema& schema, FeedPlan* plan) {
    plan->diversity = plan->profile->profile.diversity;
    if (!request.diversity.empty()) {
        auto rules = parse_diversity_text(request.diversity);
        if (!rules) return rules.take_error().with_field("diversity");
        auto checked = ranking::check_diversity(*rules, request.diversity, schema, request.kind);
        if (!checked) return checked.take_error().with_field("diversity");
        plan->diversity = std::move(*rules);
    }
    if (!request.sort.empty()) {
        auto sort = parse_sort(request.sort);
        if (!sort) return sort.take_error().with_field("sort");
        auto sorted = ranking::sorted_by(*plan->profile, sort->by, sort->descending, request.sort,
                                         schema, request.kind);
        if (!sorted) return sorted.take_error().with_field("sort");
        plan->profile = *std::move(sorted);
    }
    plan_field_order(request, schema, plan);
    if (!request.group_by.empty()) {
        auto group = parse_group(request.group_by);
        if (!group) return group.take_error().with_field("group_by");
        auto bound = bind_group(*group, request.group_by, schema, request.kind);
        if (!bound) return bound.take_error().with_field("group_by");
        plan->group = *std::move(bound);
    }
    TIDAL_ASSIGN(plan->pins, Pins::make(request.pin, request.bury));
    plan->explore_percent = plan->profile->profile.explore_percent;
    plan->reordered = !request.sort.empty() || plan->text_field || plan->group ||
                      !plan->pins.empty() || plan->explore_percent != 0 || plan->mutes();
    return {};
}

/// How many of a shard's best a page needs. Of groups at most as many are left out as are on this
/// page and those before: full groups hold no more.
std::uint32_t items_to_keep(const FeedPlan& plan) {
    std::uint64_t keep = plan.limit + 1;
    if (!plan.diversity.empty())
        keep = std::max<std::uint64_t>(kDiverseKeepMin, std::uint64_t{5} * plan.limit);
    if (reads_vectors(plan.diversity))
        keep = std::max(keep, std::uint64_t{plan.limit} + kMmrWindow);
    if (plan.group) keep += plan.limit + 1 + plan.shown;
    return static_cast<std::uint32_t>(keep + plan.pins.pinned());
}

/// What a beginning makes candidates of. @param fields  Of texts; the first is what it begins.
Result<void> plan_completion(const FeedRequest& request, const std::vector<std::string>& fields,
                             FeedPlan* plan) {
    for (const ranking::Feature& feature : plan->profile->program.features)
        if (feature.kind == ranking::FeatureKind::kSourceRank)
            return Error(ErrorCode::kInvalidArgument,
                         "suggestions have no sources with ranks, which the profile reads")
                .with_field("profile")
                .with("profile", plan->profile->profile.name_and_version());
    plan->sources.clear();
    plan->text_matches = true;
    plan->text.emplace();
    if (!fields.empty()) plan->text->query = text::parse_completion(*request.text, fields.front());
    for (const std::string& warning : plan->text->query.warnings) plan->warnings.push_back(warning);
    return {};
}

/// What a search makes candidates of.
/// @param filter  Takes the conditions that the query has.
Result<void> plan_text(const FeedRequest& request, const schema::Schema& schema, FeedPlan* plan,
                       std::optional<FilterNode>* filter) {
    plan->sources = plan->profile->profile.sources;
    const bool has_source = std::ranges::any_of(plan->sources, [](const ranking::Source& source) {
        return source.kind == ranking::SourceKind::kText;
    });
    if (!request.text) {
        if (!has_source && !ranking::needs_query(plan->profile->program)) return {};
        return lacks_input(request, *plan->profile,
                           reader_of(plan->profile->program, ranking::Input::kQuery), "a query")
            .with_field("query")
            .with_hint("search with it: GET /search?query=..., SEARCH items FOR '...'")
            .with_reason("missing_query");
    }
    std::vector<std::string> fields;
    for (const schema::FieldSpec& field : schema.kind(request.kind).fields)
        if (field.type == schema::FieldType::kText) fields.push_back(field.name);
    if (request.text_mode != TextMode::kSearch) return plan_completion(request, fields, plan);
    QueryConditions conditions = take_conditions(*request.text, schema, request.kind);
    plan->text = TextPlan{.query = text::parse_query(conditions.words, fields)};
    for (const std::string& warning : plan->text->query.warnings) plan->warnings.push_back(warning);
    if (request.synonyms) request.synonyms->expand(&plan->text->query.root);
    const bool has_words = !text::words_of(plan->text->query.root).empty();
    if (!has_words && !conditions.filter)
        plan->warnings.emplace_back("the query has no words to search for");
    plan->text_alone = !has_source;
    if (!has_source) plan->sources.push_back({.kind = ranking::SourceKind::kText});
    // Conditions alone accept the newest.
    if (!has_words && conditions.filter)
        for (ranking::Source& source : plan->sources)
            if (source.kind == ranking::SourceKind::kText)
                source.kind = ranking::SourceKind::kRecent;
    *filter = std::move(conditions.filter);
    return {};
}

/// What the request's filter and the conditions of its query say, both.
Result<void> plan_filter(const FeedRequest& request, std::optional<FilterNode> conditions,
                         const schema::Schema& schema, FeedPlan* plan) {
    std::optional<FilterNode> filter = std::move(conditions);
    if (!request.filter.empty()) {
        auto parsed = parse_filter(request.filter);
        if (!parsed) return parsed.take_error().with_field("filter");
        if (filter) {
            FilterNode both;
            both.kind = FilterNode::Kind::kAnd;
            both.children = {*std::move(parsed), *std::move(filter)};
            filter = std::move(both);
        } else {
            filter = *std::move(parsed);
        }
    }
    if (filter) {
        TIDAL_ASSIGN(plan->filter, bind_filter(*filter, request.filter, schema, request.kind,
                                               inputs_of(request)));
    }
    return plan_facets(request, filter ? &*filter : nullptr, schema, plan);
}

/// Beside lists for a user few are explored that no list has. What a query, an item, a vector or a
/// collection says the page is about stays what it is about.
void plan_exploration(FeedPlan* plan) {
    using ranking::SourceKind;
    if (plan->explore_percent == 0 || plan->text || plan->scans()) return;
    const bool narrow = std::ranges::any_of(plan->sources, [](const ranking::Source& source) {
        if (source.kind == SourceKind::kAnn || source.kind == SourceKind::kCoEngaged)
            return source.anchor != ranking::Anchor::kUser;
        return source.kind == SourceKind::kCollection;
    });
    if (narrow) return;
    plan->explored_source = plan->sources.size();
    plan->sources.push_back({.kind = SourceKind::kRecent, .limit = kExploredNewest});
}

/// What the sources `collection` list.
Result<void> plan_collections(const FeedRequest& request, FeedPlan* plan) {
    static const Collections kNone;
    const Collections& known = request.collections ? *request.collections : kNone;
    plan->collections.resize(plan->sources.size());
    for (std::size_t i = 0; i < plan->sources.size(); ++i) {
        const ranking::Source& source = plan->sources[i];
        if (source.kind != ranking::SourceKind::kCollection) continue;
        const Collection* const found = known.find(source.name);
        if (found == nullptr)
            return known.unknown(source.name)
                .with_field("profile")
                .with("profile", plan->profile->profile.name_and_version());
        plan->collections[i] = found->id;
    }
    return {};
}

/// Of the profile's cap on items a day, by the request's parameters.
Result<void> plan_cap(const FeedRequest& request, FeedPlan* plan) {
    const ranking::Profile& profile = plan->profile->profile;
    if (!profile.cap) return {};
    double items = profile.cap->items;
    if (!profile.cap->param.empty()) {
        const auto given = request.params.find(profile.cap->param);
        items = given != request.params.end()
                    ? given->second
                    : std::ranges::find(profile.params, profile.cap->param,
                                        &ranking::ProfileParam::name)
                          ->default_value;
    }
    if (!(items >= 1 && items <= ranking::kDailyCapMax && items == std::floor(items)))
        return Error(ErrorCode::kInvalidArgument, "the cap of a day is a whole number from 1 to " +
                                                      std::to_string(ranking::kDailyCapMax))
            .with_field("params." + profile.cap->param)
            .with("profile", profile.name_and_version());
    plan->daily_cap = static_cast<std::uint32_t>(items);
    return {};
}

/// What a hit says of its vector: the first source that compares vectors compares it.
void plan_nearness(const schema::Schema& schema, FeedPlan* plan) {
    if (!plan->text) return;
    const auto source = std::ranges::find_if(plan->sources, [&](const ranking::Source& each) {
        return each.kind == ranking::SourceKind::kAnn &&
               !ranking::lacks_embeddings(each, plan->sources, schema, plan->kind);
    });
    if (source != plan->sources.end()) plan->nearness = order_of(*source, schema, plan->kind);
}

/// What of the request, besides the profile, makes its pages: printed, as the parsers read it.
std::string canonical_stages(const FeedRequest& request) {
    std::string out;
    if (!request.filter.empty()) out = print_filter(*parse_filter(request.filter));
    if (!request.sort.empty()) out += " sort " + print_sort(*parse_sort(request.sort));
    if (!request.diversity.empty())
        out += " diversity " + print_diversity(*parse_diversity_text(request.diversity));
    if (!request.group_by.empty()) out += " group " + print_group(*parse_group(request.group_by));
    for (const EntityId& id : request.pin) out += " pin " + id.to_string();
    for (const EntityId& id : request.bury) out += " bury " + id.to_string();
    if (request.user) out += " user " + request.user->id.to_string();
    if (request.user && request.user->session != 0)
        out += " session " + std::to_string(request.user->session);
    if (request.cohort) out += " cohort " + request.cohort->name;
    if (request.text) out += " text " + *request.text;
    return out + canonical_anchors(request);
}

/// The same moment, seed and position for every page of a sequence.
Result<void> resume(const FeedRequest& request, const CursorCodec& cursors,
                    std::string_view canonical, FeedPlan* plan) {
    if (request.cursor.empty()) {
        plan->query = query_fingerprint(*plan, canonical);
        return {};
    }
    TIDAL_ASSIGN(Cursor cursor, cursors.decode(request.cursor));
    plan->now_ms = cursor.now_ms;
    plan->moment_is_kept = true;
    plan->seed = request.seed.value_or(cursor.seed);
    plan->query = query_fingerprint(*plan, canonical);
    if (plan->query != cursor.query)
        return Error(ErrorCode::kInvalidArgument, "the cursor belongs to another query")
            .with_field("cursor")
            .with_hint(
                "keep all as it was on its page but limit, exclude, fields, highlight, facets, "
                "explain and log_impressions")
            .with_reason("invalid_cursor");
    plan->shown = cursor.shown;
    plan->after = std::move(cursor.after);
    plan->shown_hashes.insert(cursor.shown_hashes.begin(), cursor.shown_hashes.end());
    plan->shown_groups.insert(cursor.shown_groups.begin(), cursor.shown_groups.end());
    if (plan->shown_hashes.size() < kShownMax) return {};
    return Error(ErrorCode::kGone, "a sequence of pages ends after 2000 entities")
        .with_field("cursor")
        .with_reason("cursor_exhausted")
        .with_hint("narrow the query with a filter, or start again from the first page");
}

}  // namespace

bool FeedPlan::scans() const {
    return !text_alone && std::ranges::any_of(sources, [](const ranking::Source& source) {
        return source.kind == ranking::SourceKind::kScan;
    });
}

bool FeedPlan::has_lists() const {
    return std::ranges::any_of(sources, [](const ranking::Source& source) {
        return source.kind != ranking::SourceKind::kScan;
    });
}

bool reads_own_cohorts(const ranking::CompiledProfile& profile, const FeedRequest& request) {
    return !request.cohort && request.user && request.user->liked.empty() &&
           !reads_cohort(profile) && lists_cohort(profile, true);
}

Hash128 query_fingerprint(const FeedPlan& plan, std::string_view canonical) {
    Encoder out;
    out.u8(static_cast<std::uint8_t>(plan.kind));
    out.bytes(plan.profile->profile.name_and_version());
    out.bytes(canonical);
    out.varint(plan.params.size());
    for (const double value : plan.params) out.f64(value);
    out.u64(plan.seed);
    return hash128(out.view());
}

Result<FeedPlan> plan_feed(const FeedRequest& request, const schema::Schema& schema,
                           const ranking::ProfileRegistry& profiles, const CursorCodec& cursors) {
    TIDAL_TRY(check_limits(request));
    FeedPlan plan;
    plan.kind = request.kind;
    plan.limit = request.limit;
    plan.explain = request.explain;
    plan.effort = request.effort;
    plan.now_ms = request.now_ms;
    plan.seed = request.seed.value_or(static_cast<std::uint64_t>(request.now_ms));
    plan.user = request.user;
    plan.exclude.insert(request.exclude.begin(), request.exclude.end());
    if (request.user) plan.exclude.insert(request.user->shown.begin(), request.user->shown.end());
    if (request.user && request.kind == EntityKind::kCreator)
        plan.exclude.insert(request.user->blocked.begin(), request.user->blocked.end());
    TIDAL_ASSIGN(plan.profile, profiles.find(request.profile, request.kind));
    TIDAL_TRY(check_user(request, *plan.profile));
    TIDAL_TRY(plan_stages(request, schema, &plan));
    // What the request sorts by stands in the place of the score.
    TIDAL_TRY(check_user(request, *plan.profile));
    plan.warnings = plan.profile->program.warnings;
    plan.cold = !request.user || request.user->liked.empty();
    TIDAL_TRY(plan_cohort(request, schema, &plan));
    std::optional<FilterNode> conditions;
    TIDAL_TRY(plan_text(request, schema, &plan, &conditions));
    plan_exploration(&plan);
    TIDAL_ASSIGN(plan.params, bind_params(request, *plan.profile));
    TIDAL_TRY(plan_filter(request, std::move(conditions), schema, &plan));
    TIDAL_TRY(plan_anchors(request, schema, &plan));
    TIDAL_TRY(plan_collections(request, &plan));
    TIDAL_TRY(plan_cap(request, &plan));
    plan_nearness(schema, &plan);
    TIDAL_TRY(plan_co_engaged(request, &plan));
    TIDAL_TRY(resume(request, cursors, canonical_stages(request), &plan));
    plan.keep = items_to_keep(plan);
    return plan;
}

}  // namespace tidal::query
