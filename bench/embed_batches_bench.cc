// Batches of signals in process, through the library: what HTTP is held against (bench/batches.sh).
//   embed_batches_bench DIRECTORY ITEMS SECONDS CALLERS BATCH
// Each caller gives the next batch when the one before is durable and applied. The items are made
// where the directory is new.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tidal/tidal.h"

namespace {

using Clock = std::chrono::steady_clock;

tidal::Result<void> make_items(tidal::Library& library, std::uint64_t items) {
    constexpr std::uint64_t kBatch = 10'000;
    for (std::uint64_t from = 1; from <= items; from += kBatch) {
        std::vector<tidal::api::Write> writes;
        for (std::uint64_t id = from; id < std::min(items + 1, from + kBatch); ++id) {
            tidal::api::EntityWrite item;
            item.id = id;
            item.metadata = {{"title", "item " + std::to_string(id)}};
            writes.emplace_back(std::move(item));
        }
        for (const auto& reply : library.write_all(std::move(writes))) TIDAL_TRY(reply);
    }
    return {};
}

/// As bench/signals_load.cc sends them: any item, a user of 100,000.
std::vector<tidal::api::Write> signals(std::uint64_t items, std::size_t batch,
                                       std::mt19937_64* random) {
    std::vector<tidal::api::Write> out;
    out.reserve(batch);
    for (std::size_t i = 0; i < batch; ++i) {
        tidal::api::SignalWrite view;
        view.id = 1 + (*random)() % items;
        view.signal = "view";
        view.user_id = tidal::api::IdInput((*random)() % 100'000);
        out.emplace_back(std::move(view));
    }
    return out;
}

struct Caller {
    std::vector<double> took_us;
    std::size_t errors = 0;

    void run(tidal::Library& library, std::uint64_t items, std::size_t batch,
             Clock::time_point until, std::uint64_t seed) {
        std::mt19937_64 random(seed);
        for (auto begun = Clock::now(); begun < until;) {
            for (const auto& reply : library.write_all(signals(items, batch, &random)))
                errors += reply.ok() ? 0 : 1;
            const auto ended = Clock::now();
            took_us.push_back(std::chrono::duration<double, std::micro>(ended - begun).count());
            begun = ended;
        }
    }
};

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds_of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

tidal::Result<int> run(char** argv) {
    const std::uint64_t items = std::strtoull(argv[2], nullptr, 10);
    const double seconds = std::strtod(argv[3], nullptr);
    const std::size_t callers = std::strtoull(argv[4], nullptr, 10);
    const std::size_t batch = std::strtoull(argv[5], nullptr, 10);
    tidal::OpenOptions options;
    options.directory = argv[1];
    TIDAL_ASSIGN(auto library, tidal::Library::open(options));
    tidal::api::EntityRequest last;
    last.id = items;
    if (!library.get(last).ok()) TIDAL_TRY(make_items(library, items));

    std::vector<Caller> all(callers);
    std::vector<std::thread> threads;
    const double cpu_before = cpu_seconds();
    const auto start = Clock::now();
    const auto until =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (std::size_t i = 0; i < callers; ++i)
        threads.emplace_back([&, i] { all[i].run(library, items, batch, until, 1 + i); });
    for (std::thread& thread : threads) thread.join();
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    const double cpu = cpu_seconds() - cpu_before;

    std::vector<double> took_us;
    std::size_t errors = 0;
    for (const Caller& caller : all) {
        took_us.insert(took_us.end(), caller.took_us.begin(), caller.took_us.end());
        errors += caller.errors;
    }
    std::ranges::sort(took_us);
    const double sent = static_cast<double>(took_us.size() * batch);
    std::printf(
        "library signals_per_s=%.0f requests=%zu p50_us=%.0f p99_us=%.0f errors=%zu "
        "cpu_us_of_signal=%.2f\n",
        sent / elapsed, took_us.size(), took_us[took_us.size() / 2],
        took_us[took_us.size() * 99 / 100], errors, cpu * 1e6 / sent);
    return errors == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fprintf(stderr, "usage: embed_batches_bench DIRECTORY ITEMS SECONDS CALLERS BATCH\n");
        return 2;
    }
    const auto code = run(argv);
    if (!code.ok()) std::fprintf(stderr, "%s\n", code.error().to_string().c_str());
    return code.ok() ? *code : 1;
}
