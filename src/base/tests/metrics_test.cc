#include "base/metrics.h"

#include <gtest/gtest.h>

namespace tidal {
namespace metrics_test {

TEST(Metrics, TextExposition) {
    Metrics metrics;
    auto appends = metrics.counter("tidal_wal_appends_total", "Batches appended.");
    appends.add();
    appends.add(2);
    metrics.gauge("tidal_shard_queue_entries", "Proposals waiting.", {{"shard", "1"}}).set(7);
    metrics.gauge("tidal_shard_queue_entries", "Proposals waiting.", {{"shard", "2"}}).add(-1);
    const double bounds[] = {0.5, 1};
    auto seconds = metrics.histogram("tidal_api_seconds", "Time to answer.", bounds);
    seconds.observe(0.25);
    seconds.observe(3);
    const std::string text = metrics.text();
    for (const auto* line : {
             "# HELP tidal_wal_appends_total Batches appended.\n",
             "# TYPE tidal_wal_appends_total counter\n",
             "tidal_wal_appends_total 3\n",
             "tidal_shard_queue_entries{shard=\"1\"} 7\n",
             "tidal_shard_queue_entries{shard=\"2\"} -1\n",
             "tidal_api_seconds_bucket{le=\"0.5\"} 1\n",
             "tidal_api_seconds_bucket{le=\"+Inf\"} 2\n",
             "tidal_api_seconds_sum 3.25\n",
             "tidal_api_seconds_count 2\n",
         })
        EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
    EXPECT_LT(text.find("tidal_api_seconds"), text.find("tidal_shard_queue"));
}

TEST(Metrics, TheSameNameAndLabelsAreOneNumber) {
    Metrics metrics;
    metrics.counter("tidal_x_total", "X.", {{"kind", "a"}}).add();
    auto again = metrics.counter("tidal_x_total", "X.", {{"kind", "a"}});
    again.add();
    EXPECT_EQ(again.value(), 2);
    EXPECT_EQ(metrics.counter("tidal_x_total", "X.", {{"kind", "b"}}).value(), 0);
}

TEST(Metrics, AGaugeThatSaysNothingAnyMoreIsGone) {
    Metrics metrics;
    metrics.remove_gauge("tidal_up", {{"node", "1"}});  // nothing to remove
    for (const char* node : {"1", "2"})
        metrics.gauge("tidal_up", "Nodes.", {{"node", node}}).set(1);
    for (int times = 0; times < 2; ++times) metrics.remove_gauge("tidal_up", {{"node", "1"}});
    EXPECT_EQ(metrics.text(),
              "# HELP tidal_up Nodes.\n# TYPE tidal_up gauge\ntidal_up{node=\"2\"} 1\n");
    EXPECT_EQ(metrics.gauge("tidal_up", "Nodes.", {{"node", "1"}}).value(), 0);
}

TEST(Metrics, HandlesWithoutMetricsDrop) {
    Counter counter;
    Gauge gauge;
    Histogram histogram;
    counter.add();
    gauge.set(5);
    histogram.observe(1);
    EXPECT_EQ(counter.value(), 0);
    EXPECT_EQ(gauge.value(), 0);
}

TEST(Metrics, CollectorsRefreshUntilDestroyed) {
    Metrics metrics;
    auto gauge = metrics.gauge("tidal_runs", "Runs.");
    {
        auto first = metrics.on_collect([gauge]() mutable { gauge.add(1); });
        const auto moved = std::move(first);
        metrics.text();
        EXPECT_NE(metrics.text().find("tidal_runs 2\n"), std::string::npos);
    }
    metrics.text();
    EXPECT_EQ(gauge.value(), 2);
}

TEST(MetricsDeathTest, ANameOutsideTheRulesIsABrokenBelief) {
    Metrics metrics;
    EXPECT_DEBUG_DEATH(metrics.gauge("queue-length", ""), "valid_name");
    EXPECT_DEBUG_DEATH(metrics.counter("tidal_requests", ""), "_total");
}

}  // namespace metrics_test
}  // namespace tidal
