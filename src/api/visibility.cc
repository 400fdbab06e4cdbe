// Reads that wait for a write's effects.
#include <algorithm>
#include <atomic>
#include <memory>

#include "api/database.h"
#include "api/internal/cluster_node.h"
#include "api/resolve.h"
#include "api/token.h"

namespace tidal::api {

void Database::when_visible(std::string_view token, std::uint64_t timeout_ms, Done done) {
    auto decoded = decode_token(token);
    if (!decoded.ok()) return done(decoded.take_error());
    for (const auto& [id, index] : decoded->applied)
        if (id.value() >= shards_.size())
            return done(Error(ErrorCode::kInvalidArgument,
                              "the token names a shard this database does not have")
                            .with_field("token"));
    for (const auto& stream : decoded->streams)
        if (stream.target.value() >= kVShardCount || stream.source.value() >= shards_.size())
            return done(Error(ErrorCode::kInvalidArgument, "the token names no vshard")
                            .with_field("token"));
    wait_for(*decoded, timeout_ms, std::move(done));
}

/// The newest row of each stream that leaves `all.source` and is not acknowledged yet.
std::vector<shard::StreamPosition> Database::rows_under_way(const shard::StreamPosition& all) {
    return shard(all.source).with_state([&](shard::ShardState& state) {
        std::vector<shard::StreamPosition> rows;
        for (const auto& [target, waiting] : state.outbox().streams())
            rows.push_back({all.source, all.source_incarnation, target, waiting.back().sequence});
        return rows;
    });
}

/// What a shard has under way is looked up once all else is there, one source after the other: what
/// the first one sends may be what the next one sends on.
void Database::wait_for(const Token& token, std::uint64_t timeout_ms, Done done) {
    Token first;
    first.applied = token.applied;
    std::deque<shard::StreamPosition> sources;
    for (const shard::StreamPosition& stream : token.streams) {
        if (!stream.is_all())
            first.streams.push_back(stream);
        else if (std::ranges::find(sources, stream.source, &shard::StreamPosition::source) ==
                 sources.end())
            sources.push_back(stream);  // Once each, whatever a token says.
    }
    if (sources.empty()) return wait_for_these(first, timeout_ms, std::move(done));
    const std::uint64_t deadline_ns = runtime_.clock().monotonic_ns() + timeout_ms * 1'000'000;
    wait_for_these(first, timeout_ms,
                   [this, sources = std::move(sources), deadline_ns,
                    done = std::move(done)](Result<void> result) mutable {
                       if (!result.ok()) return done(std::move(result));
                       wait_for_all(std::move(sources), deadline_ns, std::move(done));
                   });
}

void Database::wait_for_all(std::deque<shard::StreamPosition> sources, std::uint64_t deadline_ns,
                            Done done) {
    if (sources.empty()) return done({});
    // A snapshot takes its state's place: what it had under way is not known before it is there.
    if (auto readable = shard(sources.front().source).readable(); !readable.ok())
        return done(std::move(readable));
    Token rows;
    rows.streams = rows_under_way(sources.front());
    sources.pop_front();
    const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
    const std::uint64_t left_ms = (deadline_ns - std::min(deadline_ns, now_ns)) / 1'000'000;
    wait_for_these(rows, left_ms,
                   [this, sources = std::move(sources), deadline_ns,
                    done = std::move(done)](Result<void> result) mutable {
                       if (!result.ok()) return done(std::move(result));
                       wait_for_all(std::move(sources), deadline_ns, std::move(done));
                   });
}

/// @param token  Without positions of all rows.
void Database::wait_for_these(const Token& token, std::uint64_t timeout_ms, Done done) {
    struct Wait {
        std::atomic<std::size_t> left;
        std::atomic<bool> answered{false};
        std::atomic<runtime::Executor::TimerId> timer{0};
        runtime::Executor* executor = nullptr;
        Done done;
        void answer(Result<void> result) {
            if (answered.exchange(true)) return;
            if (const auto pending = timer.load()) executor->cancel(pending);
            done(std::move(result));
        }
    };
    auto wait = std::make_shared<Wait>();
    wait->done = std::move(done);
    wait->executor = executors_.front().get();
    wait->left = token.applied.size() + token.streams.size() + 1;
    const auto arrive = [wait](Result<void> result) {
        if (!result.ok()) return wait->answer(std::move(result));
        if (wait->left.fetch_sub(1) == 1) wait->answer({});
    };
    const auto wait_for_mark = [this, timeout_ms, arrive](const shard::StreamPosition& stream) {
        shard(shard_of(stream.target))
            .when_marked(
                shard::Marks::Stream(stream.source, stream.source_incarnation, stream.target),
                stream.sequence, timeout_ms, arrive);
    };
    for (const auto& [id, index] : token.applied) shard(id).when_applied(index, timeout_ms, arrive);
    for (const auto& stream : token.streams) wait_for_mark(stream);
    arrive({});
    if (wait->answered) return;
    wait->timer = executors_.front()->post_after(timeout_ms * 1'000'000, [wait] {
        wait->answer(Error(ErrorCode::kTimeout, "the writes of this token were not applied in time")
                         .with_field("token")
                         .with_hint("read without it, or retry"));
    });
}

bool Database::ready() const {
    return cluster_ == nullptr || ready_;
}

Cluster* Database::cluster() {
    return cluster_.get();
}

void Database::fence(const ReadFence& fence, const FenceScope& scope, std::uint64_t timeout_ms,
                     FenceDone done, FenceAnswer where) {
    if (cluster_ == nullptr) {
        if (fence.token.empty()) return done(FenceReply{0});
        return when_visible(fence.token, timeout_ms,
                            [done = std::move(done)](Result<void> visible) mutable {
                                if (!visible.ok()) return done(visible.take_error());
                                done(FenceReply{0});
                            });
    }
    std::vector<ShardId> shards;
    if (scope.session) {
        shards = {shard_of(record::vshard_of_session(*scope.session))};
    } else if (scope.entity) {
        const auto shard = shard_of(*scope.entity);
        if (!shard.ok()) return done(Error(shard.error()));
        shards = {*shard};
    } else {
        for (const auto& each : shards_) shards.push_back(each->id());
    }
    cluster_->fences().pass(fence, std::move(shards), timeout_ms, std::move(done), where);
}

Result<ShardId> Database::shard_of(const EntityRequest& request) const {
    TIDAL_ASSIGN(const EntityId id, resolve_id(*schema(), request.kind, request.id, "entity_id"));
    return shard_of(record::vshard_of(kDefaultTenant, request.kind, id));
}

Result<std::optional<Leader>> Database::leader_of(const EntityRequest& request) {
    if (cluster_ == nullptr)
        return std::optional(Leader{cluster::NodeId(identity_.node), "", true});
    TIDAL_ASSIGN(const ShardId shard, shard_of(request));
    return cluster_->leader_of(shard);
}

}  // namespace tidal::api
