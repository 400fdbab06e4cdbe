// cluster/circuit_breaker.h: stops asking a peer that has failed again and again.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidal::cluster {

enum class CircuitState : std::uint8_t { kClosed, kOpen, kHalfOpen };
std::string_view circuit_state_name(CircuitState state);

/// Closed: calls go through, and so many failures in a row open it. Open: none goes through until
/// the cool-down is over or a probe that someone else made succeeds. Half open: exactly one trial
/// is under way; its outcome closes or opens.
/// Times are monotonic nanoseconds, handed in. Threads: one at a time.
class CircuitBreaker {
public:
    struct Options {
        std::uint32_t failures_max = 5;
        std::uint64_t cool_down_ns = 10'000'000'000;
    };
    explicit CircuitBreaker(const Options& options) : options_(options) {}

    /// Whether a call may be made now. True while open means: this is the trial, report it.
    bool allow(std::uint64_t now_ns);
    void success();
    void failure(std::uint64_t now_ns);

    CircuitState state() const { return state_; }
    std::uint64_t opened() const { return opened_; }  ///< How often, ever.

private:
    Options options_;
    CircuitState state_ = CircuitState::kClosed;
    std::uint32_t failures_ = 0;  ///< In a row.
    std::uint64_t opened_ns_ = 0;
    std::uint64_t opened_ = 0;
};

}  // namespace tidal::cluster
