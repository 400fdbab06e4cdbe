#include "api/tests/sim/churn.h"

#include <algorithm>

namespace tidal::api {
namespace {

constexpr std::size_t kMembersMin = 3;
constexpr std::size_t kMembersMax = 5;
constexpr std::uint64_t kJoinNs = 20 * kSecondNs;
constexpr std::uint64_t kRemoveNs = 70 * kSecondNs;  // above what a removal waits

std::string name_of(std::uint32_t number, cluster::NodeId id) {
    return "machine " + std::to_string(number) + ", node " + std::to_string(id.value()) + ",";
}

}  // namespace

Churn::Churn(SimCluster& cluster, runtime::SeededRandom& random)
    : cluster_(cluster), random_(random) {
    for (const auto& [number, member] : cluster_.nodes()) {
        machines_[number] = {};
        last_number_ = number;
    }
}

Churn::~Churn() {
    for (const auto& [number, machine] : machines_)
        if (machine.state == State::kJoining) cluster_.discard(machine.joining);
}

std::size_t Churn::count(State state) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        machines_, [&](const auto& each) { return each.second.state == state; }));
}

bool Churn::busy() const {
    return count(State::kJoining) + count(State::kGoing) + count(State::kUnsure) > 0;
}

bool Churn::is_joining(std::uint32_t number) const {
    return machines_.at(number).state == State::kJoining;
}

/// Of those that are in for all they know.
std::vector<std::uint32_t> Churn::running() {
    std::vector<std::uint32_t> numbers;
    for (const auto& [number, machine] : machines_)
        if (machine.state == State::kIn && cluster_.node(number).alive()) numbers.push_back(number);
    return numbers;
}

// --- changes ----------------------------------------------------------------------------------

void Churn::act() {
    const std::size_t members = count(State::kIn) + count(State::kJoining);
    const bool more = members < kMembersMin || (members < kMembersMax && below(2) == 0);
    if (more && count(State::kJoining) < 2) return join();
    if (count(State::kIn) >= kMembersMin || count(State::kUnsure) > 0) take_away();
}

void Churn::join() {
    const auto members = running();
    if (members.empty()) return;
    const std::uint32_t number = ++last_number_;
    const std::uint32_t by = members[below(members.size())];
    Machine& machine = machines_[number];
    machine.state = State::kJoining;
    machine.deadline_ns = cluster_.world().now_ns() + kJoinNs;
    machine.joining = cluster_.begin_join(number, by);
    machine.asked = by;
    machine.asked_life = cluster_.node(by).database.get();
    machine.joining->timeout_ms = 2'000 + below(10'000);
    for (const std::uint32_t other : members)
        machine.joining->seeds.push_back(SimCluster::address(other));
    if (below(6) == 0) cluster_.node(number).disk->set_crash_after(1 + below(60));
    ++counts.joins;
}

/// One at a time, as an operator who reads what the manual says of majorities; again, where nobody
/// knows what became of it.
void Churn::take_away() {
    if (count(State::kGoing) > 0) return;
    const auto members = running();
    if (members.empty()) return;
    std::vector<std::uint32_t> candidates;
    const bool again = count(State::kUnsure) > 0;
    for (const auto& [number, machine] : machines_)
        if (machine.state == (again ? State::kUnsure : State::kIn)) candidates.push_back(number);
    const std::uint32_t number = candidates[below(candidates.size())];
    if (below(4) == 0 && cluster_.node(number).alive())
        cluster_.kill(number, {.seed = below(1000)});
    const std::uint32_t by = members[below(members.size())];
    if (cluster_.node(by).alive()) remove(number, by);
}

void Churn::remove(std::uint32_t number, std::uint32_t by) {
    Machine& machine = machines_.at(number);
    machine.state = State::kGoing;
    machine.asked = by;
    machine.asked_life = cluster_.node(by).database.get();
    machine.deadline_ns = cluster_.world().now_ns() + kRemoveNs;
    const std::uint64_t attempt = ++machine.attempt;
    const auto done = [this, number, attempt](const Result<void>& result) {
        answered(number, attempt, result);
    };
    if (number == by && below(2) == 0) {
        ++counts.leaves;
        return cluster_.node(by)->cluster()->leave(done);
    }
    ++counts.removals;
    cluster_.node(by)->cluster()->remove_node(cluster_.node(number).id, done);
}

void Churn::answered(std::uint32_t number, std::uint64_t attempt, const Result<void>& result) {
    Machine& machine = machines_.at(number);
    if (machine.attempt != attempt || machine.state != State::kGoing) return;
    if (result.ok()) return out(number);
    ++counts.removals_failed;
    const ErrorCode code = result.error().code();
    // It says that it failed; the others, that it may go on.
    const bool refused = code == ErrorCode::kConflict && attempt == 1;
    machine.state = refused ? State::kIn : State::kUnsure;
    if (code != ErrorCode::kConflict && code != ErrorCode::kTimeout &&
        code != ErrorCode::kUnavailable)
        fail("a removal failed: " + result.error().to_string());
    SimCluster::Member& member = cluster_.node(number);
    if (member.alive()) member->cluster()->undrain();
}

void Churn::out(std::uint32_t number) {
    SimCluster::Member& member = cluster_.node(number);
    Machine& machine = machines_.at(number);
    machine.state = State::kOut;
    machine.out_since = newest_terms();
    member.retired = true;
    ++counts.removed;
    if (!member.alive()) ++counts.removed_dead;
}

bool Churn::awaits(const Machine& machine) {
    const SimCluster::Member& asked = cluster_.node(machine.asked);
    return asked.alive() && asked.database.get() == machine.asked_life &&
           cluster_.world().now_ns() < machine.deadline_ns;
}

void Churn::go_on() {
    std::vector<std::uint32_t> joining;
    for (auto& [number, machine] : machines_) {
        if (machine.state == State::kJoining) joining.push_back(number);
        if (machine.state != State::kGoing || awaits(machine)) continue;
        machine.state = State::kUnsure;
        ++counts.removals_failed;
    }
    for (const std::uint32_t number : joining) {
        const Machine& machine = machines_.at(number);
        const bool dead = cluster_.node(number).runtime->crashed();
        const bool late = !machine.joining->token && !awaits(machine);
        if (machine.joining->joined) cluster_.node(number).disk->set_crash_after(0);
        if (dead || late || cluster_.go_on(machine.joining)) end_join(number);
    }
}

void Churn::end_join(std::uint32_t number) {
    SimCluster::Member& member = cluster_.node(number);
    Machine& machine = machines_.at(number);
    const auto joining = std::move(machine.joining);
    if (member.id != cluster::kNoNode) {
        machine.state = State::kIn;
        ++counts.joined;
        return;
    }
    // An operator takes another machine.
    ++counts.joins_failed;
    machines_.erase(number);
    cluster_.discard(joining);
}

// --- what has to hold all the time
// ----------------------------------------------------------------

std::map<ShardId, Term> Churn::newest_terms() {
    std::map<ShardId, Term> terms;
    for (auto& [number, member] : cluster_.nodes()) {
        if (!member.alive()) continue;
        for (const ShardStatus& shard : member->cluster_status().shards)
            terms[shard.shard] = std::max(terms[shard.shard], shard.term);
    }
    return terms;
}

void Churn::watch() {
    if (count(State::kOut) == 0) return;
    for (auto& [number, member] : cluster_.nodes()) {
        if (!member.alive()) continue;
        const Machine& machine = machines_.at(number);
        for (const ShardStatus& shard : member->cluster_status().shards) {
            if (machine.state == State::kOut) watch_who_is_out(shard, machine, number);
            if (shard.role == "leader") watch_leader(shard, number);
        }
    }
}

void Churn::watch_who_is_out(const ShardStatus& shard, const Machine& machine,
                             std::uint32_t number) {
    const auto known = machine.out_since.find(shard.shard);
    if (known == machine.out_since.end()) return;
    const Term since = known->second;
    const bool leads = shard.role == "leader" && shard.term >= since;
    const bool votes = shard.role == "candidate" && shard.term > since;
    if (leads || votes)
        fail(name_of(number, cluster_.node(number).id) + " is out and " + shard.role +
             " of shard " + std::to_string(shard.shard.value()) + " in term " +
             std::to_string(shard.term.value()));
}

/// A leader of that term or a newer one has in its log that the node is out.
void Churn::watch_leader(const ShardStatus& shard, std::uint32_t number) {
    for (const auto& [other, machine] : machines_) {
        const auto since = machine.out_since.find(shard.shard);
        if (since == machine.out_since.end() || shard.term < since->second) continue;
        const cluster::NodeId gone = cluster_.node(other).id;
        if (std::ranges::count(shard.voters, gone) + std::ranges::count(shard.learners, gone) > 0)
            fail(name_of(other, gone) + " was answered to be out and is in shard " +
                 std::to_string(shard.shard.value()) + " of machine " + std::to_string(number));
    }
}

std::uint32_t Churn::joint_leader() {
    for (auto& [number, member] : cluster_.nodes()) {
        if (!member.alive()) continue;
        for (const ShardStatus& shard : member->cluster_status().shards)
            if (shard.role == "leader" && shard.joint) return number;
    }
    return 0;
}

// --- the end ----------------------------------------------------------------------------------

void Churn::settle() {
    const bool ended = cluster_.until([&] {
        go_on();
        return count(State::kJoining) + count(State::kGoing) == 0;
    });
    if (!ended) return fail("a change of members has no end");
    remove_strangers();
    std::string why;
    std::uint64_t looks = 0;
    const auto agreed = [&] {
        if (looks++ % 64 != 0) return false;
        why = disagreement();
        return why.empty();
    };
    if (!cluster_.until(agreed))
        return fail("no agreement: " + why + "\n" +
                    cluster_.problems(cluster_.nodes().begin()->second));
    for (auto& [number, machine] : machines_) {
        if (machine.state != State::kUnsure) continue;
        const auto states = cluster_.node(running()[0])->cluster_status().nodes;
        const auto entry = std::ranges::find(states, cluster_.node(number).id, &NodeStatus::node);
        if (entry->state == "left") {
            out(number);
        } else {
            machine.state = State::kIn;
        }
    }
    cluster_.world().advance(10 * kSecondNs);
    check_refused();
}

/// Nodes that were given a number and never came.
void Churn::remove_strangers() {
    const auto members = running();
    if (members.empty()) return fail("no member is left");
    const std::uint32_t by = members[0];
    if (!cluster_.until([&] { return cluster_.node(by)->ready() && cluster_.all_lead(); }))
        return fail("no leaders\n" + cluster_.problems(cluster_.node(by)));
    if (!cluster_.fence(by, {}).ok()) return fail("no strong read once all is well");
    for (const NodeStatus& node : cluster_.node(by)->cluster_status().nodes) {
        const bool known = std::ranges::any_of(
            cluster_.nodes(), [&](const auto& each) { return each.second.id == node.node; });
        if (known || node.state == "left") continue;
        const auto removed = cluster_.wait([&](Database::Done done) {
            cluster_.node(by)->cluster()->remove_node(node.node, std::move(done));
        });
        if (!removed.ok())
            return fail("a node that never came is not removed: " + removed.error().to_string());
    }
}

/// Those of whom nothing else is known are members as long as the metadata says so.
std::set<cluster::NodeId> Churn::wanted(const ClusterStatus& status) {
    std::set<cluster::NodeId> nodes;
    for (const auto& [number, machine] : machines_) {
        const cluster::NodeId id = cluster_.node(number).id;
        const bool active = std::ranges::any_of(status.nodes, [&](const NodeStatus& each) {
            return each.node == id && each.state == "active";
        });
        if (machine.state == State::kIn || (machine.state == State::kUnsure && active))
            nodes.insert(id);
    }
    return nodes;
}

/// Empty once every member knows every group as it was asked for.
std::string Churn::disagreement() {
    for (auto& [number, machine] : machines_) {
        SimCluster::Member& member = cluster_.node(number);
        if (machine.state != State::kIn) continue;
        if (!member.alive() || !member->ready()) return member.name + " is not ready";
        const ClusterStatus status = member->cluster_status();
        const auto nodes = wanted(status);
        for (const NodeStatus& each : status.nodes)
            if (each.state != (nodes.contains(each.node) ? "active" : "left"))
                return "node " + std::to_string(each.node.value()) + " is " + each.state + " at " +
                       member.name;
        for (const ShardStatus& shard : status.shards)
            if (shard.joint || !shard.learners.empty() || shard.leader == cluster::kNoNode ||
                std::set(shard.voters.begin(), shard.voters.end()) != nodes)
                return "shard " + std::to_string(shard.shard.value()) + " at " + member.name;
    }
    return {};
}

void Churn::check_refused() {
    const auto members = running();
    for (const auto& [number, machine] : machines_) {
        SimCluster::Member& member = cluster_.node(number);
        if (machine.state != State::kOut || !member.alive()) continue;
        ++counts.zombies;
        for (const NodeStatus& each : member->cluster_status().nodes)
            if (each.up && !each.self && std::ranges::any_of(members, [&](std::uint32_t other) {
                    return cluster_.node(other).id == each.node;
                }))
                fail(name_of(number, member.id) + " is out and reaches node " +
                     std::to_string(each.node.value()));
        for (const std::uint32_t other : members)
            for (const NodeStatus& each : cluster_.node(other)->cluster_status().nodes)
                if (each.up && each.node == member.id)
                    fail(name_of(number, member.id) + " is out and let in by " +
                         cluster_.node(other).name);
    }
}

}  // namespace tidal::api
