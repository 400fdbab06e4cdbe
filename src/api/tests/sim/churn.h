// Members that come and go while everything else happens: new nodes join with tokens, nodes up or
// down are removed or leave, others take their places. What was asked for is checked against what
// became of it, and who is out against what it still does.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/tests/sim_cluster.h"
#include "runtime/seeded_random.h"

namespace tidal::api {

struct ChurnCounts {
    std::uint64_t joins = 0, joined = 0, joins_failed = 0;
    std::uint64_t removals = 0, leaves = 0, removed = 0, removed_dead = 0;
    std::uint64_t removals_failed = 0;  ///< With a word why, or without an answer.
    std::uint64_t interrupted = 0;      ///< Faults in the middle of a joint configuration.
    std::uint64_t zombies = 0;          ///< Up at the end, and refused by all members.
};

/// Threads: the world's one. Lifetime: within the cluster's.
class Churn {
public:
    Churn(SimCluster& cluster, runtime::SeededRandom& random);
    ~Churn();
    Churn(const Churn&) = delete;
    Churn& operator=(const Churn&) = delete;

    /// One more change: a node joins or goes, whichever there is room for.
    void act();
    /// Looks what became of the changes under way. After every bit of time.
    void go_on();
    /// Who is out leads, votes and counts no more.
    void watch();
    /// Waits for what is under way, with every member up and every link whole; then all groups of
    /// all members have to be those that were asked for, and who is out has to be refused.
    void settle();

    /// A change is under way.
    bool busy() const;
    /// The machine of a leader whose group is in a joint configuration; 0 = none.
    std::uint32_t joint_leader();
    /// A machine whose node is not let in yet: no node.
    bool is_joining(std::uint32_t number) const;
    /// What went wrong; empty = nothing.
    const std::string& failure() const { return failure_; }
    ChurnCounts counts;

private:
    enum class State { kJoining, kIn, kGoing, kUnsure, kOut };
    struct Machine {
        State state = State::kIn;
        std::shared_ptr<SimCluster::Joining> joining;
        std::uint32_t asked = 0;         ///< Machine...
        Database* asked_life = nullptr;  ///< ...whose answer is awaited, unless it dies.
        std::uint64_t deadline_ns = 0;
        std::uint64_t attempt = 0;          ///< Answers of earlier ones come too late.
        std::map<ShardId, Term> out_since;  ///< The newest term that anybody knew then.
    };

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }
    std::size_t count(State state) const;
    std::vector<std::uint32_t> running();
    void join();
    void take_away();
    void remove(std::uint32_t number, std::uint32_t by);
    void answered(std::uint32_t number, std::uint64_t attempt, const Result<void>& result);
    bool awaits(const Machine& machine);
    void end_join(std::uint32_t number);
    void out(std::uint32_t number);
    std::map<ShardId, Term> newest_terms();
    void watch_leader(const ShardStatus& shard, std::uint32_t number);
    void watch_who_is_out(const ShardStatus& shard, const Machine& machine, std::uint32_t number);
    std::set<cluster::NodeId> wanted(const ClusterStatus& status);
    std::string disagreement();
    void remove_strangers();
    void check_refused();

    SimCluster& cluster_;
    runtime::SeededRandom& random_;
    std::map<std::uint32_t, Machine> machines_;
    std::uint32_t last_number_ = 0;
    std::string failure_;
};

}  // namespace tidal::api
