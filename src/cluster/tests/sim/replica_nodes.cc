#include "replica_nodes.h"

#include <algorithm>

namespace tidal::cluster {
namespace {

// Elections of the simulated groups begin after 60 to 120 ms of silence.
constexpr std::uint64_t kLongPauseMs = 400;

runtime::SimLink usual_link(std::uint64_t delay_max_ns) {
    return {.delay_min_ns = 50'000, .delay_max_ns = 1 + delay_max_ns};
}

}  // namespace

ReplicaNodes::ReplicaNodes(std::uint64_t seed)
    : world_(seed), random_(mix(seed, 0x7265706c69636173ULL)) {
    raft::Configuration initial;
    for (std::uint64_t i = 1; i <= 3; ++i) initial.voters.push_back(raft::PeerId(i));
    for (std::uint64_t i = 1; i <= 4; ++i) {
        ReplicaNodeOptions options{.self = raft::PeerId(i), .initial = {}};
        if (i <= 3) options.initial = initial;
        options.checkpoint_events = 15 + below(40);
        options.keep_entries = below(20);
        const runtime::SimDiskOptions disk{
            .seed = mix(seed, i), .write_ns = 2'000, .sync_ns = 20'000 + 1000 * below(500)};
        nodes_.push_back({options, std::make_unique<runtime::SimDisk>(disk), nullptr});
        if (chance(50)) disturb_clock(nodes_.back());
    }
    change_weather();
}

std::uint64_t ReplicaNodes::below(std::uint64_t bound) {
    random_ = mix(random_, 0x5851f42d4c957f2dULL);
    return random_ % bound;
}

ReplicaNodes::Node& ReplicaNodes::leader() {
    const std::size_t from = below(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        Node& node = nodes_[(from + i) % nodes_.size()];
        if (node.life && node.life->shard().can_propose()) return node;
    }
    return nodes_[from];
}

ReplicaNodes::Node& ReplicaNodes::any_alive() {
    std::size_t at = below(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size() && !nodes_[at].life; ++i)
        at = (at + 1) % nodes_.size();
    return nodes_[at];
}

void ReplicaNodes::fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
}

// --- lives ------------------------------------------------------------------------------------

void ReplicaNodes::start(Node& node) {
    if (node.life) return;
    // Some die while they recover.
    if (!calm_ && chance(8)) node.disk->set_crash_after(1 + below(20));
    node.life = std::make_unique<ReplicaLife>(world_, *node.disk, node.options, checker_);
    node.life->runtime().jump_wall(node.wall_error_ms);
    node.life->runtime().set_wall_drift(node.wall_drift_ppm);
    const auto started = node.life->start();
    if (started.ok()) return;
    const bool died = node.disk->dead();
    if (!died && started.error().code() != ErrorCode::kDiskFull)
        fail(node.name() + " does not start: " + started.error().to_string());
    ++faults_.failed_starts;
    node.life.reset();
    node.disk->die();
    node.disk->crash(any_crash(node));
}

void ReplicaNodes::crash(Node& node) {
    if (!node.life) return;
    ++faults_.crashes;
    node.life->runtime().kill();
}

runtime::CrashSpec ReplicaNodes::any_crash(const Node& node) {
    using Keep = runtime::CrashSpec::Keep;
    constexpr Keep kinds[] = {Keep::kSeeded, Keep::kSeeded, Keep::kNothing, Keep::kAll,
                              Keep::kPrefix};
    return {.keep = kinds[below(5)],
            .seed = below(1000),
            .sectors = below(node.disk->unsynced_sectors() + 1)};
}

void ReplicaNodes::bury_the_dead() {
    for (Node& node : nodes_) {
        if (!node.life || node.life->alive()) continue;
        const auto& fatal = node.life->runtime().fatal_error();
        if (fatal && fatal->code() != ErrorCode::kIo)
            fail(node.name() + " gave up: " + fatal->to_string());
        bury(node);
        node.disk->clear_faults();
        node.disk->die();
        node.disk->crash(any_crash(node));
    }
}

void ReplicaNodes::between_steps() {
    if (!checker_.failure.empty()) fail(checker_.failure);
    bury_the_dead();
    for (Node& node : nodes_)
        if (node.slow && node.life) node.life->runtime().pause(below(6) * kMs, "wal");
}

void ReplicaNodes::bury(Node& node) {
    if (!node.life) return;
    snapshots_ += node.life->replica().stats().snapshots_installed;
    node.life.reset();
}

// --- what befalls nodes -----------------------------------------------------------------------

void ReplicaNodes::befall(Node& node) {
    switch (below(12)) {
        case 0:
            return kill_many();
        case 1:
        case 2:
            return pause(node);
        case 3:
            return stall(node);
        case 4:
            node.slow = !node.slow;
            faults_.slow_disks += node.slow;
            return;
        case 5:
            return fail_sync(node);
        case 6:
            return crash_at_an_operation(node);
        case 7:
            return disturb_clock(node);
        case 8:
            return change_weather();
        default:
            return partition();
    }
}

/// A minority, the majority or all of them, at one moment.
void ReplicaNodes::kill_many() {
    ++faults_.mass_kills;
    const std::size_t many = 2 + below(3);
    const std::size_t from = below(nodes_.size());
    for (std::size_t i = 0; i < many; ++i) crash(nodes_[(from + i) % nodes_.size()]);
}

void ReplicaNodes::pause(Node& node) {
    if (!node.life) return;
    ++faults_.pauses;
    node.life->runtime().pause((1 + below(kLongPauseMs)) * kMs);
}

/// One of the executors that wait for a disk, or a shard that is busy.
void ReplicaNodes::stall(Node& node) {
    constexpr std::string_view kNames[] = {"wal",        "wal",        "wal-files",
                                           "raft-files", "background", "shard"};
    if (!node.life) return;
    ++faults_.stalls;
    // A statement each: the order of arguments is the compiler's.
    const std::string_view name = kNames[below(6)];
    node.life->runtime().pause((1 + below(2 * kLongPauseMs)) * kMs, name);
}

/// Ends the node, whatever it was that it wrote.
void ReplicaNodes::fail_sync(Node& node) {
    if (!node.life) return;
    ++faults_.failed_syncs;
    node.disk->add_fault({.op = runtime::DiskOp::kSync,
                          .path_contains = chance(70) ? "wal" : "",
                          .nth = 1 + below(10)});
}

/// In the middle of whatever it does then: a batch, a checkpoint, a snapshot that is installed.
void ReplicaNodes::crash_at_an_operation(Node& node) {
    if (!node.life) return;
    ++faults_.crashes_at_an_operation;
    node.disk->set_crash_after(1 + below(chance(50) ? 20 : 300));
}

/// Another error of the wall clock, mostly of seconds, seldom of half an hour; or another drift.
void ReplicaNodes::disturb_clock(Node& node) {
    ++faults_.clock_faults;
    const std::int64_t before = node.wall_error_ms;
    const std::uint64_t span = chance(20) ? 1'800'000 : 3'000;
    if (chance(70))
        node.wall_error_ms =
            static_cast<std::int64_t>(below(2 * span)) - static_cast<std::int64_t>(span);
    else
        node.wall_drift_ppm = static_cast<std::int64_t>(below(200'000)) - 100'000;
    if (!node.life) return;
    node.life->runtime().jump_wall(node.wall_error_ms - before);
    node.life->runtime().set_wall_drift(node.wall_drift_ppm);
}

void ReplicaNodes::fill(Node& node) {
    ++faults_.full_disks;
    node.disk->set_capacity(node.disk->used_bytes() + below(3) * 20'000);
}

// --- the network ------------------------------------------------------------------------------

void ReplicaNodes::change_weather() {
    runtime::SimLink link = usual_link(below(chance(20) ? 40 : 5) * kMs);
    link.loss_ppm = static_cast<std::uint32_t>(below(30'000));
    link.duplicate_ppm = static_cast<std::uint32_t>(below(30'000));
    link.corrupt_ppm = chance(50) ? static_cast<std::uint32_t>(below(20'000)) : 0;
    world_.network().set_default_link(link);
}

void ReplicaNodes::partition() {
    ++faults_.partitions;
    switch (below(6)) {
        case 0:
            return isolate(any());
        case 1:
            return one_way(any());
        case 2:
            return halves();
        case 3:
            return ring();
        case 4:
            return bridge();
        default: {
            const int times = 2 + static_cast<int>(below(12));
            return flap(any(), times, flap_generation_);
        }
    }
}

void ReplicaNodes::isolate(Node& node) {
    for (Node& other : nodes_) world_.network().partition(node.name(), other.name());
}

/// It hears and is not heard, or the other way round.
void ReplicaNodes::one_way(Node& node) {
    const bool out = chance(50);
    for (Node& other : nodes_)
        world_.network().cut(out ? node.name() : other.name(), out ? other.name() : node.name());
}

void ReplicaNodes::halves() {
    const std::uint64_t side = 1 + below(14);  // a bit per node
    for (std::size_t a = 0; a < nodes_.size(); ++a)
        for (std::size_t b = 0; b < nodes_.size(); ++b)
            if (((side >> a) & 1) != ((side >> b) & 1))
                world_.network().cut(nodes_[a].name(), nodes_[b].name());
}

/// Each has two neighbours, and nobody a majority of four.
void ReplicaNodes::ring() {
    std::array<std::size_t, 4> order{0, 1, 2, 3};
    std::swap(order[1], order[1 + below(3)]);
    world_.network().partition(nodes_[order[0]].name(), nodes_[order[1]].name());
    world_.network().partition(nodes_[order[2]].name(), nodes_[order[3]].name());
}

/// Both sides see one node, and not each other.
void ReplicaNodes::bridge() {
    const std::size_t between = below(nodes_.size());
    const std::size_t alone = (between + 1 + below(nodes_.size() - 1)) % nodes_.size();
    for (std::size_t other = 0; other < nodes_.size(); ++other)
        if (other != between && other != alone)
            world_.network().partition(nodes_[alone].name(), nodes_[other].name());
}

/// Cut off and back, faster than elections end.
void ReplicaNodes::flap(Node& node, int times, std::uint64_t generation) {
    if (times == 0 || generation != flap_generation_) return;
    ++faults_.flaps;
    for (Node& other : nodes_) {
        if (times % 2 == 0) {
            world_.network().partition(node.name(), other.name());
        } else {
            world_.network().heal(node.name(), other.name());
            world_.network().heal(other.name(), node.name());
        }
    }
    world_.at(world_.now_ns() + (10 + below(120)) * kMs,
              [this, &node, times, generation] { flap(node, times - 1, generation); });
}

void ReplicaNodes::heal_network() {
    ++flap_generation_;
    world_.network().heal_all();
}

void ReplicaNodes::heal_all() {
    calm_ = true;
    heal_network();
    world_.network().set_default_link({});
    for (Node& node : nodes_) {
        node.slow = false;
        node.disk->set_capacity(~0ULL);
        node.disk->set_crash_after(0);
        node.disk->clear_faults();
    }
}

// --- counted ----------------------------------------------------------------------------------

void ReplicaFaults::add(const ReplicaFaults& other) {
    crashes += other.crashes;
    mass_kills += other.mass_kills;
    crashes_at_an_operation += other.crashes_at_an_operation;
    failed_starts += other.failed_starts;
    pauses += other.pauses;
    stalls += other.stalls;
    slow_disks += other.slow_disks;
    failed_syncs += other.failed_syncs;
    full_disks += other.full_disks;
    clock_faults += other.clock_faults;
    partitions += other.partitions;
    flaps += other.flaps;
    corrupted += other.corrupted;
}

std::string ReplicaFaults::to_string() const {
    const auto n = [](std::uint64_t number) { return std::to_string(number); };
    return n(crashes) + " crashes (" + n(mass_kills) + " of many at once), " +
           n(crashes_at_an_operation) + " at an operation of the disk, " + n(failed_starts) +
           " starts that failed, " + n(pauses) + " pauses, " + n(stalls) + " stalls, " +
           n(slow_disks) + " slow disks, " + n(failed_syncs) + " failing syncs, " + n(full_disks) +
           " full disks, " + n(clock_faults) + " clocks disturbed, " + n(partitions) +
           " partitions, " + n(flaps) + " flaps, " + n(corrupted) + " packets damaged";
}

}  // namespace tidal::cluster
