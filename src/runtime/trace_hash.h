// runtime/trace_hash.h: a running hash of everything a simulation did, to compare two runs.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace tidal::runtime {

/// The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): a bijection that mixes all bits.
constexpr std::uint64_t mix64(std::uint64_t v) {
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
    return v ^ (v >> 31);
}

/// Order matters. Not for anything stored or sent. Not thread-safe.
class TraceHash {
public:
    void add(std::uint64_t number) { state_ = mix64(state_ ^ number) + 0x9e3779b97f4a7c15ULL; }
    void add(std::string_view bytes) { add(hash64(bytes)); }
    std::uint64_t value() const { return state_; }

private:
    std::uint64_t state_ = 0;
};

}  // namespace tidal::runtime
