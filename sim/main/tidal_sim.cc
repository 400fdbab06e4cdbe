// Replays simulated lives: tidal-sim --seed N [--seeds COUNT] [--shards S]
#include <charconv>
#include <cstdio>
#include <cstring>

#include "sim/node_life.h"

int main(int argc, char** argv) {
    std::uint64_t seed = 1, seeds = 1, shards = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::uint64_t* out = std::strcmp(argv[i], "--seed") == 0     ? &seed
                             : std::strcmp(argv[i], "--seeds") == 0  ? &seeds
                             : std::strcmp(argv[i], "--shards") == 0 ? &shards
                                                                     : nullptr;
        const char* end = argv[i + 1] + std::strlen(argv[i + 1]);
        if (out == nullptr || std::from_chars(argv[i + 1], end, *out).ptr != end) {
            std::fprintf(stderr, "usage: tidal-sim [--seed N] [--seeds COUNT] [--shards S]\n");
            return 2;
        }
    }
    for (std::uint64_t at = seed; at < seed + seeds; ++at) {
        tidal::sim::NodeLifeOptions options;
        options.seed = at;
        options.shards = static_cast<std::uint16_t>(shards);
        const auto report = tidal::sim::run_node_life(options);
        std::printf(
            "seed %llu: hash %016llx, %d crashes, %llu acknowledged, %llu repeated, %llu refused "
            "by a full disk, %llu times others came in between%s%s\n",
            static_cast<unsigned long long>(at), static_cast<unsigned long long>(report.final_hash),
            report.crashes, static_cast<unsigned long long>(report.acknowledged),
            static_cast<unsigned long long>(report.retried),
            static_cast<unsigned long long>(report.refused_full),
            static_cast<unsigned long long>(report.let_in),
            report.failure.empty() ? "" : ": FAILED: ", report.failure.c_str());
        std::fflush(stdout);
        if (!report.failure.empty()) return 1;
    }
    return 0;
}
