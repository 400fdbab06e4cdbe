// bench/api_trending_bench.cc: a feed over many items while signals arrive, and what views cost a
// write.
//
//     api_trending_bench [items = 10000] [signals a second = 20000] [seconds = 5]
//
// One database in memory, one shard. Prints the time of the first feed (a scan), of making the
// view, the median and 99th percentile of Database::feed for the top 20 and 50 of `trending` while
// signals arrive by Zipf-like draws, with metadata and with ids alone; and the time of one signal
// in batches of 100 with 0, 1 and 5 views.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "api/database.h"
#include "runtime/real_runtime.h"
#include "runtime/seeded_random.h"
#include "runtime/task.h"

namespace tidal::api {
namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

template <typename T, typename Start>
runtime::Task<Result<T>> answered(Start start) {
    runtime::Completion<T> done;
    start(done.completer());
    Result<T> result = co_await done;
    co_return result;
}
template <typename T, typename Start>
Result<T> wait(Start start) {
    return runtime::sync_wait(answered<T>(std::move(start)));
}

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}
void must(const Result<void>& result) {
    if (result.ok()) return;
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}

class Bench {
public:
    explicit Bench(std::uint64_t items)
        : items_(items), runtime_(must(runtime::make_real_runtime({}))) {
        DatabaseOptions options;
        options.ephemeral = true;
        options.shards = 1;
        database_ = must(Database::open(options, *runtime_));
        must(wait<void>([&](auto done) { database_->start(std::move(done)); }));
    }
    ~Bench() {
        (void)wait<void>([this](auto done) {
            database_->stop([done = std::move(done)]() mutable { done({}); });
        });
    }

    void load() {
        std::vector<Write> writes;
        for (std::uint64_t id = 1; id <= items_; ++id) {
            EntityWrite write;
            write.id = id;
            write.metadata = {{"title", "item " + std::to_string(id)},
                              {"category", std::string(id % 3 == 0 ? "music" : "film")}};
            writes.push_back(std::move(write));
            if (writes.size() == 5'000 || id == items_) send(std::exchange(writes, {}));
        }
        // Every third item has been seen today, a few a lot.
        for (std::uint64_t n = 0; n < items_ / 3; n += 5'000) send(signals(5'000));
    }

    std::vector<Write> signals(std::size_t count) {
        std::vector<Write> out(count);
        for (Write& write : out) {
            SignalWrite signal;
            // u^3 over the items: a head that repeats and a tail that is wide.
            const double u = static_cast<double>(random_.u64() >> 11) * 0x1p-53;
            signal.id = 1 + static_cast<std::uint64_t>(u * u * u * static_cast<double>(items_ - 1));
            signal.signal = random_.below(5) == 0 ? "share" : "view";
            signal.user_id = IdInput(1 + random_.below(100'000));
            write = std::move(signal);
        }
        return out;
    }

    void send(std::vector<Write> writes) {
        const auto replies = must(wait<WriteReplies>([&](auto done) {
            CallContext context;
            context.write_concern = shard::WriteConcern::kMemory;
            database_->write(std::move(writes), context, std::move(done));
        }));
        for (const auto& reply : replies)
            if (!reply.ok()) must(Result<void>(reply.error()));
    }

    double feed_us(const std::string& profile, std::uint32_t limit, bool ids_only = false) {
        FeedCall call;
        call.profile = profile;
        call.limit = limit;
        if (ids_only) call.fields.emplace();
        const auto begin = Clock::now();
        const auto reply = must(database_->feed(call));
        const double us = us_since(begin);
        if (reply.items.size() != std::min<std::uint64_t>(limit, items_)) std::exit(2);
        return us;
    }

    void make_view(const std::string& profile) {
        const auto begin = Clock::now();
        const double first = feed_us(profile, 20);
        const std::uint64_t before = pages();
        while (pages() == before) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            feed_us(profile, 20);
        }
        std::printf("%-14s first feed %9.1f ms, from its view after %9.1f ms\n", profile.c_str(),
                    first / 1000, us_since(begin) / 1000);
    }
    std::uint64_t pages() { return database_->stats().shards[1].view_pages; }

    void feeds_under_signals(double signals_a_second, double seconds, bool ids_only) {
        for (const std::uint32_t limit : {20u, 50u}) {
            std::atomic<bool> stop{false};
            std::atomic<std::uint64_t> sent{0};
            std::thread writer([&] {
                const auto begin = Clock::now();
                while (!stop) {
                    send(signals(100));
                    sent += 100;
                    const double due = static_cast<double>(sent) / signals_a_second * 1e6;
                    if (due > us_since(begin))
                        std::this_thread::sleep_for(
                            std::chrono::microseconds(static_cast<long>(due - us_since(begin))));
                }
            });
            std::vector<double> times;
            const auto begin = Clock::now();
            while (us_since(begin) < seconds * 1e6)
                times.push_back(feed_us("trending", limit, ids_only));
            const double took = us_since(begin);
            stop = true;
            writer.join();
            std::ranges::sort(times);
            std::printf(
                "%9llu items  top %2u  %-9s  p50 %7.1f us  p99 %7.1f us  (%zu feeds, %.0f "
                "signals/s)\n",
                static_cast<unsigned long long>(items_), limit, ids_only ? "ids" : "all fields",
                times[times.size() / 2], times[times.size() * 99 / 100], times.size(),
                static_cast<double>(sent) / took * 1e6);
        }
    }

    void writes(const char* what) {
        for (int i = 0; i < 20; ++i) send(signals(100));
        std::vector<std::vector<Write>> batches;
        for (int i = 0; i < 400; ++i) batches.push_back(signals(100));
        const auto begin = Clock::now();
        for (auto& batch : batches) send(std::move(batch));
        std::printf("%9llu items  a signal, batches of 100, %s: %.2f us\n",
                    static_cast<unsigned long long>(items_), what, us_since(begin) / 40'000);
    }

private:
    std::uint64_t items_;
    std::unique_ptr<runtime::Runtime> runtime_;
    std::unique_ptr<Database> database_;
    runtime::SeededRandom random_{1};
};

}  // namespace
}  // namespace tidal::api

int main(int argc, char** argv) {
    const std::uint64_t items = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
    const double rate = argc > 2 ? std::strtod(argv[2], nullptr) : 20'000;
    const double seconds = argc > 3 ? std::strtod(argv[3], nullptr) : 5;
    tidal::api::Bench bench(items);
    bench.load();
    bench.writes("no view");
    bench.make_view("trending");
    bench.writes("1 view");
    for (const bool ids_only : {false, true}) bench.feeds_under_signals(rate, seconds, ids_only);
    for (const char* profile : {"top_hour", "hot", "most_viewed", "new"}) bench.make_view(profile);
    bench.writes("5 views");
    return 0;
}
