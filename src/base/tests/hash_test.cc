#include "base/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidal {
namespace hash_test {

// Produced by the plain C path of xxhash.h (XXH_VECTOR=0): routing and content hashes rest on them.
TEST(Hash, GoldenVectors) {
    EXPECT_EQ(hash64(""), 0x2d06800538d394c2U);
    EXPECT_EQ(hash64("tidal"), 0x3e2435cf0514a8e2U);
    EXPECT_EQ(hash128("").to_hex(), "99aa06d3014798d86001c324468d497f");
    EXPECT_EQ(hash128("tidal").to_hex(), "43d86d29120a24ea71b5839b20cd0bcd");
    EXPECT_EQ(hash64(std::string(1000, 'x')), 0xc0a4877b962cba82U);
    EXPECT_EQ(hash128(std::string(1000, 'x')).to_hex(), "50a1af5a5f2dcf01c0a4877b962cba82");
    EXPECT_EQ(hash64("tidal", 1), 0xb444156f3caaaeb9U);
}

RC_GTEST_PROP(StreamHash, DoesNotSeeHowBytesAreCut,
              (const std::vector<std::string>& pieces, std::uint64_t seed)) {
    StreamHash stream(seed);
    std::string whole;
    for (const auto& piece : pieces) {
        stream.update(piece);
        whole += piece;
    }
    RC_ASSERT(stream.digest() == hash128(whole, seed));
    stream.update("more");
    RC_ASSERT(stream.digest() == hash128(whole + "more", seed));
}

}  // namespace hash_test
}  // namespace tidal
