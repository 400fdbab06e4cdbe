#include "wal/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <cstring>

#include "base/crc32c.h"
#include "log_fixture.h"
#include "wal/internal/zstd.h"

namespace tidal::wal {
namespace batch_test {

BatchHeader golden_header() {
    BatchHeader header;
    header.region = RegionId(1);
    header.shard = ShardId(3);
    header.incarnation = Incarnation(2);
    header.term = Term(5);
    header.first_index = LogIndex(4096);
    header.count = 3;
    header.stamp = HybridTime::from(1'700'000'000'123, 7);
    header.synced_distance = 77;
    return header;
}

std::string golden_payload() {
    using namespace std::string_literals;
    return "\x0c"s + "first record" + "\x06" + "second" + "\x00"s;
}

/// Sets bytes of a header and makes its checksum right again.
std::string patched(std::string bytes, std::size_t at, std::string_view replacement) {
    bytes.replace(at, replacement.size(), replacement);
    std::memset(bytes.data() + 53, 0, 4);
    const auto crc = crc32c(std::string_view(bytes).substr(0, kBatchHeaderBytes));
    std::memcpy(bytes.data() + 53, &crc, 4);
    return bytes;
}

std::string message_of(const std::string& bytes, ErrorCode* code = nullptr) {
    const auto header = decode_header(bytes);
    if (header) return "decoded";
    if (code != nullptr) *code = header.error().code();
    return header.error().message();
}

TEST(Batch, EncodesTheGoldenBytes) {
    std::string bytes;
    encode_batch(golden_header(), golden_payload(), &bytes);
    EXPECT_EQ(bytes, read_hex("batch_v2.hex"));
}

TEST(Batch, DecodesTheGoldenBytes) {
    const auto bytes = read_hex("batch_v2.hex");
    auto expected = golden_header();
    expected.payload_bytes = static_cast<std::uint32_t>(golden_payload().size());
    const auto header = decode_header(bytes);
    ASSERT_TRUE(header) << header.error().to_string();
    EXPECT_EQ(*header, expected);
    EXPECT_EQ(header->last_index(), LogIndex(4098));
    EXPECT_TRUE(verify_payload(bytes, std::string_view(bytes).substr(kBatchHeaderBytes)));
}

TEST(Batch, VersionOneIsRegionAndShardZero) {
    const auto bytes = read_hex("batch_v1.hex");
    auto expected = golden_header();
    expected.version = 1;
    expected.region = RegionId(0);
    expected.shard = ShardId(0);
    expected.payload_bytes = static_cast<std::uint32_t>(golden_payload().size());
    const auto header = decode_header(bytes);
    ASSERT_TRUE(header) << header.error().to_string();
    EXPECT_EQ(*header, expected);
    EXPECT_TRUE(verify_payload(bytes, std::string_view(bytes).substr(kBatchHeaderBytes)));
    EXPECT_EQ(message_of(patched(bytes, 10, std::string("\x01", 1))),
              "batch header: wrong region and shard");
}

TEST(Batch, NamesTheFieldOfALaterFormat) {
    const auto bytes = read_hex("batch_v2.hex");
    const struct {
        std::size_t at;
        std::string replacement;
        std::string message;
    } cases[] = {
        {4, "\x03", "batch header: wrong version"}, {6, "\x02", "batch header: wrong flags"},
        {7, "\x80", "batch header: wrong flags"},   {52, "\x02", "batch header: wrong codec"},
        {61, "\x01", "batch header: wrong spare"},  {62, "\x01", "batch header: wrong spare"},
        {63, "\x80", "batch header: wrong spare"},
    };
    for (const auto& one : cases) {
        ErrorCode code = ErrorCode::kInternal;
        EXPECT_EQ(message_of(patched(bytes, one.at, one.replacement), &code), one.message);
        EXPECT_EQ(code, ErrorCode::kIncompatible) << one.message;
    }
}

TEST(Batch, NamesTheFieldThatCannotBe) {
    using namespace std::string_literals;
    const auto bytes = read_hex("batch_v2.hex");
    const struct {
        std::size_t at;
        std::string replacement;
        std::string message;
    } cases[] = {
        {0, "X", "batch header: wrong magic"},
        {5, "\x41", "batch header: wrong header length"},
        {24, "\0\0\0\0\0\0\0\0"s, "batch header: wrong first index"},
        {24, "\xff\xff\xff\xff\xff\xff\xff\xff", "batch header: wrong first index"},
        {32, "\0\0\0\0"s, "batch header: wrong count"},
        {44, "\x01\x00\x80\x00"s, "batch header: wrong payload length"},
    };
    for (const auto& one : cases) {
        ErrorCode code = ErrorCode::kInternal;
        EXPECT_EQ(message_of(patched(bytes, one.at, one.replacement), &code), one.message);
        EXPECT_EQ(code, ErrorCode::kCorruption) << one.message;
    }
    EXPECT_EQ(message_of(bytes.substr(0, 63)), "batch header: wrong size");
}

/// What an operator reads: which bytes, what was written and what is there, in words that stand
/// alone.
TEST(Batch, AChangedPayloadReadsWell) {
    const auto bytes = read_hex("batch_v2.hex");
    auto payload = bytes.substr(kBatchHeaderBytes);
    payload[3] = static_cast<char>(payload[3] ^ 1);
    const auto refused = verify_payload(bytes, payload);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kCorruption);
    EXPECT_THAT(refused.error().to_string(),
                testing::MatchesRegex("batch payload: its bytes do not match its checksum, so that "
                                      "they were changed since they were written, "
                                      "checksum_written=[0-9a-f]+, checksum_of_bytes=[0-9a-f]+"));
    auto header = bytes;
    header[12] = static_cast<char>(header[12] ^ 1);
    EXPECT_THAT(message_of(header), testing::StartsWith("batch header: its bytes do not match"));
    const auto shorter = verify_payload(bytes, payload.substr(1));
    ASSERT_FALSE(shorter.ok());
    EXPECT_EQ(shorter.error().to_string(),
              "batch header: wrong payload length, found=" + std::to_string(payload.size() - 1) +
                  ", expected=as many bytes as the header says");
}

TEST(Batch, EveryFlippedBitIsFound) {
    const auto golden = read_hex("batch_v2.hex");
    for (std::size_t bit = 0; bit < golden.size() * 8; ++bit) {
        auto bytes = golden;
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        const bool good = decode_header(bytes).ok() &&
                          verify_payload(bytes, std::string_view(bytes).substr(64)).ok();
        EXPECT_FALSE(good) << "bit " << bit;
    }
}

RC_GTEST_PROP(Batch, RoundTrips, (const std::string& payload)) {
    BatchHeader header;
    header.region = RegionId(*rc::gen::arbitrary<std::uint16_t>());
    header.shard = ShardId(*rc::gen::arbitrary<std::uint16_t>());
    header.incarnation = Incarnation(*rc::gen::arbitrary<std::uint32_t>());
    header.term = Term(*rc::gen::arbitrary<std::uint64_t>());
    header.first_index = LogIndex(*rc::gen::inRange<std::uint64_t>(1, 1ULL << 62));
    header.count = *rc::gen::inRange<std::uint32_t>(1, 0xffffffff);
    header.stamp = HybridTime::from_bits(*rc::gen::arbitrary<std::uint64_t>());
    header.synced_distance = *rc::gen::arbitrary<std::uint32_t>();
    header.codec = *rc::gen::element(BatchCodec::kPlain, BatchCodec::kZstd);
    std::string bytes = "before";
    encode_batch(header, payload, &bytes);
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    const auto encoded = std::string_view(bytes).substr(6);
    const auto decoded = decode_header(encoded);
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == header);
    RC_ASSERT(encoded.substr(kBatchHeaderBytes) == payload);
    RC_ASSERT(verify_payload(encoded, payload).ok());
}

RC_GTEST_PROP(Batch, AnyBytesAreDecodedOrRefused, (const std::string& bytes)) {
    const auto padded = bytes + std::string(64, 'x');
    RC_ASSERT(!decode_header(padded).ok());
}

TEST(Batch, UnpacksWhatWasPacked) {
    std::string scratch;
    const std::string plain(100'000, 'a');
    const auto unpacked = unpack_payload(BatchCodec::kZstd, zstd_pack(plain, 1), &scratch);
    ASSERT_TRUE(unpacked) << unpacked.error().to_string();
    EXPECT_EQ(*unpacked, plain);
    const auto stored = unpack_payload(BatchCodec::kPlain, plain, &scratch);
    EXPECT_EQ(stored->data(), plain.data());
}

TEST(Batch, RefusesToUnpackMoreThanAPayloadMayHold) {
    std::string scratch;
    const auto bomb = zstd_pack(std::string(kBatchPayloadBytesMax + 1, 'a'), 1);
    EXPECT_LT(bomb.size(), 10'000u);
    const auto unpacked = unpack_payload(BatchCodec::kZstd, bomb, &scratch);
    ASSERT_FALSE(unpacked);
    EXPECT_EQ(unpacked.error().code(), ErrorCode::kCorruption);
    EXPECT_TRUE(scratch.empty());
    EXPECT_FALSE(unpack_payload(BatchCodec::kZstd, "not a frame", &scratch));
    EXPECT_FALSE(unpack_payload(BatchCodec::kZstd, zstd_pack("a", 1) + "b", &scratch));
}

}  // namespace batch_test
}  // namespace tidal::wal
