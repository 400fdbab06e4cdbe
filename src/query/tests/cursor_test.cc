#include "query/cursor.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <map>

#include "base/base64url.h"

namespace tidal::query {
namespace cursor_test {

Cursor sample() {
    return {.query = {1, 2},
            .now_ms = 1'767'225'600'000,
            .seed = 7,
            .shown = 20,
            .after = PagePosition{-0.125, EntityId(18446744073709551615ULL)},
            .shown_hashes = {}};
}

const CursorCodec& codec() {
    static const CursorCodec kCodec(std::string(32, 'k'));
    return kCodec;
}

TEST(CursorCodec, TheTokenOfVersionTwoStaysTheSame) {
    EXPECT_EQ(codec().encode(sample()),
              "AgABAAAAAAAAAAIAAAAAAAAAAKjadpsBAAAHAAAAAAAAABQAAAAAAADAvwD___________8BJn99e-3JwEWU"
              "r2PeuM6fKA");
}

/// A key of a block, and one that counts by its hash, sign as RFC 2104 says (checked with another
/// implementation); a codec signs any number of cursors alike.
TEST(CursorCodec, KeysOfAnySizeSign) {
    const auto ends = [](std::size_t size) {
        const CursorCodec codec(std::string(size, 'k'));
        const std::string token = codec.encode(sample());
        EXPECT_EQ(codec.encode(sample()), token);
        EXPECT_EQ(
            CursorCodec(std::make_shared<const CursorKey>(std::string(size, 'k'))).encode(sample()),
            token);
        return token.substr(token.size() - 24);
    };
    EXPECT_EQ(ends(64), "8BOkozBOgWk-ulcQqfm6a95Q");
    EXPECT_EQ(ends(65), "8BW2-nzVF4WvdI7JUAeco1MA");
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
    if (number % 3 == 0) {
        for (std::uint64_t i = number % 1999; i > 0; --i)
            cursor.shown_hashes.push_back(short_hash(EntityId(number * i)));
        std::map<ShortHash, std::uint32_t> groups;
        for (std::uint64_t i = number % 7; i > 0; --i)
            groups[short_hash(EntityId(seed * i))] = static_cast<std::uint32_t>(i);
        cursor.shown_groups.assign(groups.begin(), groups.end());
    } else {
        cursor.after.emplace();
        cursor.after->score = *rc::gen::element(0.0, 1e300, -1e300, 1.0 / 3, 5e-324);
        const auto text = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
        cursor.after->id = number % 2 == 0 ? EntityId(number) : EntityId(text.substr(0, 255));
        if (number % 5 < 2) cursor.after->text = text.substr(0, 256);
    }
    const auto decoded = codec().decode(codec().encode(cursor));
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == cursor);
}

Cursor long_cursor(std::size_t shown) {
    Cursor cursor = sample();
    cursor.after.reset();
    for (std::uint64_t id = 0; id < shown; ++id)
        cursor.shown_hashes.push_back(short_hash(EntityId(id)));
    return cursor;
}

TEST(CursorCodec, LongListsStayWithTheServerForTenMinutes) {
    ShownStore store;
    const std::string key(32, 'k');
    const CursorCodec now(key, &store, 1'000);
    const std::string in_token = now.encode(long_cursor(kShownInToken));
    const std::string kept = now.encode(long_cursor(kShownInToken + 1));
    EXPECT_GT(in_token.size(), 6'000u);
    EXPECT_LT(in_token.size(), 8'000u) << "fits a request's head";
    EXPECT_LT(kept.size(), 100u);
    EXPECT_NE(kept, now.encode(long_cursor(kShownInToken + 1))) << "a list of its own";
    const CursorCodec later(key, &store, 600'999), too_late(key, &store, 601'000);
    EXPECT_EQ(*later.decode(kept), long_cursor(kShownInToken + 1));
    EXPECT_EQ(*too_late.decode(in_token), long_cursor(kShownInToken));
    EXPECT_EQ(too_late.decode(kept).error().code(), ErrorCode::kGone);
    EXPECT_EQ(CursorCodec(key).decode(kept).error().reason(), "cursor_gone");

    Cursor grouped = long_cursor(kShownInToken / 2);
    for (std::uint64_t group = 1; group <= kShownInToken / 2; ++group)
        grouped.shown_groups.emplace_back(group, 1);
    const std::string short_token = now.encode(grouped);
    EXPECT_LT(short_token.size(), 8'000u);
    EXPECT_EQ(*too_late.decode(short_token), grouped);
    grouped.shown_groups.emplace_back(kShownInToken, 9);
    EXPECT_LT(now.encode(grouped).size(), 100u);
    EXPECT_EQ(*later.decode(now.encode(grouped)), grouped);
}

TEST(ShownStoreTest, TheOldestGoFirst) {
    ShownStore store({.keep_ms = 100, .lists_max = 2});
    const ShownList one{{1}, {}}, two{{2}, {{7, 2}}}, three{{3}, {}};
    const auto first = store.put(one, 0), second = store.put(two, 0), third = store.put(three, 50);
    EXPECT_FALSE(store.get(first, 50));
    EXPECT_EQ(store.get(second, 50), two);
    EXPECT_FALSE(store.get(second, 100));
    EXPECT_EQ(store.get(third, 100), three);
    EXPECT_FALSE(store.get(third + 1, 100));
    EXPECT_FALSE(store.get(0, 100));
}

TEST(ShownStoreTest, HandlesOfAnotherAreNoneHere) {
    constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
    ShownStore mine({.first_handle = kLast}), other({.first_handle = kLast / 2});
    const ShownList one{{1}, {}}, two{{2}, {}}, three{{3}, {}};
    const auto first = mine.put(one, 0), second = mine.put(two, 0), theirs = other.put(three, 0);
    EXPECT_EQ(first, kLast);
    EXPECT_EQ(mine.get(first, 1), one);
    EXPECT_EQ(mine.get(second, 1), two);
    EXPECT_FALSE(mine.get(theirs, 1));
    EXPECT_FALSE(other.get(first, 1));
    EXPECT_FALSE(other.get(second, 1));
}

}  // namespace cursor_test
}  // namespace tidal::query
