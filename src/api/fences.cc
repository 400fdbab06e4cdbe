#include "api/internal/fences.h"

#include <algorithm>

#include "api/internal/planted.h"
#include "base/hlc.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kRetryNs = 30'000'000;
constexpr std::uint64_t kQuietProbeNs = 1'000'000'000;
constexpr std::uint64_t kWantedForNs = 10'000'000'000;  ///< So long after such a read.
constexpr std::uint64_t kProbeTimeoutMs = 5'000;

}  // namespace

struct Fences::Run {
    ReadFence fence;
    std::vector<ShardId> shards;
    std::uint64_t begun_ns = 0, deadline_ns = 0;
    std::atomic<std::size_t> left = 1;
    std::atomic<bool> answered = false;
    std::atomic<bool> asked = false;       ///< A group had to confirm.
    std::atomic<bool> overloaded = false;  ///< Why a group refused last.
    std::atomic<runtime::Executor::TimerId> timer = 0;
    Database::FenceDone done;
    FenceAnswer where = FenceAnswer::kMayWait;
};

Fences::Fences(Database& database, runtime::Runtime& runtime, cluster::Node& node,
               std::uint64_t freshness_ms)
    : database_(database),
      runtime_(runtime),
      node_(node),
      freshness_ns_(std::max<std::uint64_t>(freshness_ms, 1) * 1'000'000),
      fresh_ns_(database.shards_.size()),
      probing_(database.shards_.size()) {}

void Fences::start() {
    node_.executor().post([self = shared_from_this()] { self->probe(); });
}

void Fences::note(ShardId shard, std::uint64_t asked_ns) {
    auto& fresh = fresh_ns_[shard.value()];
    std::uint64_t before = fresh.load();
    while (before < asked_ns && !fresh.compare_exchange_weak(before, asked_ns)) {
    }
}

std::optional<std::uint64_t> Fences::staleness_ms(ShardId shard) const {
    const std::uint64_t fresh = fresh_ns_[shard.value()].load();
    if (fresh == 0) return std::nullopt;
    return (now_ns() - std::min(fresh, now_ns()) + 999'999) / 1'000'000;
}

bool Fences::stale(ShardId shard, const Consistency& wanted) const {
    if (wanted.kind == Consistency::Kind::kStrong) return true;
    if (wanted.kind == Consistency::Kind::kEventual) return false;
    const auto staleness = staleness_ms(shard);
    return !staleness || *staleness > wanted.staleness_ms_max;
}

std::uint64_t Fences::left_ms(const Run& run) const {
    const std::uint64_t now = now_ns();
    return run.deadline_ns > now ? (run.deadline_ns - now) / 1'000'000 : 0;
}

void Fences::pass(const ReadFence& fence, std::vector<ShardId> shards, std::uint64_t timeout_ms,
                  Database::FenceDone done, FenceAnswer where) {
    auto run = std::make_shared<Run>();
    run->fence = fence;
    run->shards = std::move(shards);
    run->begun_ns = now_ns();
    run->deadline_ns = run->begun_ns + timeout_ms * 1'000'000;
    run->done = std::move(done);
    run->where = where;
    if (fence.consistency.kind != Consistency::Kind::kStrong) wanted_ns_ = run->begun_ns;
    run->timer =
        node_.executor().post_after(timeout_ms * 1'000'000, [self = shared_from_this(), run] {
            if (run->answered.exchange(true)) return;
            ++self->refused_;
            const bool ready = self->database_.ready_;
            run->asked = true;  // this is the loop
            if (ready && run->overloaded)
                return self->answer(
                    run, Error(ErrorCode::kOverloaded, "too much waits for the groups of this node")
                             .with_hint("retry, or ask another node"));
            self->answer(run, Error(ErrorCode::kUnavailable,
                                    ready ? "nobody confirmed in time how new a read here would be"
                                          : "this node has yet to learn what the cluster holds")
                                  .with_reason(ready ? "no_leader" : "catching_up")
                                  .with_hint(ready ? "retry; reads that are for no user may have "
                                                     "read_consistency=eventual"
                                                   : "retry, or ask another node"));
        });
    begin(run);
}

void Fences::begin(const RunPtr& run) {
    if (run->answered) return;
    if (!database_.ready_) {
        // Not on the loop: a token's positions are looked up inside the shards.
        front().post_after(kRetryNs, [self = shared_from_this(), run] { self->begin(run); });
        return;
    }
    for (const ShardId shard : run->shards) {
        if (!stale(shard, run->fence.consistency)) continue;
        ++run->left;
        run->asked = true;
        confirm(run, shard);
    }
    if (!run->fence.token.empty() && !planted(Bug::kTokenForgotten)) {
        ++run->left;
        database_.when_visible(run->fence.token, std::max<std::uint64_t>(left_ms(*run), 1),
                               [self = shared_from_this(), run](Result<void> visible) {
                                   if (visible.ok()) return self->arrive(run);
                                   if (run->answered.exchange(true)) return;
                                   self->node_.executor().cancel(run->timer);
                                   run->done(visible.take_error());
                               });
    }
    arrive(run);
}

void Fences::confirm(const RunPtr& run, ShardId shard) {
    const std::uint64_t asked_ns = now_ns();
    const auto retry = [self = shared_from_this(), run, shard] {
        if (run->answered || self->stopped_) return;
        self->node_.executor().post_after(kRetryNs,
                                          [self, run, shard] { self->confirm(run, shard); });
    };
    if (run->answered || stopped_) return;
    if (planted(Bug::kReadWithoutIndex)) {
        note(shard, asked_ns);
        return arrive(run);
    }
    node_.groups().read_index(
        shard, [self = shared_from_this(), run, shard, asked_ns, retry](Result<LogIndex> index) {
            if (!index.ok()) {
                run->overloaded = index.error().code() == ErrorCode::kOverloaded;
                return retry();
            }
            self->database_.shard(shard).when_applied(
                *index, std::max<std::uint64_t>(self->left_ms(*run), 1),
                [self, run, shard, asked_ns, retry](Result<void> applied) {
                    if (!applied.ok()) return retry();
                    self->note(shard, asked_ns);
                    self->arrive(run);
                });
        });
}

void Fences::arrive(const RunPtr& run) {
    if (run->left.fetch_sub(1) == 1) finish(run);
}

void Fences::finish(const RunPtr& run) {
    // What was new enough at the beginning may have grown old while another shard was waited for.
    if (run->fence.consistency.kind == Consistency::Kind::kBounded && !run->answered &&
        std::ranges::any_of(run->shards,
                            [&](ShardId shard) { return stale(shard, run->fence.consistency); })) {
        run->left = 1;
        run->fence.token.clear();
        return begin(run);
    }
    if (run->answered.exchange(true)) return;
    node_.executor().cancel(run->timer);
    ++(run->asked ? confirmed_ : at_once_);
    if (!database_.catalog_is_news()) return answer(run, reply_of(*run));
    // Names that were put before the read are known to it. Publishing them enters the shards.
    front().post([self = shared_from_this(), run] {
        self->database_.publish_if_changed();
        run->done(self->reply_of(*run));
    });
}

/// Who asked a group may be called on the loop.
void Fences::answer(const RunPtr& run, Result<FenceReply> reply) {
    if (run->where == FenceAnswer::kOnLoop || !run->asked) return run->done(std::move(reply));
    front().post([run, reply = std::move(reply)]() mutable { run->done(std::move(reply)); });
}

FenceReply Fences::reply_of(const Run& run) const {
    FenceReply reply{0};
    if (run.fence.consistency.kind == Consistency::Kind::kStrong) return reply;
    for (const ShardId shard : run.shards) {
        const auto staleness = staleness_ms(shard);
        if (!staleness || !reply.staleness_ms) {
            reply.staleness_ms.reset();
        } else {
            reply.staleness_ms = std::max(*reply.staleness_ms, *staleness);
        }
    }
    return reply;
}

/// Keeps all shards' freshness known, without a read that waits for it.
void Fences::probe() {
    if (stopped_) return;
    const bool wanted = wanted_ns_ != 0 && now_ns() - wanted_ns_ < kWantedForNs;
    for (std::size_t at = 0; at < fresh_ns_.size(); ++at) {
        if (probing_[at].exchange(true)) continue;
        const ShardId shard(static_cast<std::uint16_t>(at));
        const std::uint64_t asked_ns = now_ns();
        node_.groups().read_index(shard, [self = shared_from_this(), shard,
                                          asked_ns](Result<LogIndex> index) {
            const auto ended = [self, shard, asked_ns](bool good) {
                if (good) self->note(shard, asked_ns);
                self->probing_[shard.value()] = false;
            };
            if (!index.ok()) return ended(false);
            self->database_.shard(shard).when_applied(
                *index, kProbeTimeoutMs, [ended](Result<void> applied) { ended(applied.ok()); });
        });
    }
    node_.executor().post_after(wanted ? freshness_ns_ : kQuietProbeNs,
                                [self = shared_from_this()] { self->probe(); });
}

}  // namespace tidal::api
