#include "base/codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <memory>

namespace tidal {
namespace codec_test {

RC_GTEST_PROP(Codec, RoundTrips,
              (std::uint8_t a, std::uint16_t b, std::uint32_t c, std::uint64_t d, std::int64_t e,
               double f, const std::string& text)) {
    Encoder out;
    out.u8(a);
    out.u16(b);
    out.u32(c);
    out.u64(d);
    out.i64(e);
    out.f64(f);
    out.f32(static_cast<float>(f));
    out.varint(d);
    out.svarint(e);
    out.bytes(text);
    out.raw("tail");

    Decoder in(out.view());
    RC_ASSERT(in.u8() == a);
    RC_ASSERT(in.u16() == b);
    RC_ASSERT(in.u32() == c);
    RC_ASSERT(in.u64() == d);
    RC_ASSERT(in.i64() == e);
    RC_ASSERT(std::bit_cast<std::uint64_t>(in.f64()) == std::bit_cast<std::uint64_t>(f));
    RC_ASSERT(std::bit_cast<std::uint32_t>(in.f32()) ==
              std::bit_cast<std::uint32_t>(static_cast<float>(f)));
    RC_ASSERT(in.varint() == d);
    RC_ASSERT(in.svarint() == e);
    RC_ASSERT(in.bytes() == text);
    RC_ASSERT(in.raw(4) == "tail");
    RC_ASSERT(in.finish("test").ok());
}

TEST(Codec, VarintEdges) {
    const std::uint64_t edges[] = {0, 1, 127, 128, 16383, 16384, 1ULL << 63, ~0ULL};
    for (const auto edge : edges) {
        Encoder out;
        out.varint(edge);
        out.svarint(static_cast<std::int64_t>(edge));
        Decoder in(out.view());
        EXPECT_EQ(in.varint(), edge);
        EXPECT_EQ(in.svarint(), static_cast<std::int64_t>(edge));
        EXPECT_TRUE(in.finish("edge").ok());
    }
    Encoder longest;
    longest.varint(~0ULL);
    EXPECT_EQ(longest.size(), 10U);
}

TEST(Codec, LittleEndianLayout) {
    Encoder out;
    out.u32(0x01020304);
    out.varint(300);
    EXPECT_EQ(out.view(), std::string_view("\x04\x03\x02\x01\xac\x02", 6));
}

TEST(Decoder, RefusesVarintsThatAreTooLongOrTooLarge) {
    for (const auto bytes : {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02",  // bit 64
                             "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x80"}) {
        Decoder in(bytes);
        EXPECT_EQ(in.varint(), 0U);
        EXPECT_TRUE(in.failed());
    }
}

TEST(Decoder, StaysFailedAndSaysWhat) {
    Decoder in("abc");
    EXPECT_EQ(in.u64(), 0U);
    EXPECT_EQ(in.u8(), 0U);
    EXPECT_EQ(in.bytes(), "");
    const auto result = in.finish("batch header");
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(result.error().to_string(), "batch header: truncated or malformed");

    EXPECT_EQ(Decoder("ab").finish("x").error().to_string(), "x: bytes left over, bytes=2");
}

TEST(Decoder, AForgedCountIsRefused) {
    Encoder out;
    out.varint(std::numeric_limits<std::uint64_t>::max());
    out.raw("12345678");
    Decoder forged(out.view());
    EXPECT_EQ(forged.count(1), 0U);
    EXPECT_TRUE(forged.failed());

    Encoder fair;
    fair.varint(2);
    fair.raw("12345678");
    Decoder exact(fair.view());
    EXPECT_EQ(exact.count(4), 2U);
    EXPECT_EQ(exact.offset(), 1U);
    EXPECT_EQ(exact.remaining(), 8U);
    Decoder large(fair.view());
    EXPECT_EQ(large.count(5), 0U);
    EXPECT_TRUE(large.failed());
}

// Under AddressSanitizer any read past the heap block fails the test.
RC_GTEST_PROP(Decoder, NeverReadsOutOfBounds, (const std::string& bytes)) {
    const auto exact = std::make_unique<char[]>(bytes.size());
    std::memcpy(exact.get(), bytes.data(), bytes.size());
    Decoder in(std::string_view(exact.get(), bytes.size()));
    while (in.remaining() > 0) {
        const auto before = in.remaining();
        switch (*rc::gen::inRange(0, 8)) {
            case 0:
                in.u8();
                break;
            case 1:
                in.u16();
                break;
            case 2:
                in.u64();
                break;
            case 3:
                in.f64();
                break;
            case 4:
                in.varint();
                break;
            case 5:
                in.svarint();
                break;
            case 6:
                in.bytes();
                break;
            default:
                in.count(3);
                break;
        }
        RC_ASSERT(in.remaining() < before);
        RC_ASSERT(in.failed() || in.offset() + in.remaining() == bytes.size());
    }
}

}  // namespace codec_test
}  // namespace tidal
