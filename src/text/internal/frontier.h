// text/internal/frontier.h: which (frequency, length) pairs of a set of postings no other of the
// set beats, so that the greatest score among them can be bounded for any k1, b and mean length.
//
// Source: impacts of Ding & Suel, SIGIR 2011 (block-max), as pairs instead of scores.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tidal::text {

class Frontier {
public:
    struct Pair {
        std::uint32_t frequency = 0, length = 0;
        bool operator==(const Pair&) const = default;
    };
    /// More are made fewer by pairs that beat two each.
    static constexpr std::size_t kPairsMax = 4;

    void add(Pair pair);
    void add(const Frontier& other) {
        for (const Pair& pair : other.pairs()) add(pair);
    }
    /// Frequencies rise, and so do lengths.
    std::span<const Pair> pairs() const { return {pairs_.data(), size_}; }

private:
    void erase(std::size_t at);

    std::array<Pair, kPairsMax + 1> pairs_{};
    std::uint32_t size_ = 0;
};

}  // namespace tidal::text
