// Scoring every item: a compiled profile beside the loop one would write by hand and beside reading
// the same memory. 8 M items, 4 columns of 8 bytes; 200 best kept. One run gives the ratios:
//   build/release/bin/ranking_bench
// Counters: ns_item; bytes_per_second of the 32 bytes that are declared for an item (four doubles);
// of_bandwidth, that rate beside the one of `memory`, which reads the same bytes and adds them up.
// All in processor time. `worst` is the most costly
// expression that compiles: ns_unit is the nanoseconds of one unit of Program::cost.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "ranking/evaluator.h"
#include "ranking/internal/block_math.h"

namespace {

using namespace tidal;
using namespace tidal::ranking;

constexpr std::size_t kItems = 8'000'000, kColumns = 4, kKept = 200;
constexpr std::string_view kSchema =
    "items:\n  fields:\n    a: float\n    b: float\n    c: float\n    d: float\n";

const std::vector<double>& column(std::size_t index) {
    static const auto kData = [] {
        std::array<std::vector<double>, kColumns> out;
        std::mt19937_64 random(1);
        for (auto& each : out) {
            each.resize(kItems);
            for (double& value : each) value = static_cast<double>(random() % 100'000) / 8;
        }
        return out;
    }();
    return kData[index];
}

/// As TableFeatureSource reads fields of neighbouring slots.
class ColumnSource final : public FeatureSource {
public:
    Result<void> fill(const Feature& feature, std::span<const Slot> slots, const EvaluationContext&,
                      std::span<double> out) override {
        block_math::copy_numbers(numbers(feature, slots), 0, out.data());
        return {};
    }
    std::span<const double> numbers(const Feature& feature,
                                    std::span<const Slot> slots) const override {
        const std::span<const double> whole(column(feature.field.value()));
        return whole.subspan(slots[0].value(), slots.size());
    }
    bool is_missing(const Feature&, Slot) const override { return false; }
};

/// The least of the kept scores; a scan compares with it and seldom does more.
class Best {
public:
    void offer(double score) {
        if (score <= bar_) return;
        heap_.push_back(score);
        std::ranges::push_heap(heap_, std::greater<>());
        if (heap_.size() <= kKept) return;
        std::ranges::pop_heap(heap_, std::greater<>());
        heap_.pop_back();
        bar_ = heap_.front();
    }
    double bar() const { return bar_; }

private:
    std::vector<double> heap_;
    double bar_ = -1e301;
};

Program compiled(const std::string& text) {
    static const schema::Schema kParsed = *schema::parse_schema(kSchema);
    const auto expr = parse_expression(text);
    if (!expr) std::cerr << expr.error().to_string() << "\n", std::abort();
    auto program =
        compile({.score = *expr, .definitions = {}, .source = text}, kParsed, EntityKind::kItem);
    if (!program) std::cerr << program.error().to_string() << "\n", std::abort();
    return std::move(program).value();
}

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Of `memory`, which runs first.
double memory_bytes_per_s = 0;

/// @param started  cpu_seconds() before the first iteration.
double bytes_per_s(const benchmark::State& state, double started) {
    return static_cast<double>(state.iterations()) * kItems * 8 * kColumns /
           (cpu_seconds() - started);
}

void report(benchmark::State& state, double started) {
    const double items = static_cast<double>(state.iterations()) * kItems;
    if (memory_bytes_per_s > 0)
        state.counters["of_bandwidth"] = bytes_per_s(state, started) / memory_bytes_per_s;
    state.counters["ns_item"] =
        benchmark::Counter(items * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.SetBytesProcessed(static_cast<std::int64_t>(items) * 8 * kColumns);
}

double run(const Program& program, Best* best) {
    ColumnSource source;
    Evaluator evaluator(program, source, {.params = {}});
    std::vector<Slot> slots(program.block_slots);
    for (std::size_t at = 0; at < kItems; at += slots.size()) {
        const std::size_t n = std::min(slots.size(), kItems - at);
        for (std::size_t i = 0; i < n; ++i) slots[i] = Slot(static_cast<std::uint32_t>(at + i));
        const auto scores = evaluator.run({slots.data(), n});
        for (const std::uint32_t i : evaluator.at_least(1, best->bar())) best->offer((*scores)[i]);
    }
    return best->bar();
}

void profile(benchmark::State& state, const char* text) {
    const Program program = compiled(text);
    const double started = cpu_seconds();
    for (auto _ : state) {
        Best best;
        benchmark::DoNotOptimize(run(program, &best));
    }
    report(state, started);
}

template <typename F>
void by_hand(benchmark::State& state, F f) {
    const double *a = column(0).data(), *b = column(1).data(), *c = column(2).data(),
                 *d = column(3).data();
    const double started = cpu_seconds();
    for (auto _ : state) {
        Best best;
        for (std::size_t i = 0; i < kItems; ++i) best.offer(f(a[i], b[i], c[i], d[i]));
        benchmark::DoNotOptimize(best.bar());
    }
    report(state, started);
}

void memory(benchmark::State& state) {
    column(0);
    const double started = cpu_seconds();
    for (auto _ : state) {
        double sums[8] = {};
        for (std::size_t c = 0; c < kColumns; ++c) {
            const auto& values = column(c);
            for (std::size_t i = 0; i < kItems; i += 8)
                for (std::size_t k = 0; k < 8; ++k) sums[k] += values[i + k];
        }
        benchmark::DoNotOptimize(sums);
    }
    memory_bytes_per_s = bytes_per_s(state, started);
    report(state, started);
}

void worst(benchmark::State& state, const char* op) {
    std::string text = "a";
    std::uint32_t cost = 0;
    Program program = compiled(text);
    for (int i = 0; i < 220; ++i) {
        const std::string next =
            text + " + " + op + std::to_string(i) + ".5" +
            (std::string_view(op).find('(') == std::string_view::npos ? "" : ")");
        const auto expr = parse_expression(next);
        if (!expr) break;
        static const schema::Schema kParsed = *schema::parse_schema(kSchema);
        auto fits = compile({.score = *expr, .definitions = {}, .source = next}, kParsed,
                            EntityKind::kItem);
        if (!fits) break;
        program = std::move(fits).value();
        cost = program.cost;
        text = next;
    }
    ColumnSource source;
    Evaluator evaluator(program, source, {.params = {}});
    std::vector<Slot> slots;
    for (std::uint32_t i = 0; i < program.block_slots; ++i) slots.push_back(Slot(i));
    for (auto _ : state) benchmark::DoNotOptimize(evaluator.run(slots));
    const double units =
        static_cast<double>(state.iterations()) * cost * static_cast<double>(slots.size());
    state.counters["ns_unit"] =
        benchmark::Counter(units * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["cost"] = cost;
}

constexpr auto kSum = [](double a, double b, double c, double d) {
    return 0.5 * a + 0.3 * b + 0.2 * c - 0.1 * d;
};
constexpr auto kRatio = [](double a, double b, double c, double d) {
    return std::sqrt(a) / (b + 20) + (c > d ? 0.2 : 0.1);
};

BENCHMARK(memory)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(by_hand, sum, kSum)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(profile, sum, "0.5 * a + 0.3 * b + 0.2 * c - 0.1 * d")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(by_hand, ratio, kRatio)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(profile, ratio, "sqrt(a) / (b + 20) + if(c > d, 0.2, 0.1)")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(worst, powers, "b^");
BENCHMARK_CAPTURE(worst, logarithms, "log1p(c + ");

}  // namespace

BENCHMARK_MAIN();
