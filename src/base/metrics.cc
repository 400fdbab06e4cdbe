#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <map>
#include <mutex>

namespace tidal {
namespace {

[[maybe_unused]] bool valid_name(std::string_view name) {
    if (!name.starts_with("tidal_")) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

prometheus::Labels to_labels(Metrics::Labels labels) {
    prometheus::Labels out;
    for (const auto& [key, value] : labels) out.emplace(key, value);
    return out;
}

}  // namespace

void Counter::add(double amount) {
    assert(amount >= 0);
    if (counter_ != nullptr) counter_->Increment(amount);
}
double Counter::value() const {
    return counter_ != nullptr ? counter_->Value() : 0;
}

void Gauge::set(double value) {
    if (gauge_ != nullptr) gauge_->Set(value);
}
void Gauge::add(double amount) {
    if (gauge_ != nullptr) gauge_->Increment(amount);
}
double Gauge::value() const {
    return gauge_ != nullptr ? gauge_->Value() : 0;
}

void Histogram::observe(double value) {
    if (histogram_ != nullptr) histogram_->Observe(value);
}

struct Metrics::State {
    // The registry keeps each family by name, kind and constant labels; a name used as two kinds
    // makes it throw, which ends the process: a broken belief.
    prometheus::Registry registry;
    std::mutex mutex;
    std::map<std::uint64_t, std::function<void()>> collectors;
    std::uint64_t collector_next = 1;
    std::mutex gauges_mutex;  // Collectors hold the other one.
    std::map<std::string, prometheus::Family<prometheus::Gauge>*, std::less<>> gauges;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() {
    assert(state_->collectors.empty());
}

Counter Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
    assert(valid_name(name) && name.ends_with("_total"));
    auto& family = prometheus::BuildCounter()
                       .Name(std::string(name))
                       .Help(std::string(help))
                       .Register(state_->registry);
    return Counter(&family.Add(to_labels(labels)));
}

Gauge Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
    assert(valid_name(name) && !name.ends_with("_total"));
    auto& family = prometheus::BuildGauge()
                       .Name(std::string(name))
                       .Help(std::string(help))
                       .Register(state_->registry);
    const std::lock_guard lock(state_->gauges_mutex);
    state_->gauges.try_emplace(std::string(name), &family);
    return Gauge(&family.Add(to_labels(labels)));
}

void Metrics::remove_gauge(std::string_view name, Labels labels) {
    const std::lock_guard lock(state_->gauges_mutex);
    const auto family = state_->gauges.find(name);
    if (family != state_->gauges.end() && family->second->Has(to_labels(labels)))
        family->second->Remove(&family->second->Add(to_labels(labels)));
}

Histogram Metrics::histogram(std::string_view name, std::string_view help,
                             std::span<const double> bounds, Labels labels) {
    assert(valid_name(name) && std::is_sorted(bounds.begin(), bounds.end()));
    auto& family = prometheus::BuildHistogram()
                       .Name(std::string(name))
                       .Help(std::string(help))
                       .Register(state_->registry);
    return Histogram(&family.Add(
        to_labels(labels), prometheus::Histogram::BucketBoundaries(bounds.begin(), bounds.end())));
}

Metrics::Collector& Metrics::Collector::operator=(Collector&& other) noexcept {
    reset();
    metrics_ = std::exchange(other.metrics_, nullptr);
    id_ = other.id_;
    return *this;
}

void Metrics::Collector::reset() {
    if (metrics_ == nullptr) return;
    const std::lock_guard lock(metrics_->state_->mutex);
    metrics_->state_->collectors.erase(id_);
    metrics_ = nullptr;
}

Metrics::Collector Metrics::on_collect(std::function<void()> refresh) {
    const std::lock_guard lock(state_->mutex);
    Collector collector;
    collector.metrics_ = this;
    collector.id_ = state_->collector_next++;
    state_->collectors.emplace(collector.id_, std::move(refresh));
    return collector;
}

std::string Metrics::text() {
    {
        const std::lock_guard lock(state_->mutex);
        for (const auto& [id, refresh] : state_->collectors) refresh();
    }
    auto families = state_->registry.Collect();
    std::sort(families.begin(), families.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tidal
