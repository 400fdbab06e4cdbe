// base/metrics.h: numbers operators watch, in the text format of Prometheus.
//
// Names are tidal_<module>_<what>_<unit>, in seconds and bytes; counters end in _total. A Metrics
// object is handed in by constructor; there is no global one. Handles are small values that stay
// valid while their Metrics lives; a default-constructed handle drops what it is told, so that a
// part works without metrics. A number may guide an operator, never a decision that changes state.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace tidal {

/// Only rises. Threads: any.
class Counter {
public:
    Counter() = default;
    void add(double amount = 1);  ///< amount >= 0.
    double value() const;

private:
    friend class Metrics;
    explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
    prometheus::Counter* counter_ = nullptr;
};

/// Goes both ways. Threads: any.
class Gauge {
public:
    Gauge() = default;
    void set(double value);
    void add(double amount);
    double value() const;

private:
    friend class Metrics;
    explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
    prometheus::Gauge* gauge_ = nullptr;
};

/// Counts observations per bucket. Threads: any.
class Histogram {
public:
    Histogram() = default;
    void observe(double value);

private:
    friend class Metrics;
    explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
    prometheus::Histogram* histogram_ = nullptr;
};

/// Bucket bounds for latencies, 50 us to 10 s.
inline constexpr double kLatencyBounds[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                            0.005,   0.01,   0.025,   0.05,   0.1,   0.25,
                                            0.5,     1,      2.5,     5,      10};

/// Threads: any.
class Metrics {
public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// The same name and labels give the same number again. The same name as another kind, or a
    /// name outside [a-z0-9_] or not beginning with tidal_, is a broken belief: assert.
    Counter counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge gauge(std::string_view name, std::string_view help, Labels labels = {});
    /// Ends one that says nothing any more, if it is there. Its handles must not be used again, nor
    /// one be taken meanwhile.
    void remove_gauge(std::string_view name, Labels labels);
    /// @param  bounds  upper bounds, rising; a last bucket without bound is added.
    Histogram histogram(std::string_view name, std::string_view help,
                        std::span<const double> bounds, Labels labels = {});

    /// Ends the calls of its callback; returns once none is running.
    class [[nodiscard]] Collector {
    public:
        Collector() = default;
        ~Collector() { reset(); }
        Collector(Collector&& other) noexcept { *this = std::move(other); }
        Collector& operator=(Collector&& other) noexcept;
        void reset();

    private:
        friend class Metrics;
        Metrics* metrics_ = nullptr;
        std::uint64_t id_ = 0;
    };
    /// `refresh` runs before each text(), to set gauges that are cheaper to read than to keep. It
    /// must not register collectors. Destroy the Collector before the Metrics.
    Collector on_collect(std::function<void()> refresh);

    /// Everything, in the text exposition format 0.0.4, sorted by name.
    std::string text();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tidal
