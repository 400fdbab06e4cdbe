#include "runtime/internal/sim_executor.h"

#include <algorithm>
#include <cassert>

namespace tidal::runtime::internal {

SimNodeState::SimNodeState(SimWorld& world_in, std::string_view name_in, UnixMillis wall_start_ms,
                           std::uint64_t seed)
    : world(world_in),
      name(name_in),
      random(seed),
      wall_at_mark_ms(wall_start_ms),
      mark_ns(world_in.now_ns()) {}

UnixMillis SimNodeState::wall_ms() {
    const auto passed_ns = static_cast<std::int64_t>(world.now_ns() - mark_ns);
    return wall_at_mark_ms + passed_ns / 1'000'000 + passed_ns / 1'000'000 * drift_ppm / 1'000'000;
}

void SimNodeState::rebase_wall(std::int64_t jump_ms) {
    wall_at_mark_ms = wall_ms() + jump_ms;
    mark_ns = world.now_ns();
}

std::unique_ptr<Executor> SimNodeState::create_executor(std::string_view executor_name) {
    return std::make_unique<SimExecutor>(self.lock(), executor_name, ++world.last_executor_);
}

SimExecutor::SimExecutor(std::shared_ptr<SimNodeState> node, std::string_view name,
                         std::uint64_t number)
    : node_(std::move(node)), world_(node_->world), name_(name), number_(number) {
    node_->executors.insert(this);
}

SimExecutor::~SimExecutor() {
    stop();
    node_->executors.erase(this);
}

void SimExecutor::pause_until(std::uint64_t time_ns) {
    paused_until_ns_ = std::max(paused_until_ns_, time_ns);
}

void SimExecutor::resume() {
    if (!running_ && has_ready()) world_.became_ready(this);
}

void SimExecutor::enqueue(Piece piece) {
    queue_.push_back(std::move(piece));
    // While a piece runs, run_one() itself says whether more is ready.
    if (queue_.size() == 1 && !running_) world_.became_ready(this);
}

void SimExecutor::post(Work work) {
    if (!refuses()) enqueue({0, std::move(work)});
}

Executor::TimerId SimExecutor::post_after(std::uint64_t delay_ns, Work work) {
    if (refuses()) return ++world_.last_sequence_;
    const auto [deadline, sequence] = world_.add_timer(this, delay_ns, std::move(work));
    deadlines_.emplace(sequence, deadline);
    return sequence;
}

void SimExecutor::timer_fired(TimerId timer, Work work) {
    deadlines_.erase(timer);
    enqueue({timer, std::move(work)});
}

bool SimExecutor::cancel(TimerId timer) {
    if (const auto deadline = deadlines_.find(timer); deadline != deadlines_.end()) {
        const auto dropped = world_.take_timer({deadline->second, timer});
        deadlines_.erase(deadline);
        return true;
    }
    const auto fired = std::find_if(queue_.begin(), queue_.end(),
                                    [&](const Piece& piece) { return piece.timer == timer; });
    if (timer == 0 || fired == queue_.end()) return false;
    // An empty piece keeps the order of the rest and the executor's place among the ready.
    const auto dropped = std::exchange(*fired, Piece{0, nullptr});
    return true;
}

void SimExecutor::stop() {
    assert(!running_ && "an executor stopped by its own work");
    stopped_ = true;
    world_.forget(this);
    std::deque<Piece> pieces;
    pieces.swap(queue_);
    std::vector<std::optional<Work>> timers;
    for (const auto& [sequence, deadline] : std::exchange(deadlines_, {}))
        timers.push_back(world_.take_timer({deadline, sequence}));
    // What was queued is destroyed here, when this executor refuses everything.
}

void SimExecutor::run_one() {
    assert(has_ready());
    running_ = true;
    {
        Piece piece = std::move(queue_.front());
        queue_.pop_front();
        if (piece.work) piece.work();
    }
    running_ = false;
    if (!queue_.empty()) world_.became_ready(this);
}

}  // namespace tidal::runtime::internal
