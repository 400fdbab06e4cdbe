#include "query/cursor.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/base64url.h"

namespace tidal::query {
namespace {

Cursor sample() {
    return {.query = {1, 2},
            .now_ms = 1'767'225'600'000,
            .seed = 7,
            .shown = 20,
            .score = -0.125,
            .id = EntityId(18446744073709551615ULL)};
}

const CursorCodec& codec() {
    static const CursorCodec kCodec(std::string(32, 'k'));
    return kCodec;
}

TEST(CursorCodec, TheTokenOfVersionOneStaysTheSame) {
    EXPECT_EQ(codec().encode(sample()),
              "AQEAAAAAAAAAAgAAAAAAAAAAqNp2mwEAAAcAAAAAAAAAFAAAAAAAAMC_AP___________wFyMY0UuwcPcbf5"
              "Afy-A0cO");
}

TEST(CursorCodec, EveryFlippedBitAndEveryCutIsRefused) {
    const std::string token = codec().encode(sample());
    std::string bytes = *base64url_decode(token);
    ASSERT_TRUE(codec().decode(token).ok());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        const auto decoded = codec().decode(base64url_encode(bytes));
        ASSERT_FALSE(decoded.ok()) << "bit " << bit;
        EXPECT_EQ(decoded.error().code(),
                  bit < 8 ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument);
        EXPECT_EQ(decoded.error().field(), "cursor");
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(codec().decode(base64url_encode(bytes.substr(0, size))).ok());
}

TEST(CursorCodec, RefusesWhatItDidNotMake) {
    const CursorCodec other(std::string(32, 'x'));
    EXPECT_EQ(codec().decode(other.encode(sample())).error().code(), ErrorCode::kInvalidArgument);
    for (const char* token : {"not base64!", "AQ", "", "AAAA"})
        EXPECT_FALSE(codec().decode(token).ok()) << token;
    EXPECT_FALSE(codec().decode(std::string(100'000, 'A')).ok());
}

RC_GTEST_PROP(CursorCodec, DecodesWhatItEncoded,
              (std::uint64_t high, std::uint64_t low, std::int64_t now, std::uint64_t seed,
               std::uint64_t shown, std::uint64_t number)) {
    Cursor cursor{.query = {high, low}, .now_ms = now, .seed = seed, .shown = shown};
    cursor.score = *rc::gen::element(0.0, 1e300, -1e300, 1.0 / 3, 5e-324);
    const auto text = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    cursor.id = number % 2 == 0 ? EntityId(number) : EntityId(text.substr(0, 255));
    const auto decoded = codec().decode(codec().encode(cursor));
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == cursor);
}

}  // namespace
}  // namespace tidal::query
