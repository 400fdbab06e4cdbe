// What was shown, joined with what its users then did with it: a page of impressions at a time.
#include <algorithm>
#include <set>

#include "api/database.h"
#include "api/internal/export_position.h"
#include "api/internal/shown_join.h"
#include "api/resolve.h"

namespace tidal::api {
namespace {

/// All of their contexts, of the impressions that a request asks for.
auto filter_of(const ShownRequest& request, std::optional<EntityId> user) {
    return [from_ms = request.from_ms, until_ms = request.until_ms, user](
               const record::Record& record,
               const record::SignalBody& body) -> std::optional<std::string> {
        const UnixMillis at_ms = record.envelope.event_time_ms;
        if ((user && body.user != user) || (from_ms && at_ms < *from_ms) ||
            (until_ms && at_ms >= *until_ms))
            return std::nullopt;
        return body.context;
    };
}

}  // namespace

/// No write that is applied here later is of a time before.
UnixMillis Database::known_through(ShardId id) {
    // Longer than a write waits between its stamp and its place in the log.
    constexpr UnixMillis kWritesTakeMs = 10'000;
    const UnixMillis applied_ms =
        shard(id).with_state([](shard::ShardState& state) { return state.read_time_ms(0); });
    if (cluster_ != nullptr) return applied_ms;
    return std::max(applied_ms, runtime_.clock().wall_ms() - kWritesTakeMs);
}

/// Without what to keep and the limit.
Result<ShownJoinOptions> Database::join_options(std::int64_t within_ms) {
    if (within_ms < kShownWithinMinMs || within_ms > kShownWithinMaxMs)
        return Error(ErrorCode::kInvalidArgument, "within is from 1m to 30d").with_field("within");
    ShownJoinOptions out;
    out.within_ms = within_ms;
    out.schema = schema();
    const schema::SignalSpec* impression = out.schema->find_signal(schema::kImpression);
    if (impression == nullptr) return unknown_signal(*out.schema, std::string(schema::kImpression));
    out.impression = impression->id;
    return out;
}

/// A join of what is in the shard that the position is at.
ShownJoin Database::join_at(ShownJoinOptions options, const ExportPosition& position) {
    options.of_this_shard = [this, at = position.at](TenantId tenant, const EntityId& item) {
        return shard_of(record::vshard_of(tenant, EntityKind::kItem, item)) == at;
    };
    return {std::move(options), position.next[position.at.value() - 1u]};
}

/// Nobody can tell any more what an erased user did next: a reward of 0 would be made up.
void Database::drop_erased(std::vector<JoinedImpression>* shown) {
    std::set<EntityId> users;
    for (const JoinedImpression& each : *shown)
        if (each.item.user_id) users.insert(*each.item.user_id);
    const auto erasures = erasures_of(users);
    std::erase_if(*shown, [&](const JoinedImpression& each) {
        const auto gone = each.item.user_id ? erasures.find(*each.item.user_id) : erasures.end();
        return gone != erasures.end() && each.stamp <= gone->second;
    });
}

Result<ShownPage> Database::export_shown(const ShownRequest& request) {
    TIDAL_ASSIGN(const auto exporting, begin_export());
    TIDAL_ASSIGN(ShownJoinOptions options, join_options(request.within_ms));
    std::optional<EntityId> user;
    if (request.user_id) {
        TIDAL_ASSIGN(user,
                     resolve_id(*options.schema, EntityKind::kUser, *request.user_id, "user_id"));
    }
    options.keep = filter_of(request, std::move(user));
    TIDAL_ASSIGN(ExportPosition position, decode_position(request.position, shards_.size() - 1));
    if (cluster_ != nullptr && !request.gaps) TIDAL_TRY(check_whole(position.next));
    options.limit = std::max<std::uint32_t>(request.limit, 1);
    std::vector<JoinedImpression> shown;
    bool full = false;
    for (std::size_t round = 1; round < shards_.size() && !full; ++round) {
        ShownJoin join = join_at(options, position);
        const UnixMillis known_ms = known_through(position.at);
        TIDAL_TRY(visit_history(position.at, join.next(),
                                [&](const record::Record& record) { return join.take(record); }));
        full = join.full();
        LogIndex& next = position.next_of(position.at);
        for (JoinedImpression& each : join.finish()) {
            next = each.next;
            each.item.position = encode_position(position);
            each.item.complete = each.until_ms <= known_ms;
            shown.push_back(std::move(each));
            --options.limit;
        }
        next = join.next();
        if (!full) position.to_next_shard();
    }
    drop_erased(&shown);
    ShownPage page;
    page.end = !full;
    for (JoinedImpression& each : shown) page.items.push_back(std::move(each.item));
    page.position = encode_position(position);
    return page;
}

}  // namespace tidal::api
