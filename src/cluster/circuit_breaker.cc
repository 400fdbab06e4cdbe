#include "cluster/circuit_breaker.h"

namespace tidal::cluster {

std::string_view circuit_state_name(CircuitState state) {
    constexpr std::string_view names[] = {"closed", "open", "half-open"};
    return names[static_cast<std::size_t>(state)];
}

bool CircuitBreaker::allow(std::uint64_t now_ns) {
    if (state_ == CircuitState::kClosed) return true;
    // A trial whose caller was lost must not keep the circuit half open for ever.
    if (now_ns - opened_ns_ < options_.cool_down_ns) return false;
    state_ = CircuitState::kHalfOpen;
    opened_ns_ = now_ns;
    return true;
}

void CircuitBreaker::success() {
    state_ = CircuitState::kClosed;
    failures_ = 0;
}

void CircuitBreaker::failure(std::uint64_t now_ns) {
    ++failures_;
    const bool opens = state_ == CircuitState::kHalfOpen ||
                       (state_ == CircuitState::kClosed && failures_ >= options_.failures_max);
    if (!opens) return;
    state_ = CircuitState::kOpen;
    opened_ns_ = now_ns;
    ++opened_;
}

}  // namespace tidal::cluster
