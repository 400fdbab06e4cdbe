#include "api/query_gate.h"

#include <algorithm>
#include <string>

namespace tidal::api {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

bool is_urgent(std::uint8_t urgency) {
    return urgency <= 1;
}

Error stopped() {
    return Error(ErrorCode::kUnavailable, "the node is shutting down").with_reason("shutting_down");
}

}  // namespace

LoadLimits with_default_running(LoadLimits limits, std::uint32_t executors) {
    if (limits.running_max == 0) limits.running_max = 2 * executors;
    return limits;
}

Result<void> check_limits(const LoadLimits& limits) {
    const auto wrong = [](const char* field, std::string what) {
        return Error(ErrorCode::kInvalidArgument, std::move(what)).with_field(field);
    };
    if (limits.level_1_ms == 0) return wrong("degrade_1_ms", "must be at least 1");
    if (limits.level_2_ms < limits.level_1_ms)
        return wrong("degrade_2_ms", "must not be less than degrade_1_ms");
    if (limits.shed_ms < limits.level_2_ms)
        return wrong("shed_ms", "must not be less than degrade_2_ms");
    if (limits.waiting_max == 0) return wrong("queries_waiting", "must be at least 1");
    return {};
}

std::uint64_t QueryGate::begins_ns(std::uint8_t level) const {
    const std::uint32_t ms = level == 1   ? limits_.level_1_ms
                             : level == 2 ? limits_.level_2_ms
                                          : limits_.shed_ms;
    return ms * kNsPerMs;
}

/// A few that wait, and none for long, are no queue: whoever runs has somebody to follow.
void QueryGate::look_at_queue(std::uint64_t now_ns) {
    if (waiting_.empty() || now_ns - waiting_.front().since_ns < begins_ns(1)) {
        slow_since_ns_ = 0;
        return;
    }
    if (slow_since_ns_ == 0) slow_since_ns_ = waiting_.front().since_ns + begins_ns(1);
    if (now_ns - slow_since_ns_ >= begins_ns(kRefusing)) stands_ = true;
}

/// Of a queue that stands as many wait as run: those who leave, all at once or not, find somebody
/// new, and few do a first step in vain.
bool QueryGate::is_full(std::uint8_t urgency) const {
    if (waiting_.size() >= limits_.waiting_max) return true;
    return stands_ && !is_urgent(urgency) && waiting_.size() >= limits_.running_max;
}

std::uint64_t QueryGate::burst_limit_ns(std::uint8_t urgency) const {
    const std::uint64_t limit = begins_ns(kRefusing);
    if (is_urgent(urgency)) return 2 * limit;
    return urgency >= 5 ? limit / 2 : limit;
}

std::uint64_t QueryGate::limit_ns(std::uint8_t urgency) const {
    if (is_urgent(urgency) || !stands_) return burst_limit_ns(urgency);
    return urgency >= 5 ? begins_ns(1) / 2 : begins_ns(1);
}

/// Who is to be refused or to enter. Precondition: somebody waits.
std::deque<QueryGate::Waiting>::iterator QueryGate::next(std::uint64_t now_ns) {
    const auto first = waiting_.begin();
    const std::uint64_t delay_ns = now_ns - first->since_ns;
    if (delay_ns >= limit_ns(first->urgency)) return first;
    if (delay_ns < begins_ns(1) && !stands_) return first;
    const auto urgent = std::ranges::find_if(waiting_, is_urgent, &Waiting::urgency);
    return urgent != waiting_.end() ? urgent : std::prev(urgent);
}

/// Rises at once; falls when it has been calm for a while, so that it does not go up and down with
/// every query.
void QueryGate::observe(std::uint64_t delay_ns, std::uint64_t now_ns) {
    std::uint8_t reached = 0;
    while (reached < kRefusing && delay_ns >= begins_ns(reached + 1)) ++reached;
    if (stands_) reached = kRefusing;
    if (reached >= level_ || 2 * delay_ns >= begins_ns(level_)) {
        level_ = std::max(level_, reached);
        calm_since_ns_ = now_ns;
        return;
    }
    while (level_ > reached && now_ns - calm_since_ns_ >= kCalmNs) {
        --level_;
        calm_since_ns_ += kCalmNs;
    }
}

Error QueryGate::refuse(std::uint64_t delay_ns) {
    ++stats_.refused;
    return Error(ErrorCode::kUnavailable, "too many queries wait")
        .with_reason("overloaded")
        .with("waited_ms", delay_ns / kNsPerMs)
        .with_hint("retry after a second, with fewer at a time");
}

Result<std::uint8_t> QueryGate::admit(std::uint8_t urgency, std::uint64_t delay_ns, Kind kind) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t now_ns = clock_.monotonic_ns();
    look_at_queue(now_ns);
    std::uint64_t waits_ns = delay_ns;
    if (!waiting_.empty()) waits_ns = std::max(waits_ns, now_ns - waiting_.front().since_ns);
    observe(waits_ns, now_ns);
    if (delay_ns >= burst_limit_ns(urgency)) return refuse(delay_ns);
    if (long_kinds_[kind % kKinds] && (waits_ns >= limit_ns(urgency) || is_full(urgency)))
        return refuse(waits_ns);
    const std::uint8_t level = std::min<std::uint8_t>(level_, kRefusing - 1);
    ++stats_.admitted[level];
    return level;
}

void QueryGate::learn(Kind kind, bool is_long) {
    const std::lock_guard lock(mutex_);
    long_kinds_[kind % kKinds] = is_long;
}

bool QueryGate::Entry::await_ready() {
    const std::lock_guard lock(gate_.mutex_);
    if (gate_.stopped_) {
        outcome_ = stopped();
        return true;
    }
    if (!gate_.waiting_.empty() || gate_.running_ >= gate_.limits_.running_max) return false;
    ++gate_.running_;
    gate_.observe(0, gate_.clock_.monotonic_ns());
    return true;
}

bool QueryGate::Entry::await_suspend(std::coroutine_handle<> query) {
    const std::lock_guard lock(gate_.mutex_);
    if (gate_.stopped_) {
        outcome_ = stopped();
        return false;
    }
    if (gate_.waiting_.empty() && gate_.running_ < gate_.limits_.running_max) {
        ++gate_.running_;  // Somebody has left since await_ready().
        return false;
    }
    const std::uint64_t now_ns = gate_.clock_.monotonic_ns();
    gate_.look_at_queue(now_ns);
    if (gate_.is_full(urgency_)) {
        outcome_ = gate_.refuse(0);
        return false;
    }
    gate_.waiting_.push_back({query, &outcome_, urgency_, now_ns});
    return true;
}

Result<QueryGate::Pass> QueryGate::Entry::await_resume() {
    if (!outcome_.ok()) return outcome_.take_error();
    return Pass(&gate_);
}

void QueryGate::leave() {
    {
        const std::lock_guard lock(mutex_);
        --running_;
        if (waiting_.empty()) stands_ = false;
        if (waiting_.empty() || stopped_) return;
    }
    executor_.post([this] { start_waiting(); });
}

void QueryGate::start_waiting() {
    for (;;) {
        Waiting one;
        {
            const std::lock_guard lock(mutex_);
            if (running_ >= limits_.running_max) return;
            if (waiting_.empty()) {
                stands_ = false;
                return;
            }
            const std::uint64_t now_ns = clock_.monotonic_ns();
            look_at_queue(now_ns);
            observe(now_ns - waiting_.front().since_ns, now_ns);
            const auto found = next(now_ns);
            one = *found;
            const std::uint64_t delay_ns = now_ns - one.since_ns;
            stats_.waited_ns += delay_ns;
            // Room is not left empty for the sake of a queue that ends here.
            const bool late = delay_ns >= (waiting_.size() > 1 ? limit_ns(one.urgency)
                                                               : burst_limit_ns(one.urgency));
            waiting_.erase(found);
            if (late) {
                *one.outcome = refuse(delay_ns);
            } else {
                ++running_;
            }
        }
        one.query.resume();
    }
}

void QueryGate::stop() {
    std::deque<Waiting> waiting;
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        waiting.swap(waiting_);
    }
    for (const Waiting& each : waiting) {
        *each.outcome = stopped();
        each.query.resume();
    }
}

QueryGate::Stats QueryGate::stats() {
    const std::lock_guard lock(mutex_);
    Stats out = stats_;
    out.level = level_;
    out.running = running_;
    out.waiting = waiting_.size();
    out.running_max = limits_.running_max;
    return out;
}

}  // namespace tidal::api
