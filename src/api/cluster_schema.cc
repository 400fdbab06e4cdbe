// The schema of a cluster: first into the metadata shard's log, wherever its leader is, and from
// there, by each shard's leader (reconciler.cc), into every shard's.
#include "api/database.h"
#include "api/forward.h"
#include "api/internal/cluster_node.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kSchemaPollNs = 10'000'000;

std::uint64_t left_ms(runtime::Runtime& runtime, std::uint64_t deadline_ns) {
    const std::uint64_t now = runtime.clock().monotonic_ns();
    return deadline_ns > now ? (deadline_ns - now) / 1'000'000 : 0;
}

}  // namespace

Result<void> Database::check_readable(ShardId id) {
    if (cluster_ == nullptr) return {};
    if (!ready_)
        return Error(ErrorCode::kUnavailable, "this node has yet to learn what the cluster holds")
            .with_reason("catching_up")
            .with_hint("retry, or ask another node");
    return shard(id).readable();
}

Result<void> Database::check_readable() {
    for (auto& each : shards_) TIDAL_TRY(check_readable(each->id()));
    return {};
}

/// The metadata shard's catalogue and schema as of now or later are applied here.
void Database::with_newest_catalog(Done done, std::uint64_t timeout_ms) {
    if (cluster_ == nullptr) return done({});
    cluster_->fences().pass({}, {kMetaShard}, timeout_ms,
                            [done = std::move(done)](Result<FenceReply> passed) mutable {
                                done(passed.ok() ? Result<void>() : passed.take_error());
                            });
}

void Database::put_schema_in_cluster(schema::Schema wanted, std::uint64_t deadline_ns, Done done) {
    with_newest_catalog([this, wanted = std::move(wanted), deadline_ns,
                         done = std::move(done)](Result<void> fenced) mutable {
        if (!fenced.ok()) return done(std::move(fenced));
        const auto newest =
            shards_[0]->with_state([](shard::ShardState& state) { return state.schema(); });
        wanted = schema::with_impression(std::move(wanted), newest.get());
        auto added = schema::check_addition(*newest, wanted);
        if (!added.ok()) return done(added.take_error());
        if (added->version == newest->version)
            return wait_for_schema(newest->version, deadline_ns, std::move(done));
        Proposal proposal;
        proposal.concern = shard::WriteConcern::kMajority;
        proposal.records.emplace_back().body = record::SchemaBody{schema::encode_schema(*added)};
        route(
            std::move(proposal), left_ms(runtime_, deadline_ns),
            [this, wanted = std::move(wanted), deadline_ns,
             done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
                if (!outcomes.ok()) return done(outcomes.take_error());
                if (!outcomes->front().ok()) return done(Error(*outcomes->front().refused));
                if (left_ms(runtime_, deadline_ns) == 0)
                    return done(Error(ErrorCode::kTimeout, "the schema is not on all shards yet"));
                // Another node's addition may have taken the version: then this one goes on top.
                put_schema_in_cluster(std::move(wanted), deadline_ns, std::move(done));
            });
    });
}

/// Until every shard has it, here and thereby in its log.
void Database::wait_for_schema(SchemaVersion version, std::uint64_t deadline_ns, Done done) {
    const auto oldest = oldest_schema();
    if (oldest != nullptr && oldest->version >= version) {
        // The metadata shard may have told the last of its news before the last shard had the
        // schema.
        if (catalog_is_news() || schema()->version < oldest->version) publish_catalog();
        return done({});
    }
    if (left_ms(runtime_, deadline_ns) == 0)
        return done(Error(ErrorCode::kTimeout, "not every shard has the schema yet")
                        .with("version", version.value())
                        .with_hint("it will have: the metadata shard knows it"));
    executors_.front()->post_after(kSchemaPollNs,
                                   [this, version, deadline_ns, done = std::move(done)]() mutable {
                                       wait_for_schema(version, deadline_ns, std::move(done));
                                   });
}

}  // namespace tidal::api
