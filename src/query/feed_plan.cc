#include <algorithm>
#include <cmath>
#include <string>

#include "base/codec.h"
#include "base/edit_distance.h"
#include "query/feed.h"
#include "query/internal/query_fingerprint.h"

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

/// The values the program wants: from the request, else the profile's default.
Result<std::vector<double>> bind_params(const FeedRequest& request,
                                        const ranking::CompiledProfile& profile) {
    const auto& wanted = profile.program.params;
    std::vector<std::string_view> known(wanted.begin(), wanted.end());
    for (const auto& declared : profile.profile.params)
        if (std::ranges::find(known, declared.name) == known.end()) known.push_back(declared.name);
    for (const auto& [name, value] : request.params) {
        if (std::ranges::find(known, name) == known.end())
            return Error(ErrorCode::kUnknownName, "the profile has no parameter `" + name + "`")
                .with_field("params." + name)
                .with("profile", profile.profile.name_and_version())
                .with_hint(known.empty() ? "it has none" : name_hint(name, known))
                .with_reason("unknown_param");
        if (!std::isfinite(value))
            return Error(ErrorCode::kInvalidArgument, "a parameter is a finite number")
                .with_field("params." + name);
    }
    std::vector<double> out;
    for (const std::string& name : wanted) {
        if (const auto given = request.params.find(name); given != request.params.end()) {
            out.push_back(given->second);
            continue;
        }
        const auto declared =
            std::ranges::find(profile.profile.params, name, &ranking::ProfileParam::name);
        if (declared == profile.profile.params.end())
            return Error(ErrorCode::kInvalidArgument,
                         "the profile needs the parameter `" + name + "`")
                .with_field("params." + name)
                .with("profile", profile.profile.name_and_version())
                .with_reason("missing_param");
        out.push_back(declared->default_value);
    }
    return out;
}

Result<void> plan_facets(const FeedRequest& request, const FilterNode* filter,
                         const schema::Schema& schema, FeedPlan* plan) {
    if (request.facets.empty()) return {};
    auto facets = parse_facets(request.facets);
    if (!facets) return facets.take_error().with_field("facets");
    TIDAL_ASSIGN(plan->facets, bind_facets(*facets, request.facets, filter, schema, request.kind));
    return {};
}

/// The same moment, seed and position for every page of a sequence.
Result<void> resume(const FeedRequest& request, const CursorCodec& cursors,
                    std::string_view canonical_filter, FeedPlan* plan) {
    if (request.cursor.empty()) {
        plan->query = query_fingerprint(*plan, canonical_filter);
        return {};
    }
    TIDAL_ASSIGN(Cursor cursor, cursors.decode(request.cursor));
    plan->now_ms = cursor.now_ms;
    plan->seed = request.seed.value_or(cursor.seed);
    plan->query = query_fingerprint(*plan, canonical_filter);
    if (plan->query != cursor.query)
        return Error(ErrorCode::kInvalidArgument, "the cursor belongs to another query")
            .with_field("cursor")
            .with_hint("keep kind, profile, filter, params and seed as they were on its page")
            .with_reason("invalid_cursor");
    plan->shown = cursor.shown;
    plan->after = std::move(cursor.after);
    plan->shown_hashes.insert(cursor.shown_hashes.begin(), cursor.shown_hashes.end());
    if (plan->shown_hashes.size() < kShownMax) return {};
    return Error(ErrorCode::kGone, "a sequence of pages ends after 2000 entities")
        .with_field("cursor")
        .with_reason("cursor_exhausted")
        .with_hint("narrow the query with a filter, or start again from the first page");
}

}  // namespace

bool FeedPlan::scans() const {
    return std::ranges::any_of(profile->profile.sources, [](const ranking::Source& source) {
        return source.kind == ranking::SourceKind::kScan;
    });
}

bool FeedPlan::has_lists() const {
    return std::ranges::any_of(profile->profile.sources, [](const ranking::Source& source) {
        return source.kind != ranking::SourceKind::kScan;
    });
}

Hash128 query_fingerprint(const FeedPlan& plan, std::string_view canonical_filter) {
    Encoder out;
    out.u8(static_cast<std::uint8_t>(plan.kind));
    out.bytes(plan.profile->profile.name_and_version());
    out.bytes(canonical_filter);
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
    plan.keep = request.limit + 1;
    plan.explain = request.explain;
    plan.now_ms = request.now_ms;
    plan.seed = request.seed.value_or(static_cast<std::uint64_t>(request.now_ms));
    plan.exclude.insert(request.exclude.begin(), request.exclude.end());
    TIDAL_ASSIGN(plan.profile, profiles.find(request.profile, request.kind));
    plan.warnings = plan.profile->program.warnings;
    plan.diversity = plan.profile->profile.diversity;
    if (!plan.diversity.empty()) plan.keep = std::max(kDiverseKeepMin, 5 * plan.limit);
    TIDAL_ASSIGN(plan.params, bind_params(request, *plan.profile));
    std::string canonical_filter;
    if (!request.filter.empty()) {
        auto filter = parse_filter(request.filter);
        if (!filter) return filter.take_error().with_field("filter");
        TIDAL_ASSIGN(plan.filter, bind_filter(*filter, request.filter, schema, request.kind,
                                              {.user = request.has_user}));
        canonical_filter = print_filter(*filter);
        TIDAL_TRY(plan_facets(request, &*filter, schema, &plan));
    } else {
        TIDAL_TRY(plan_facets(request, nullptr, schema, &plan));
    }
    TIDAL_TRY(resume(request, cursors, canonical_filter, &plan));
    return plan;
}

}  // namespace tidal::query
