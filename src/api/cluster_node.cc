// Wiring: how a member of a cluster opens, starts and stops.
#include "api/internal/cluster_node.h"

#include <algorithm>
#include <cassert>

#include "record/record.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kTickNs = LagClock::kSampleNs;

}  // namespace

ClusterNode::ClusterNode(Database& database)
    : database_(database),
      runtime_(database.runtime_),
      options_(*database.options_.cluster),
      self_(database.identity_.node),
      seen_(database.shards_.size()),
      members_(std::make_shared<const std::vector<cluster::Member>>()) {}

ClusterNode::~ClusterNode() {
    stop();
}

Result<void> ClusterNode::open_replicas() {
    TIDAL_ASSIGN(files_, read_cluster_files(runtime_.disk()));
    TIDAL_ASSIGN(joined_peers_, read_joined_peers(runtime_.disk()));
    for (const auto& shard : database_.shards_) {
        cluster::ShardReplica::Options options;
        options.store_directory = Database::shard_directory(shard->id());
        options.keep_log_bytes_max = database_.options_.log_bytes_max / 4;
        // Node 1 begins the cluster alone; all others are let in by it or its followers.
        if (self_ == cluster::NodeId(1)) options.initial.voters = {raft::PeerId(1)};
        replicas_.push_back(std::make_unique<cluster::ShardReplica>(
            *shard, std::move(options), runtime_, *database_.background_, *database_.rows_));
        TIDAL_ASSIGN(auto base, replicas_.back()->base());
        recovery_.add_group(replicas_.back()->key(), std::move(base));
    }
    return {};
}

std::shared_ptr<runtime::TlsOptions> ClusterNode::tls() const {
    if (options_.without_tls) return nullptr;
    auto tls = std::make_shared<runtime::TlsOptions>();
    tls->authority = files_.authority;
    tls->certificate = files_.certificate;
    tls->key = files_.key;
    tls->accept_anonymous = true;  // who asks to join has no certificate yet
    return tls;
}

Result<void> ClusterNode::open_groups() {
    TIDAL_ASSIGN(auto found, recovery_.finish());
    const Identity& identity = database_.identity_;
    cluster::Node::Options options;
    options.peers.self = {identity.cluster_id, self_, identity.instance_id, identity.region};
    options.peers.endpoint = {
        .address = options_.peer_listen, .advertised = options_.peer_advertise, .tls = tls()};
    options.peers.http_address = options_.http_address;
    options.timing = options_.timing;
    options.log.region = identity.region;
    options.log.stamp_of = record::stamp_of;
    options.logger = options_.logger;
    node_ = std::make_unique<cluster::Node>(runtime_, *database_.log_, std::move(options),
                                            found.states_index);
    for (const auto& replica : replicas_) {
        const raft::GroupKey key = replica->key();
        TIDAL_TRY(node_->groups().open_group({.key = key, .core = {}},
                                             std::move(found.groups.at(key)), found.stamps[key],
                                             *replica));
        TIDAL_TRY(replica->start(node_->groups(), *database_.log_));
    }
    router_ = std::make_shared<Router>(database_, runtime_, *node_, self_);
    router_->serve();
    fences_ = std::make_shared<Fences>(database_, runtime_, *node_, options_.freshness_ms);
    reconciler_ = std::make_shared<Reconciler>(database_, *this, *database_.executors_.front(),
                                               options_.reconcile_ms);
    serve_calls();
    return {};
}

Result<void> ClusterNode::start() {
    for (const cluster::JoinPeer& peer : joined_peers_)
        node_->peers().set_peer(peer.node, peer.address);
    database_.publish_catalog();  // of the newest checkpoint, where there is one
    TIDAL_TRY(node_->start());
    fences_->start();
    reconciler_->start();
    database_.executors_.front()->post([this] { tick(); });
    return {};
}

void ClusterNode::stop() {
    if (stopped_.exchange(true)) return;
    if (router_ != nullptr) router_->stop();
    if (fences_ != nullptr) fences_->stop();
    if (reconciler_ != nullptr) reconciler_->stop();
    if (node_ != nullptr) node_->stop();
}

void ClusterNode::report(std::string_view what, const Error& error) const {
    options_.logger.warning(what, {{"why", error.to_string()}});
}

std::string ClusterNode::peer_address() const {
    return node_->peers().address();
}

/// A little work at a steady pace: how far the groups led here are, and this node's own entry.
void ClusterNode::tick() {
    if (stopped_) return;
    const std::uint64_t now = runtime_.clock().monotonic_ns();
    for (const auto& shard : database_.shards_) {
        const auto status = node_->groups().status(shard->id());
        if (status.ok() && status->raft.role == raft::Role::kLeader)
            lag_clock_.sample(shard->id(), status->raft.last, now);
    }
    announce();
    settle_leaving();
    database_.executors_.front()->post_after(kTickNs, [this] { tick(); });
}

void ClusterNode::on_applied(ShardId shard) {
    const std::size_t at = shard.value();
    shard::Shard& of = database_.shard(shard);
    const auto declared = of.declared();
    const SchemaVersion version = declared.configured ? declared.version() : SchemaVersion(0);
    const bool leads = of.can_propose();
    Seen& seen = seen_[at];
    bool news = seen.leads.exchange(leads) != leads && leads;
    if (seen.schema.exchange(version.value()) != version.value()) {
        database_.publish_catalog();
        news = true;
    } else if (shard == kMetaShard && database_.publish_if_changed()) {
        news = true;
    }
    if (news) reconciler_->poke();
}

std::optional<Leader> ClusterNode::leader_of(ShardId shard) {
    const cluster::NodeId node = router_->leader_of(shard);
    if (node == cluster::kNoNode) return std::nullopt;
    return Leader{node, http_of(node), node == self_};
}

}  // namespace tidal::api
