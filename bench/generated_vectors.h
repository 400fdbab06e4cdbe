// bench/generated_vectors.h: vectors from a fixed seed: centres, normal in every dimension, and
// points around them, 0.5 times as wide (xorshift64, Marsaglia 2003; Box-Muller).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidal::bench {

struct Random {
    std::uint64_t state = 88172645463325252ULL;
    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
    double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    float normal() {
        return static_cast<float>(std::sqrt(-2 * std::log(1 - unit())) *
                                  std::cos(6.283185307179586 * unit()));
    }
};

/// Makes one vector after the other.
class Clusters {
public:
    static constexpr std::size_t kCentres = 1000;

    explicit Clusters(std::size_t dimensions, std::size_t count = kCentres)
        : dimensions_(dimensions), count_(count), centres_(count * dimensions) {
        for (float& value : centres_) value = random_.normal();
    }
    /// Appends a vector. @return  Its centre.
    std::size_t add(std::vector<float>* to) {
        const std::size_t centre = random_.next() % count_;
        for (std::size_t d = 0; d < dimensions_; ++d)
            to->push_back(centres_[centre * dimensions_ + d] + 0.5F * random_.normal());
        return centre;
    }

private:
    std::size_t dimensions_, count_;
    Random random_;
    std::vector<float> centres_;
};

}  // namespace tidal::bench
