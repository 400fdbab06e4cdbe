// Signals under sessions, before they are proposed: whose they are, and what they are about. Their
// session decides in its user's shard; the item, whose generation goes with the record, is in
// another one.
#include <algorithm>

#include "api/database.h"
#include "api/internal/cluster_node.h"
#include "api/internal/write_join.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kOpenCatchUpMs = 2'000;

}  // namespace

/// Names the user and the generation of one signal, as this node knows them.
/// @return kNotFound, reason "unknown_session" or "unknown_item".
Result<void> Database::name_target(record::Record* record) {
    auto& body = std::get<record::SessionSignalBody>(record->body);
    const ShardId home = shard_of(record::vshard_of_session(body.session));
    TIDAL_TRY(check_readable(home));
    TIDAL_ASSIGN(const audience::Session session,
                 shard(home).with_state(
                     [&](shard::ShardState& state) { return state.sessions().get(body.session); }));
    const std::uint64_t sequence = record->envelope.session_sequence;
    // Who it is stays for the session to check. Also of a repeat: keys compare bodies.
    if (!body.signal.user) body.signal.user = session.user;
    if (sequence != 0 && sequence <= session.last_sequence) return {};  // it changes nothing
    const EntityKind kind = schema()->signals[body.signal.signal.value()].target;
    if (kind != EntityKind::kItem) return {};
    const VShard of_item =
        record::vshard_of(record->envelope.tenant, EntityKind::kItem, body.signal.item);
    TIDAL_TRY(check_readable(shard_of(of_item)));
    const auto generation = shard(shard_of(of_item)).generation_of(kind, body.signal.item);
    if (!generation) return shard::unknown_entity(kind, body.signal.item);
    record->envelope.generation = *generation;
    return {};
}

/// Lines whose session or item this node does not know fail.
/// @return  The shards that would know.
std::vector<ShardId> Database::name_targets(Groups* groups, Join& join) {
    std::vector<ShardId> asked;
    for (auto group = groups->begin(); group != groups->end();) {
        WriteGroup& writes = group->second;
        std::size_t kept = 0;
        for (std::size_t i = 0; i < writes.lines.size(); ++i) {
            record::Record& record = writes.proposal.records[i];
            const auto* body = std::get_if<record::SessionSignalBody>(&record.body);
            Result<void> named = body == nullptr ? Result<void>() : name_target(&record);
            if (!named.ok()) {
                asked.push_back(shard_of(record::vshard_of_session(body->session)));
                asked.push_back(shard_of(record::vshard_of(record.envelope.tenant,
                                                           EntityKind::kItem, body->signal.item)));
                join.fail(writes.lines[i], named.take_error());
                continue;
            }
            if (kept != i) {
                writes.proposal.records[kept] = std::move(record);
                writes.lines[kept] = writes.lines[i];
            }
            ++kept;
        }
        writes.proposal.records.resize(kept);
        writes.lines.resize(kept);
        group = kept == 0 ? groups->erase(group) : std::next(group);
    }
    std::ranges::sort(asked);
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    return asked;
}

/// Another node may have opened the session, or made the item, a moment ago.
void Database::catch_up_with(std::vector<ShardId> shards, absl::AnyInvocable<void()> again) {
    cluster_->fences().pass({}, std::move(shards), kOpenCatchUpMs,
                            [again = std::move(again)](Result<FenceReply>) mutable { again(); });
}

}  // namespace tidal::api
