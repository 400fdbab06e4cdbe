// Daily caps: what a user is shown under a profile is counted in the user's shard, before the page
// is answered. docs/decisions/0043-daily-caps.md.
#include <algorithm>

#include "api/database.h"
#include "api/forward.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/time_text.h"
#include "query/feed.h"

namespace tidal::api {
namespace {

void warn(const query::FeedPlan& plan, std::uint32_t asked, FeedReply* reply) {
    const FeedReply::Cap& cap = *reply->cap;
    const std::uint32_t left = cap.per_day - std::min(cap.per_day, cap.delivered);
    if (left > 0 || reply->items.size() >= asked) return;
    reply->warnings.push_back("`" + plan.profile->profile.name + "` shows a user at most " +
                              std::to_string(cap.per_day) +
                              " items a day: " + std::to_string(cap.delivered) + " shown today, " +
                              std::to_string(left) + " left until " + format_time(cap.resets_ms));
}

}  // namespace

/// The same for the same Idempotency-Key and cursor, else its own; a fresh page shows other items
/// each time.
std::uint64_t Database::page_number(const FeedCall& call) {
    if (call.impressions_key.empty() || call.fresh) return runtime_.random().u64();
    Encoder out;
    out.bytes(call.impressions_key);
    out.bytes(call.cursor);
    out.u64(call.session);
    return hash64(out.view());
}

Result<void> Database::read_cap(const FeedCall& call, std::uint64_t page, query::FeedPlan* plan,
                                FeedReply* reply) {
    if (!call.may_count)
        return Error(ErrorCode::kForbidden, "the profile `" + plan->profile->profile.name +
                                                "` counts what is shown, and this request may not "
                                                "write")
            .with_field("profile")
            .with_reason("role")
            .with_hint("a key with the role writer; POST from a page of another site");
    const EntityId& user = plan->user->id;
    const ShardId home = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, user));
    const UnixMillis now_ms = runtime_.clock().wall_ms();
    return shard(home).with_state([&](shard::ShardState& state) -> Result<void> {
        const auto day = audience::delivery_day(state.read_time_ms(now_ms));
        TIDAL_ASSIGN(const auto today,
                     state.deliveries().find(user, plan->profile->profile.name, day));
        reply->cap = FeedReply::Cap();
        auto& cap = *reply->cap;
        cap.per_day = *plan->daily_cap;
        cap.delivered = today.delivered();
        cap.resets_ms = (UnixMillis{day} + 1) * audience::kDeliveryDayMs;
        const std::uint32_t left =
            today.granted(page).value_or(cap.per_day - std::min(cap.per_day, cap.delivered));
        if (left >= plan->limit) return {};
        plan->limit = left;
        if (left > 0) return {};
        reply->profile = plan->profile->profile.name_and_version();
        reply->warnings = plan->warnings;
        warn(*plan, call.limit, reply);
        return {};
    });
}

runtime::Task<Result<void>> Database::deliver(const query::FeedPlan* plan, std::uint32_t asked,
                                              std::uint64_t page, FeedReply* reply) {
    if (reply->items.empty()) co_return Result<void>();
    Proposal proposal;
    record::DeliveryBody body;
    body.user = plan->user->id;
    body.profile = plan->profile->profile.name;
    body.cap = *plan->daily_cap;
    body.wanted = static_cast<std::uint32_t>(reply->items.size());
    body.page = page;
    proposal.shard = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, body.user));
    proposal.concern = concern_of({});
    record::Record& record = proposal.records.emplace_back();
    record.envelope.schema_version = schema()->version;
    record.body = std::move(body);
    runtime::Completion<std::vector<shard::Outcome>> done;
    route(std::move(proposal), CallContext().timeout_ms, done.completer());
    TIDAL_CO_ASSIGN(const auto outcomes, co_await done);
    const shard::Outcome& outcome = outcomes.front();
    if (!outcome.ok()) co_return Error(*outcome.refused);
    const auto delivered = shard::Delivered::from_bits(outcome.mark);
    reply->cap->delivered = delivered.today;
    // The day of the record, which may have begun since the page was asked for.
    reply->cap->resets_ms = (UnixMillis{audience::delivery_day(outcome.version.wall_ms())} + 1) *
                            audience::kDeliveryDayMs;
    // A cursor that counts as shown what was cut would pass it over.
    const bool cut = delivered.granted < reply->items.size();
    if (cut) reply->items.resize(delivered.granted);
    if (cut || delivered.today >= reply->cap->per_day) reply->next_cursor.clear();
    warn(*plan, asked, reply);
    co_return Result<void>();
}

}  // namespace tidal::api
