// runtime/sim_runtime.h: whole nodes on one virtual timeline, from one seed.
//
// A SimWorld owns virtual time. A SimRuntime is what one node sees of it: its clock (with its own
// wall-clock error), its random stream, its executors, and a session of the SimDisk it runs on.
// Work of one executor runs in the order posted; which executor with ready work goes next is drawn
// from the seed. Time moves only when no work is ready, or by the time that disk operations take.
//
// A node dies by SimDisk::set_crash_after(), by fatal() or by kill(). From then on none of its work
// runs, new work is destroyed unrun, and its disk refuses everything; code still on the stack sees
// errors. Then: destroy the node's objects, its SimRuntime, call SimDisk::crash(), and make a new
// SimRuntime on the same disk.
//
// Threads: one. Two worlds may run on two threads.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "runtime/seeded_random.h"
#include "runtime/sim_disk.h"
#include "runtime/trace_hash.h"

namespace tidal::runtime {

namespace internal {
class SimExecutor;
struct SimNodeState;
}  // namespace internal

class SimNetwork;
class SimRuntime;

struct SimWorldOptions {
    std::uint64_t seed = 1;
    UnixMillis wall_start_ms = 1'700'000'000'000;
    /// Virtual time that each piece of work takes. Above 0, work that waits for time by posting
    /// itself again makes progress.
    std::uint64_t work_ns = 0;
    /// run_until() gives up after this many pieces of work: a livelock is a finding, not a hang.
    std::uint64_t steps_max = 10'000'000;
    /// Of a thousand looks of long work whether somebody waits, so many find somebody (crowd.h).
    std::uint32_t crowd_permille = 0;
};

class SimWorld {
public:
    explicit SimWorld(const SimWorldOptions& options = {});
    explicit SimWorld(std::uint64_t seed) : SimWorld(SimWorldOptions{.seed = seed}) {}
    SimWorld(const SimWorld&) = delete;
    SimWorld& operator=(const SimWorld&) = delete;
    ~SimWorld();

    /// A node named `name` on `disk`; both the world and the disk must outlive it.
    std::unique_ptr<SimRuntime> create_node(std::string_view name, SimDisk& disk);

    /// Runs one piece of work, moving time to the next timer when none is ready. False when nothing
    /// is left to run at all.
    bool step();
    /// Runs what is ready now, and what that makes ready, without moving time. The pieces run.
    std::uint64_t run_until_idle();
    /// Moves time by `ns`, running everything due on the way.
    void advance(std::uint64_t ns);
    /// Steps until `done()`. False when `timeout_ns` of virtual time passed first, nothing is left
    /// to run, or steps_max was reached.
    template <typename Predicate>
    bool run_until(Predicate done, std::uint64_t timeout_ns = 3600ULL * 1'000'000'000) {
        const std::uint64_t deadline_ns = now_ns_ + timeout_ns;
        for (std::uint64_t steps = 0; !done(); ++steps) {
            if (steps == options_.steps_max || !step_before(deadline_ns)) return done();
        }
        return true;
    }

    std::uint64_t now_ns() const { return now_ns_; }
    std::uint64_t seed() const { return options_.seed; }
    Random& random() { return random_; }
    /// Include runtime/sim_network.h to make it worse.
    SimNetwork& network() { return *network_; }
    /// Of every piece of work run and its time; SimDisk::trace_hash() has the disks.
    std::uint64_t trace_hash() const { return trace_.value(); }
    /// Adds something to the trace, such as a reply a test client saw.
    void note(std::string_view what) { trace_.add(what); }
    void note(std::uint64_t what) { trace_.add(what); }
    std::uint64_t steps() const { return steps_; }
    /// How often somebody was let in in the middle of long work.
    std::uint64_t let_in() const { return let_in_; }

    /// Runs `work` at a virtual time, for the world itself (a network, a fault plan): no node,
    /// never dropped. At equal times, in the order asked for and before the timers of nodes.
    void at(std::uint64_t time_ns, Work work);

private:
    friend class internal::SimExecutor;
    friend struct internal::SimNodeState;
    friend class SimRuntime;
    class SimCrowd;
    using TimerKey = std::pair<std::uint64_t, std::uint64_t>;  ///< Deadline, sequence number.
    struct Timer {
        internal::SimExecutor* executor;  ///< nullptr: the world's own.
        Work work;
    };

    bool step_before(std::uint64_t deadline_ns);
    bool run_ready();
    /// Within a piece of work.
    void run_others();
    /// Moves timers whose time has come to their executors.
    void fire_due();
    TimerKey add_timer(internal::SimExecutor* executor, std::uint64_t delay_ns, Work work);
    /// The work of a timer that has not fired; none when there is no such timer.
    std::optional<Work> take_timer(TimerKey key);
    void became_ready(internal::SimExecutor* executor);
    void forget(internal::SimExecutor* executor);

    const SimWorldOptions options_;
    const std::unique_ptr<SimNetwork> network_;
    const std::unique_ptr<Crowd> crowd_;
    SeededRandom random_;
    TraceHash trace_;
    std::uint64_t now_ns_ = 1'000'000'000;
    std::uint64_t steps_ = 0;
    std::uint64_t last_sequence_ = 0;
    std::uint64_t last_executor_ = 0;
    std::uint64_t let_in_ = 0;
    int depth_ = 0;                              ///< Pieces of work that wait for who was let in.
    std::vector<internal::SimExecutor*> ready_;  ///< Each once, in the order they became ready.
    std::map<TimerKey, Timer> timers_;
};

/// One life of a node. Executors made here may outlive it by no more than the world.
class SimRuntime final : public Runtime {
public:
    ~SimRuntime() override;
    SimRuntime(const SimRuntime&) = delete;
    SimRuntime& operator=(const SimRuntime&) = delete;

    Clock& clock() override;
    Random& random() override;
    Disk& disk() override;
    ExecutorFactory& executors() override;
    Network& network() override;
    Memory& memory() override;
    /// Crashes the node and returns: everything it could still do fails.
    void fatal(const Error& error) override;
    Crowd* crowd() override;

    /// Kills the node as a power cut would; SimDisk::crash() then says what is left.
    void kill();
    bool crashed() const;
    /// What fatal() was called with, if it was.
    const std::optional<Error>& fatal_error() const;
    /// The process stands still for so long (SIGSTOP, a machine that swaps): its work and timers
    /// wait, its clocks go on.
    void pause(std::uint64_t ns);
    /// Only its executors of this name stand still: one that writes files is a stalled disk.
    void pause(std::uint64_t ns, std::string_view executor_name);
    /// What the process holds from now on (at first nothing); `unused` of it goes once it is to be
    /// given back.
    void set_held_bytes(std::uint64_t bytes, std::uint64_t unused = 0);
    /// Moves this node's wall clock, forwards or backwards.
    void jump_wall(std::int64_t ms);
    /// Parts per million by which this node's wall clock runs fast (or slow), from now on.
    void set_wall_drift(std::int64_t ppm);

private:
    friend class SimWorld;
    SimRuntime(SimWorld& world, std::string_view name, SimDisk& disk);

    SimDisk& disk_;
    std::shared_ptr<internal::SimNodeState> state_;
    std::uint64_t observer_ = 0;  ///< Its number at the disk.
};

}  // namespace tidal::runtime
