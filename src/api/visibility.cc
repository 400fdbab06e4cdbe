// Reads that wait for a write's effects.
#include <atomic>
#include <memory>

#include "api/database.h"
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
        if (stream.target.value() >= kVShardCount)
            return done(Error(ErrorCode::kInvalidArgument, "the token names no vshard")
                            .with_field("token"));
    wait_for(*decoded, timeout_ms, std::move(done));
}

void Database::wait_for(const Token& token, std::uint64_t timeout_ms, Done done) {
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
    for (const auto& [id, index] : token.applied) shard(id).when_applied(index, timeout_ms, arrive);
    for (const auto& stream : token.streams)
        shard(shard_of(stream.target))
            .when_marked(
                shard::Marks::Stream(stream.source, stream.source_incarnation, stream.target),
                stream.sequence, timeout_ms, arrive);
    arrive({});
    if (wait->answered) return;
    wait->timer = executors_.front()->post_after(timeout_ms * 1'000'000, [wait] {
        wait->answer(Error(ErrorCode::kTimeout, "the writes of this token were not applied in time")
                         .with_field("token")
                         .with_hint("read without it, or retry"));
    });
}

}  // namespace tidal::api
