#include "base/hash.h"

#include <xxhash.h>

#include <new>

namespace tidal {
namespace {

Hash128 from_xxh(XXH128_hash_t hash) {
    return {hash.high64, hash.low64};
}

}  // namespace

std::string Hash128::to_hex() const {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const std::uint64_t half : {high, low}) {
        for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(half >> shift) & 0xf];
    }
    return out;
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Hash128 hash128(std::string_view bytes, std::uint64_t seed) {
    return from_xxh(XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
}

void StreamHash::Free::operator()(XXH3_state_s* state) const {
    XXH3_freeState(state);
}

StreamHash::StreamHash(std::uint64_t seed) : state_(XXH3_createState()) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset_withSeed(state_.get(), seed);
}

void StreamHash::update(std::string_view bytes) {
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

Hash128 StreamHash::digest() const {
    return from_xxh(XXH3_128bits_digest(state_.get()));
}

}  // namespace tidal
