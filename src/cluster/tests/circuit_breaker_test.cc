#include "cluster/circuit_breaker.h"

#include <gtest/gtest.h>

namespace tidal::cluster {
namespace circuit_breaker_test {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(CircuitBreaker, FiveFailuresInARowOpenItAndOneTrialCloses) {
    CircuitBreaker circuit({});
    std::uint64_t now = 100 * kSecond;
    for (int i = 0; i < 4; ++i) circuit.failure(now);
    circuit.success();
    for (int i = 0; i < 4; ++i) circuit.failure(now);
    EXPECT_TRUE(circuit.allow(now)) << "never five in a row";
    circuit.failure(now);
    EXPECT_EQ(circuit.state(), CircuitState::kOpen);
    EXPECT_FALSE(circuit.allow(now + 10 * kSecond - 1));
    now += 10 * kSecond;
    EXPECT_TRUE(circuit.allow(now));
    EXPECT_EQ(circuit.state(), CircuitState::kHalfOpen);
    EXPECT_FALSE(circuit.allow(now + kSecond)) << "one trial only";
    circuit.failure(now + kSecond);
    EXPECT_EQ(circuit.state(), CircuitState::kOpen);
    EXPECT_FALSE(circuit.allow(now + 10 * kSecond));
    EXPECT_TRUE(circuit.allow(now + 11 * kSecond));
    circuit.success();
    EXPECT_EQ(circuit.state(), CircuitState::kClosed);
    EXPECT_TRUE(circuit.allow(now + 11 * kSecond));
    EXPECT_EQ(circuit.opened(), 2U);
}

TEST(CircuitBreaker, ATrialThatIsNeverReportedIsFollowedByAnother) {
    CircuitBreaker circuit({.failures_max = 1, .cool_down_ns = kSecond});
    circuit.failure(0);
    EXPECT_TRUE(circuit.allow(kSecond));
    EXPECT_FALSE(circuit.allow(kSecond + 1));
    EXPECT_TRUE(circuit.allow(2 * kSecond));
}

TEST(CircuitBreaker, AProbeByOthersClosesIt) {
    CircuitBreaker circuit({.failures_max = 1});
    circuit.failure(0);
    circuit.success();
    EXPECT_TRUE(circuit.allow(1));
}

}  // namespace circuit_breaker_test
}  // namespace tidal::cluster
