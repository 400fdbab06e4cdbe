#include "runtime/sim_runtime.h"

#include <algorithm>

#include "runtime/internal/sim_executor.h"
#include "runtime/internal/sim_node_network.h"
#include "runtime/sim_network.h"

namespace tidal::runtime {

using internal::SimExecutor;
using internal::SimNodeState;

namespace {

constexpr int kDepthMax = 4;
constexpr std::uint64_t kComeInPieces = 12;
constexpr std::uint64_t kComeInNs = 200'000;

}  // namespace

class SimWorld::SimCrowd final : public Crowd {
public:
    explicit SimCrowd(SimWorld& world) : world_(world) {}
    bool waits() override { return world_.random_.below(1000) < world_.options_.crowd_permille; }
    void come_in() override { world_.run_others(); }

private:
    SimWorld& world_;
};

SimWorld::SimWorld(const SimWorldOptions& options)
    : options_(options),
      network_(std::make_unique<SimNetwork>(*this)),
      crowd_(options.crowd_permille > 0 ? std::make_unique<SimCrowd>(*this) : nullptr),
      random_(options.seed) {}

SimWorld::~SimWorld() = default;

std::unique_ptr<SimRuntime> SimWorld::create_node(std::string_view name, SimDisk& disk) {
    trace_.add(name);
    return std::unique_ptr<SimRuntime>(new SimRuntime(*this, name, disk));
}

bool SimWorld::step() {
    return step_before(~0ULL);
}

std::uint64_t SimWorld::run_until_idle() {
    const std::uint64_t before = steps_;
    do {
        fire_due();
    } while (run_ready() && steps_ - before < options_.steps_max);
    return steps_ - before;
}

void SimWorld::advance(std::uint64_t ns) {
    const std::uint64_t deadline_ns = now_ns_ + ns;
    run_until([] { return false; }, ns);
    now_ns_ = std::max(now_ns_, deadline_ns);
}

bool SimWorld::step_before(std::uint64_t deadline_ns) {
    const std::uint64_t before = steps_;
    while (now_ns_ <= deadline_ns) {
        fire_due();
        if (run_ready() || steps_ != before) return true;
        if (timers_.empty()) return false;
        now_ns_ = std::min(timers_.begin()->first.first, deadline_ns);
        if (now_ns_ < timers_.begin()->first.first) return false;
    }
    return false;
}

bool SimWorld::run_ready() {
    // A crashed node's executors stay where they are until their owner stops them.
    std::erase_if(ready_, [](const SimExecutor* executor) { return !executor->has_ready(); });
    if (ready_.empty()) return false;
    const auto at = ready_.begin() + static_cast<std::ptrdiff_t>(
                                         ready_.size() == 1 ? 0 : random_.below(ready_.size()));
    SimExecutor* executor = *at;
    ready_.erase(at);
    ++steps_;
    trace_.add(executor->number());
    trace_.add(now_ns_);
    now_ns_ += options_.work_ns;
    executor->run_one();
    return true;
}

/// Executors with a piece of work under way are not among the ready ones.
void SimWorld::run_others() {
    if (depth_ == kDepthMax) return;
    ++depth_;
    ++let_in_;
    trace_.add(now_ns_);
    now_ns_ += random_.below(kComeInNs);
    for (std::uint64_t pieces = random_.below(kComeInPieces); pieces > 0; --pieces) {
        fire_due();
        if (!run_ready()) break;
    }
    --depth_;
}

void SimWorld::fire_due() {
    while (!timers_.empty() && timers_.begin()->first.first <= now_ns_) {
        auto node = timers_.extract(timers_.begin());
        auto& timer = node.mapped();
        if (timer.executor != nullptr) {
            timer.executor->timer_fired(node.key().second, std::move(timer.work));
            continue;
        }
        ++steps_;
        trace_.add(now_ns_);
        timer.work();
    }
}

void SimWorld::at(std::uint64_t time_ns, Work work) {
    timers_.emplace(TimerKey{time_ns, ++last_sequence_}, Timer{nullptr, std::move(work)});
}

SimWorld::TimerKey SimWorld::add_timer(SimExecutor* executor, std::uint64_t delay_ns, Work work) {
    const std::uint64_t room = ~0ULL - now_ns_;
    const TimerKey key{now_ns_ + std::min(delay_ns, room), ++last_sequence_};
    timers_.emplace(key, Timer{executor, std::move(work)});
    return key;
}

std::optional<Work> SimWorld::take_timer(TimerKey key) {
    auto node = timers_.extract(key);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped().work);
}

void SimWorld::became_ready(SimExecutor* executor) {
    // One that paused may stand there already.
    if (std::ranges::find(ready_, executor) == ready_.end()) ready_.push_back(executor);
}

void SimWorld::forget(SimExecutor* executor) {
    std::erase(ready_, executor);
}

SimRuntime::SimRuntime(SimWorld& world, std::string_view name, SimDisk& disk)
    : disk_(disk),
      state_(std::make_shared<SimNodeState>(
          world, name,
          world.options_.wall_start_ms + static_cast<UnixMillis>(world.now_ns() / 1'000'000),
          world.random_.u64())) {
    state_->self = state_;
    state_->disk = disk.session();
    state_->network = std::make_unique<SimNodeNetwork>(world.network(), *state_);
    observer_ = disk.attach_observer({
        .charge = [&world](std::uint64_t ns) { world.now_ns_ += ns; },
        .died = [state = state_] { state->crashed = true; },
    });
}

SimRuntime::~SimRuntime() {
    disk_.detach_observer(observer_);
}

Clock& SimRuntime::clock() {
    return *state_;
}
Random& SimRuntime::random() {
    return state_->random;
}
Disk& SimRuntime::disk() {
    return *state_->disk;
}
ExecutorFactory& SimRuntime::executors() {
    return *state_;
}
Network& SimRuntime::network() {
    return *state_->network;
}

Memory& SimRuntime::memory() {
    return state_->memory;
}

void SimRuntime::set_held_bytes(std::uint64_t bytes, std::uint64_t unused) {
    state_->memory.held = bytes;
    state_->memory.unused = unused;
}

void SimRuntime::fatal(const Error& error) {
    if (!state_->fatal_error) state_->fatal_error = error;
    kill();
}

void SimRuntime::kill() {
    // A node already dead must not take the next life on the same disk with it.
    if (!state_->crashed) disk_.die();
    state_->crashed = true;
}

Crowd* SimRuntime::crowd() {
    return state_->world.crowd_.get();
}

bool SimRuntime::crashed() const {
    return state_->crashed;
}
const std::optional<Error>& SimRuntime::fatal_error() const {
    return state_->fatal_error;
}

void SimRuntime::pause(std::uint64_t ns) {
    pause(ns, {});
}

void SimRuntime::pause(std::uint64_t ns, std::string_view executor_name) {
    SimWorld& world = state_->world;
    const std::uint64_t until_ns = world.now_ns() + ns;
    for (SimExecutor* executor : state_->executors)
        if (executor_name.empty() || executor->name() == executor_name)
            executor->pause_until(until_ns);
    // Executors of a node are told in the order of their numbers, not of their addresses.
    world.at(until_ns, [state = state_] {
        std::vector<SimExecutor*> paused(state->executors.begin(), state->executors.end());
        std::ranges::sort(paused, {}, &SimExecutor::number);
        for (SimExecutor* executor : paused) executor->resume();
    });
}

void SimRuntime::jump_wall(std::int64_t ms) {
    state_->rebase_wall(ms);
}

void SimRuntime::set_wall_drift(std::int64_t ppm) {
    state_->rebase_wall(0);
    state_->drift_ppm = ppm;
}

}  // namespace tidal::runtime
