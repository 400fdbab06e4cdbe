// runtime/seeded_random.h: SplitMix64, the generator behind both the real and the simulated Random.
#pragma once

#include <atomic>
#include <string>

#include "runtime/random.h"
#include "runtime/trace_hash.h"

namespace tidal::runtime {

/// Source   Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
///          Passes BigCrush; predictable, so not for secrets.
/// Threads  any: the state is one atomic counter.
class SeededRandom : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    std::uint64_t u64() override {
        constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
        return mix64(state_.fetch_add(kGolden, std::memory_order_relaxed) + kGolden);
    }
    /// Predictable as well: the real runtime has the system's (real_runtime.cc).
    Result<std::string> secret_bytes(std::size_t size) override {
        std::string bytes;
        while (bytes.size() < size) {
            const std::uint64_t word = u64();
            bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
        }
        bytes.resize(size);
        return bytes;
    }

private:
    std::atomic<std::uint64_t> state_;
};

}  // namespace tidal::runtime
