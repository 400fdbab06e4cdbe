// api/internal/cluster_node.h: what a member of a cluster is beside its shards: its groups, its
// peers, and who does what of the cluster's business.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "api/cluster.h"
#include "api/cluster_directory.h"
#include "api/database.h"
#include "api/internal/fences.h"
#include "api/internal/lag_clock.h"
#include "api/internal/reconciler.h"
#include "api/internal/router.h"
#include "cluster/member_texts.h"
#include "cluster/node.h"
#include "cluster/shard_replica.h"

namespace tidal::api {

/// Of a put to the catalogue: another one came first.
bool was_overtaken(const Error& put);

/// Threads: as Cluster. Lifetime: within its Database's.
class ClusterNode final : public Cluster {
public:
    explicit ClusterNode(Database& database);
    ~ClusterNode() override;

    /// Before the log is opened: one replica per shard.
    Result<void> open_replicas();
    Result<void> visit(const wal::BatchHeader& header, std::string_view payload) {
        return recovery_.visit(header, payload);
    }
    /// After the log was opened, and before the shards take proposals.
    Result<void> open_groups();
    /// Peers, elections and reconciling begin.
    Result<void> start();
    /// Gives leaderships to others, where there are others, so that they need no election; then
    /// calls back. New writes are refused from here on.
    void hand_on_before_stop(absl::AnyInvocable<void()> done);
    /// Nothing arrives and nobody is called afterwards.
    void stop();

    Router& router() { return *router_; }
    Fences& fences() { return *fences_; }
    cluster::NodeId self() const { return self_; }
    cluster::Node& node() { return *node_; }
    cluster::ShardReplica& replica(ShardId shard) { return *replicas_[shard.value()]; }
    /// What this node knows from its replica of the metadata shard.
    std::shared_ptr<const std::vector<cluster::Member>> members() const;
    /// Where peers reach this node.
    std::string peer_address() const;
    bool draining() const { return draining_; }

    /// On the shard's executor, after something was applied.
    void on_applied(ShardId shard);
    /// The metadata shard's catalogue changed, or is new here.
    void take_members(const std::vector<shard::CatalogEntry>& entries);

    // For the reconciler.
    std::optional<raft::Members> wanted_members(ShardId shard, const raft::Status& status) const;
    bool may_lead(cluster::NodeId node) const;
    /// Others lead from then on: this node's replicas fall behind as groups go on without it, and
    /// who leads the metadata group has to know where those are.
    bool leaving() const;
    void report(std::string_view what, const Error& error) const;

    void fill(ClusterStatus* status);

    void create_join_token(std::uint64_t ttl_ms,
                           absl::AnyInvocable<void(Result<NewJoinToken>)> done) override;
    void answer_join(std::string request,
                     absl::AnyInvocable<void(std::string answer)> done) override;
    void remove_node(cluster::NodeId node, Done done) override;
    void leave(Done done) override;
    void transfer(ShardId shard, cluster::NodeId to, Done done) override;
    void drain(Done done) override;
    void undrain() override;
    std::optional<Leader> leader_of(ShardId shard) override;

private:
    struct Admission;
    struct HandOver;

    std::shared_ptr<runtime::TlsOptions> tls() const;
    void serve_calls();
    void serve_transfers();
    /// By the leader. Then `done` as Cluster::transfer().
    void begin_to_hand_over(ShardId shard, cluster::NodeId to, std::uint64_t deadline_ns,
                            Done done);
    void hand_over(const std::shared_ptr<HandOver>& run);
    void hand_over_later(const std::shared_ptr<HandOver>& run);
    void hand_over_elsewhere(const std::shared_ptr<HandOver>& run);
    void tick();
    void announce();
    void settle_leaving();
    void confirm_left(cluster::NodeId node);
    void forget_peer(cluster::NodeId node);
    void try_to_remove(cluster::NodeId node, std::uint64_t deadline_ns, Done done);
    void remove_here(cluster::NodeId node, std::uint64_t deadline_ns, Done done);
    void begin_to_leave(cluster::NodeId node, std::uint64_t deadline_ns, Done done);
    void wait_until_left(cluster::NodeId node, std::uint64_t deadline_ns, Done done);
    /// With the version of the member's entry, where asked.
    std::optional<cluster::Member> find_member(cluster::NodeId node,
                                               std::uint32_t* version = nullptr) const;
    bool may_be_in(ShardId shard, cluster::NodeId node) const;
    bool in_any_group(cluster::NodeId node) const;
    bool in_data_group(cluster::NodeId node) const;
    /// As the version behind `after`, 0 where there is none: a conflict where there is one by now.
    void put_member(const cluster::Member& member, std::uint32_t after, Done done);

    void retire_expired_tokens();
    void answer_join_here(std::string request, absl::AnyInvocable<void(std::string)> done);
    Result<void> check_token(Admission* admission);
    void admit(std::shared_ptr<Admission> admission);
    void use_token(std::shared_ptr<Admission> admission);
    void look_who_used(std::shared_ptr<Admission> admission);
    void give_up(cluster::Member member);
    void accept(Admission& admission);

    void fill_shard(const std::vector<cluster::PeerStats>& peers, ShardStatus* shard);
    void fill_nodes(const std::vector<cluster::PeerStats>& peers,
                    const std::map<cluster::NodeId, std::uint64_t>& leads, ClusterStatus* status);
    static NodeStatus describe(const cluster::Member& member);
    std::string http_of(cluster::NodeId node) const;
    void wait_until(std::function<bool()> holds, std::uint64_t deadline_ns, Error late, Done done);
    std::uint64_t deadline_in(std::uint64_t ms) const;
    Result<void> check_removable(cluster::NodeId node);
    bool leads_any();
    bool could_hand_on();

    struct Seen {
        std::atomic<std::uint32_t> schema = 0;
        std::atomic<bool> leads = false;
    };

    Database& database_;
    runtime::Runtime& runtime_;
    const ClusterOptions& options_;
    const cluster::NodeId self_;
    ClusterFiles files_;
    std::vector<cluster::JoinPeer> joined_peers_;
    std::vector<std::unique_ptr<cluster::ShardReplica>> replicas_;
    cluster::GroupRecovery recovery_;
    std::unique_ptr<cluster::Node> node_;
    std::shared_ptr<Router> router_;
    std::shared_ptr<Fences> fences_;
    std::shared_ptr<Reconciler> reconciler_;
    LagClock lag_clock_;
    std::vector<Seen> seen_;  ///< By shard.
    std::atomic<bool> draining_ = false, stopped_ = false, announcing_ = false, settling_ = false;

    mutable std::mutex mutex_;  // Guards what follows.
    std::shared_ptr<const std::vector<cluster::Member>> members_;
    std::map<cluster::NodeId, std::uint32_t> member_versions_;
    std::set<cluster::NodeId> leaving_peers_;
};

}  // namespace tidal::api
