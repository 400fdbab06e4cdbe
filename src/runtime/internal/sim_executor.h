// runtime/internal/sim_executor.h: an Executor that is a queue on a SimWorld's timeline.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "runtime/sim_runtime.h"

namespace tidal::runtime::internal {

class SimExecutor;

/// As much as a test says.
struct SimMemory final : Memory {
    Result<std::uint64_t> held_bytes() override { return held; }
    void give_back() override { held -= std::exchange(unused, 0); }

    std::uint64_t held = 0, unused = 0;
};

/// What the parts of one life of a node share; executors keep it alive.
struct SimNodeState final : Clock, ExecutorFactory {
    SimNodeState(SimWorld& world_in, std::string_view name_in, UnixMillis wall_start_ms,
                 std::uint64_t seed);

    UnixMillis wall_ms() override;
    std::uint64_t monotonic_ns() override { return world.now_ns(); }
    std::unique_ptr<Executor> create_executor(std::string_view executor_name) override;

    SimWorld& world;
    const std::string name;
    SeededRandom random;
    std::unique_ptr<Disk> disk;
    std::unique_ptr<Network> network;
    SimMemory memory;
    bool crashed = false;
    std::optional<Error> fatal_error;
    std::weak_ptr<SimNodeState> self;
    std::set<SimExecutor*> executors;

    // wall = wall_at_mark + (now - mark) * (1 + drift)
    /// Makes now the mark, before the error of the clock changes.
    void rebase_wall(std::int64_t jump_ms);

    UnixMillis wall_at_mark_ms;
    std::uint64_t mark_ns;
    std::int64_t drift_ppm = 0;
};

class SimExecutor final : public Executor {
public:
    SimExecutor(std::shared_ptr<SimNodeState> node, std::string_view name, std::uint64_t number);
    ~SimExecutor() override;

    void post(Work work) override;
    TimerId post_after(std::uint64_t delay_ns, Work work) override;
    bool cancel(TimerId timer) override;
    void stop() override;

    /// Runs the oldest piece; the executor must not be destroyed by it.
    void run_one();
    void timer_fired(TimerId timer, Work work);
    bool has_ready() const { return !queue_.empty() && !node_->crashed && !paused(); }
    std::uint64_t number() const { return number_; }
    const std::string& name() const { return name_; }
    /// Runs nothing before `time_ns`; what comes meanwhile waits.
    void pause_until(std::uint64_t time_ns);
    /// The time pause_until() named has come, unless a later one was named since.
    void resume();

private:
    struct Piece {
        TimerId timer;  ///< 0: posted. A fired timer that has not run can still be cancelled.
        Work work;
    };
    bool paused() const { return world_.now_ns() < paused_until_ns_; }
    bool refuses() const { return stopped_ || node_->crashed; }
    void enqueue(Piece piece);

    const std::shared_ptr<SimNodeState> node_;
    SimWorld& world_;
    const std::string name_;
    const std::uint64_t number_;  ///< In order of creation in this world.
    std::deque<Piece> queue_;
    std::map<TimerId, std::uint64_t> deadlines_;  ///< Of timers that have not fired.
    std::uint64_t paused_until_ns_ = 0;
    bool stopped_ = false;
    bool running_ = false;
};

}  // namespace tidal::runtime::internal
