// Deleting users: their own shard forgets them first, then every other what they did with its
// items.
#include <atomic>
#include <mutex>

#include "api/database.h"
#include "api/forward.h"
#include "api/resolve.h"
#include "api/token.h"

namespace tidal::api {
namespace {

bool is_gone(const Result<WriteReply>& reply) {
    return reply.ok() || reply.error().code() == ErrorCode::kNotFound;
}

const EntityDelete* user_delete(const Write& write) {
    const auto* gone = std::get_if<EntityDelete>(&write);
    return gone != nullptr && gone->kind == EntityKind::kUser ? gone : nullptr;
}

}  // namespace

/// Of one call: what the first shards answered, until all others have.
struct Database::Erasure {
    std::mutex mutex;  ///< Guards `replies` while shards answer.
    WriteReplies replies;
    std::vector<std::size_t> lines;  ///< Of the users.
    std::atomic<std::size_t> left = 1;
    WritesDone done;

    void arrive() {
        if (left.fetch_sub(1) == 1) done(std::move(replies));
    }
    /// A client that hears of it deletes again: twice is as once.
    void fail(const Error& error) {
        const std::lock_guard lock(mutex);
        for (const std::size_t line : lines)
            if (is_gone(replies[line])) replies[line] = Error(error);
    }
};

Database::WritesDone Database::then_erase_users(const std::vector<Write>& writes,
                                                const CallContext& context, WritesDone done) {
    std::vector<std::pair<std::size_t, IdInput>> users;
    for (std::size_t line = 0; line < writes.size(); ++line)
        if (const auto* gone = user_delete(writes[line])) users.emplace_back(line, gone->id);
    if (users.empty() || shards_.size() <= 2) return done;
    return [this, users = std::move(users), context,
            done = std::move(done)](WriteReplies replies) mutable {
        Token sent = sent_before(users, context, replies);
        auto erase = [this, users = std::move(users), context, replies = std::move(replies),
                      done = std::move(done)](Result<void> arrived) mutable {
            if (!arrived.ok())
                for (const auto& [line, id] : users)
                    if (is_gone(replies[line])) replies[line] = Error(arrived.error());
            erase_users(users, context, std::move(replies), std::move(done));
        };
        wait_for(sent, context.timeout_ms, std::move(erase));
    };
}

/// What the users' sessions had sent to the shards of items when their own shard forgot them: there
/// it has to come before the deletion.
Token Database::sent_before(const std::vector<std::pair<std::size_t, IdInput>>& users,
                            const CallContext& context, const WriteReplies& replies) {
    Token out;
    for (const auto& [line, id] : users) {
        if (!is_gone(replies[line])) continue;
        if (replies[line].ok())
            if (const auto token = decode_token(replies[line]->token); token.ok())
                out.applied.insert(out.applied.end(), token->applied.begin(), token->applied.end());
        const auto user = resolve_id(*schema(), EntityKind::kUser, id, "entity_id");
        if (user.ok())
            out.streams.push_back(shard::StreamPosition::all_of(
                shard_of(record::vshard_of(context.tenant, EntityKind::kUser, *user)),
                Incarnation(1)));
    }
    return out;
}

void Database::erase_users(const std::vector<std::pair<std::size_t, IdInput>>& users,
                           const CallContext& context, WriteReplies replies, WritesDone done) {
    const auto schema = this->schema();
    auto erasure = std::make_shared<Erasure>();
    std::map<ShardId, std::vector<record::Record>> records;
    for (const auto& [line, id] : users) {
        const auto user = resolve_id(*schema, EntityKind::kUser, id, "entity_id");
        if (!user.ok() || !is_gone(replies[line])) continue;
        erasure->lines.push_back(line);
        const ShardId home = shard_of(record::vshard_of(context.tenant, EntityKind::kUser, *user));
        for (std::size_t at = 1; at < shards_.size(); ++at) {
            const ShardId shard(static_cast<std::uint16_t>(at));
            if (shard == home) continue;
            record::Record& record = records[shard].emplace_back();
            record.envelope.tenant = context.tenant;
            record.envelope.principal = context.principal;
            record.envelope.schema_version = schema->version;
            record.body = record::DeleteBody{EntityKind::kUser, *user, std::nullopt};
        }
    }
    erasure->replies = std::move(replies);
    erasure->done = std::move(done);
    erasure->left += records.size();
    for (auto& [shard, of_shard] : records) {
        Proposal proposal;
        proposal.shard = shard;
        proposal.concern = concern_of(context);
        proposal.records = std::move(of_shard);
        route(std::move(proposal), context.timeout_ms,
              [erasure](Result<std::vector<shard::Outcome>> outcomes) {
                  if (!outcomes.ok()) {
                      erasure->fail(outcomes.error());
                  } else {
                      for (const shard::Outcome& outcome : *outcomes)
                          if (outcome.refused) erasure->fail(*outcome.refused);
                  }
                  erasure->arrive();
              });
    }
    erasure->arrive();
}

}  // namespace tidal::api
