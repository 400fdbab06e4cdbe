// Feeds in process, through the library: what HTTP is held against (bench/feeds_load.sh).
//   embed_feeds_bench ITEMS SECONDS PROFILE...
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tidal/tidal.h"

namespace {

using Clock = std::chrono::steady_clock;

tidal::Result<void> fill(tidal::Library& library, std::uint64_t items) {
    constexpr std::uint64_t kBatch = 10'000;
    for (std::uint64_t from = 0; from < items; from += kBatch) {
        std::vector<tidal::api::Write> writes;
        for (std::uint64_t id = from; id < std::min(items, from + kBatch); ++id) {
            tidal::api::EntityWrite item;
            item.id = id;
            item.metadata = {{"title", "item " + std::to_string(id)}};
            writes.emplace_back(std::move(item));
        }
        for (std::uint64_t id = from; id < std::min(items, from + kBatch); id += 2) {
            tidal::api::SignalWrite view;
            view.id = id;
            view.signal = "view";
            writes.emplace_back(std::move(view));
        }
        for (const auto& reply : library.write_all(std::move(writes))) TIDAL_TRY(reply);
    }
    return {};
}

tidal::Result<void> measure(tidal::Library& library, const char* profile, double seconds) {
    std::vector<double> took_us;
    const auto start = Clock::now();
    for (auto begun = start; begun - start < std::chrono::duration<double>(seconds);) {
        TIDAL_TRY(library.feed({.profile = profile}));
        const auto ended = Clock::now();
        took_us.push_back(std::chrono::duration<double, std::micro>(ended - begun).count());
        begun = ended;
    }
    std::ranges::sort(took_us);
    std::printf("in process %-12s feeds_per_s %.0f  p50_us %.0f  p99_us %.0f\n", profile,
                static_cast<double>(took_us.size()) / seconds, took_us[took_us.size() / 2],
                took_us[took_us.size() * 99 / 100]);
    return {};
}

tidal::Result<void> run(int argc, char** argv) {
    TIDAL_ASSIGN(auto library, tidal::Library::open({}));
    TIDAL_TRY(fill(library, std::strtoull(argv[1], nullptr, 10)));
    for (int i = 3; i < argc; ++i) {
        TIDAL_TRY(measure(library, argv[i], 0.5));  // Makes its view.
        TIDAL_TRY(measure(library, argv[i], std::strtod(argv[2], nullptr)));
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: embed_feeds_bench ITEMS SECONDS PROFILE...\n");
        return 2;
    }
    const auto done = run(argc, argv);
    if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
    return done.ok() ? 0 : 1;
}
