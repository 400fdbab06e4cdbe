// base/hash.h: XXH3 hashes whose values are part of formats (routing, content hashes).
//
// Source: xxHash 0.8 XXH3, whose values are frozen since 0.8.0; tests hold golden vectors. Equal on
// every CPU. Not for adversarial input: do not use as a MAC.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace tidal {

struct Hash128 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const Hash128&) const = default;
    /// 32 lower-case hexadecimal digits, high half first.
    std::string to_hex() const;
};

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);
Hash128 hash128(std::string_view bytes, std::uint64_t seed = 0);

/// hash128 of bytes that arrive in pieces; how they are cut does not matter.
class StreamHash {
public:
    explicit StreamHash(std::uint64_t seed = 0);

    void update(std::string_view bytes);
    /// Of everything so far; more may follow.
    Hash128 digest() const;

private:
    struct Free {
        void operator()(XXH3_state_s* state) const;
    };
    std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace tidal
