#include "api/internal/reconciler.h"

#include <algorithm>

#include "api/internal/cluster_node.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kProposeTimeoutMs = 10'000;
constexpr std::uint64_t kNewestMembersMs = 2'000;

}  // namespace

Reconciler::Reconciler(Database& database, ClusterNode& cluster, runtime::Executor& executor,
                       std::uint64_t interval_ms)
    : database_(database),
      cluster_(cluster),
      executor_(executor),
      interval_ns_(std::max<std::uint64_t>(interval_ms, 1) * 1'000'000),
      busy_(database.shards_.size()) {}

void Reconciler::start() {
    executor_.post([self = shared_from_this()] { self->tick(); });
}

void Reconciler::tick() {
    if (stopped_) return;
    look();
    executor_.post_after(interval_ns_, [self = shared_from_this()] { self->tick(); });
}

void Reconciler::poke() {
    if (stopped_ || posted_.exchange(true)) return;
    executor_.post([self = shared_from_this()] {
        self->posted_ = false;
        self->look();
    });
}

void Reconciler::look() {
    if (stopped_) return;
    for (const auto& shard : database_.shards_) look_at(shard->id());
}

void Reconciler::look_at(ShardId shard) {
    if (!database_.shard(shard).can_propose() || busy_[shard.value()].exchange(true)) return;
    if (configure(shard)) return;
    const auto status = cluster_.node().groups().status(shard);
    if (status.ok() && change_members(shard, status->raft)) return;
    hand_on_if_going(shard);
    if (shard != kMetaShard) database_.drop_lost_collections(shard);
    busy_[shard.value()] = false;
}

void Reconciler::ended(ShardId shard, bool again) {
    busy_[shard.value()] = false;
    if (again) poke();
}

/// True when something is under way.
bool Reconciler::configure(ShardId shard) {
    Result<void> problem;
    auto records = database_.missing_configuration(shard.value(), &problem);
    if (!problem.ok()) cluster_.report("a shard cannot be configured", problem.error());
    if (records.empty()) return false;
    database_.shard(shard).propose(
        std::move(records), shard::WriteConcern::kMajority, kProposeTimeoutMs,
        [self = shared_from_this(), shard](Result<std::vector<shard::Outcome>> outcomes) {
            self->ended(shard, outcomes.ok());
        });
    return true;
}

/// True when something is under way. By the members as they are now, not as this node heard of them
/// last: one that has left by word of the metadata shard must not be let into a group again, nor
/// vote, and one that was let in since must not be put out.
bool Reconciler::change_members(ShardId shard, const raft::Status& status) {
    if (!cluster_.wanted_members(shard, status)) return false;
    with_newest_members([self = shared_from_this(), shard](Result<void> newest) {
        if (newest.ok()) return self->change_members_now(shard);
        // Who goes does not wait for the metadata group: the next leader changes the members.
        self->hand_on_if_going(shard);
        self->ended(shard, false);
    });
    return true;
}

/// Not a read's fence: a node that still catches up with one group may lead another. Answers come
/// on the loop of consensus, and publishing enters the metadata shard: that is done here.
void Reconciler::with_newest_members(Database::Done done) {
    cluster_.node().groups().read_index(
        kMetaShard,
        [self = shared_from_this(), done = std::move(done)](Result<LogIndex> index) mutable {
            if (!index.ok()) return done(index.take_error());
            self->database_.shard(kMetaShard)
                .when_applied(*index, kNewestMembersMs,
                              [self, done = std::move(done)](Result<void> applied) mutable {
                                  if (!applied.ok() || !self->database_.catalog_is_news())
                                      return done(std::move(applied));
                                  self->executor_.post([self, done = std::move(done)]() mutable {
                                      self->database_.publish_if_changed();
                                      done({});
                                  });
                              });
        });
}

void Reconciler::change_members_now(ShardId shard) {
    const auto status = cluster_.node().groups().status(shard);
    if (!status.ok()) return ended(shard, false);
    const auto members = cluster_.wanted_members(shard, status->raft);
    if (!members) return ended(shard, false);
    cluster_.node().groups().change_members(
        shard, *members, [self = shared_from_this(), shard](Result<void> begun) {
            self->ended(shard, false);
            if (!begun.ok() && begun.error().reason() != "change_under_way" &&
                begun.error().reason() != "not_leader" && begun.error().reason() != "no_commit_yet")
                self->cluster_.report("members of a group cannot be changed", begun.error());
        });
}

void Reconciler::hand_on_if_going(ShardId shard) {
    if (!cluster_.draining() && !cluster_.leaving()) return;
    const auto status = cluster_.node().groups().status(shard);
    if (status.ok()) hand_on(shard, status->raft);
}

/// To the voter that has most of the log and is heard of.
void Reconciler::hand_on(ShardId shard, const raft::Status& status) {
    if (status.transferee != raft::kNobody) return;
    const raft::PeerStatus* best = nullptr;
    for (const raft::PeerStatus& peer : status.peers)
        if (peer.active && status.configuration.is_voter(peer.peer) &&
            cluster_.may_lead(cluster::NodeId(static_cast<std::uint32_t>(peer.peer.value()))) &&
            (best == nullptr || peer.match > best->match))
            best = &peer;
    if (best == nullptr) return;
    cluster_.node().groups().transfer(shard, best->peer, [](Result<void>) {});
}

}  // namespace tidal::api
