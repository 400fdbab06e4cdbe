// Deleting users: one record in their own shard, which tells the others by relay. Whatever becomes
// of the process that took the call, they hear of it.
#include <algorithm>

#include "api/database.h"
#include "api/token.h"

namespace tidal::api {
namespace {

bool deletes_user(const Write& write) {
    const auto* gone = std::get_if<EntityDelete>(&write);
    return gone != nullptr && gone->kind == EntityKind::kUser;
}

}  // namespace

std::vector<VShard> Database::others_than(ShardId home) const {
    std::vector<VShard> out;
    for (std::size_t at = 1; at < shards_.size(); ++at)
        if (at != home.value()) out.emplace_back(first_vshard(at));
    return out;
}

/// Where a shard does not answer in time the call is answered all the same: the erasure is logged,
/// and a read with the reply's token waits for it.
Database::WritesDone Database::after_erasures(const std::vector<Write>& writes,
                                              const CallContext& context, WritesDone done) {
    std::vector<std::size_t> lines;
    for (std::size_t line = 0; line < writes.size(); ++line)
        if (deletes_user(writes[line])) lines.push_back(line);
    if (lines.empty()) return done;
    const std::uint64_t deadline_ns =
        runtime_.clock().monotonic_ns() + context.timeout_ms * 1'000'000;
    return [this, lines = std::move(lines), deadline_ns,
            done = std::move(done)](WriteReplies replies) mutable {
        Token all;
        for (const std::size_t line : lines) {
            if (!replies[line].ok()) continue;
            const auto token = decode_token(replies[line]->token);
            if (!token.ok()) continue;
            std::ranges::copy(token->applied, std::back_inserter(all.applied));
            std::ranges::copy(token->streams, std::back_inserter(all.streams));
        }
        const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
        wait_for(all, (std::max(deadline_ns, now_ns) - now_ns) / 1'000'000,
                 [replies = std::move(replies), done = std::move(done)](Result<void>) mutable {
                     done(std::move(replies));
                 });
    };
}

}  // namespace tidal::api
