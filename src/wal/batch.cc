#include "wal/batch.h"

#include <array>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <limits>

#include "base/crc32c.h"
#include "wal/internal/zstd.h"

namespace tidal::wal {
namespace {

// Field by field in the order of docs/formats/wal.md, each beginning where the last one ends.
constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = kMagicAt + 4;
constexpr std::size_t kHeaderLengthAt = kVersionAt + 1;
constexpr std::size_t kFlagsAt = kHeaderLengthAt + 1;
constexpr std::size_t kRegionAt = kFlagsAt + 2;
constexpr std::size_t kShardAt = kRegionAt + 2;
constexpr std::size_t kIncarnationAt = kShardAt + 2;
constexpr std::size_t kTermAt = kIncarnationAt + 4;
constexpr std::size_t kFirstIndexAt = kTermAt + 8;
constexpr std::size_t kCountAt = kFirstIndexAt + 8;
constexpr std::size_t kStampAt = kCountAt + 4;
constexpr std::size_t kPayloadLengthAt = kStampAt + 8;
constexpr std::size_t kSyncedDistanceAt = kPayloadLengthAt + 4;
constexpr std::size_t kCodecAt = kSyncedDistanceAt + 4;
constexpr std::size_t kHeaderCrcAt = kCodecAt + 1;
constexpr std::size_t kPayloadCrcAt = kHeaderCrcAt + 4;
constexpr std::size_t kSpareAt = kPayloadCrcAt + 4;
static_assert(kRegionAt == 8 && kShardAt == 10 && kIncarnationAt == 12 && kTermAt == 16);
static_assert(kFirstIndexAt == 24 && kCountAt == 32 && kStampAt == 36 && kPayloadLengthAt == 44);
static_assert(kSyncedDistanceAt == 48 && kCodecAt == 52 && kHeaderCrcAt == 53);
static_assert(kPayloadCrcAt == 57 && kSpareAt == 61 && kSpareAt + 3 == kBatchHeaderBytes);

template <typename T>
void store(char* out, std::size_t at, T value) {
    std::memcpy(out + at, &value, sizeof(T));
}

template <typename T>
T load(std::string_view bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
}

/// Over the 64 bytes with those of this checksum as zeros.
std::uint32_t header_crc(std::string_view bytes) {
    constexpr std::array<char, 4> kZeros{};
    auto crc = crc32c(bytes.substr(0, kHeaderCrcAt));
    crc = crc32c_extend(crc, {kZeros.data(), kZeros.size()});
    return crc32c_extend(crc, bytes.substr(kPayloadCrcAt, kBatchHeaderBytes - kPayloadCrcAt));
}

Error wrong(ErrorCode code, std::string_view field, std::uint64_t found, std::string_view right) {
    return Error(code, "batch header: wrong " + std::string(field))
        .with("found", found)
        .with("expected", right);
}

Error changed(std::string_view what, std::uint32_t said, std::uint32_t bytes_have) {
    const auto hex = [](std::uint32_t checksum) {
        char text[16];
        std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(checksum));
        return std::string(text);
    };
    return Error(ErrorCode::kCorruption, "batch " + std::string(what) +
                                             ": its bytes do not match its checksum, so that they "
                                             "were changed since they were written")
        .with("checksum_written", hex(said))
        .with("checksum_of_bytes", hex(bytes_have));
}

/// What only a later format, or a writer gone wrong, can say under a right checksum.
Result<void> check_meaning(std::string_view bytes, const BatchHeader& header) {
    constexpr auto kLater = ErrorCode::kIncompatible;
    constexpr auto kDamaged = ErrorCode::kCorruption;
    if ((header.flags & ~kBatchFlags) != 0 || (header.version == 1 && header.flags != 0))
        return wrong(kLater, "flags", header.flags, "bit 0 alone is defined");
    if (header.codec > BatchCodec::kZstd)
        return wrong(kLater, "codec", static_cast<std::uint64_t>(header.codec), "0 or 1");
    for (std::size_t i = kSpareAt; i < kBatchHeaderBytes; ++i)
        if (bytes[i] != 0)
            return wrong(kLater, "spare", static_cast<unsigned char>(bytes[i]), "zeros");
    if (header.version == 1 && (header.region != RegionId() || header.shard != ShardId()))
        return wrong(kDamaged, "region and shard", header.shard.value(), "zero in version 1");
    if (header.count == 0) return wrong(kDamaged, "count", 0, "at least 1");
    const auto first = header.first_index.value();
    if (first == 0 || first > std::numeric_limits<std::uint64_t>::max() - header.count)
        return wrong(kDamaged, "first index", first, "at least 1, without overflow");
    if (header.payload_bytes > kBatchPayloadBytesMax)
        return wrong(kDamaged, "payload length", header.payload_bytes, "at most 8 MiB");
    return {};
}

}  // namespace

void encode_header(const BatchHeader& header, std::uint32_t payload_crc, char* out) {
    assert(header.version == kBatchVersion && (header.flags & ~kBatchFlags) == 0);
    assert(header.count > 0 && header.first_index.value() > 0);
    assert(header.payload_bytes <= kBatchPayloadBytesMax);
    store(out, kMagicAt, kBatchMagic);
    store(out, kVersionAt, header.version);
    store(out, kHeaderLengthAt, static_cast<std::uint8_t>(kBatchHeaderBytes));
    store(out, kFlagsAt, header.flags);
    store(out, kRegionAt, header.region.value());
    store(out, kShardAt, header.shard.value());
    store(out, kIncarnationAt, header.incarnation.value());
    store(out, kTermAt, header.term.value());
    store(out, kFirstIndexAt, header.first_index.value());
    store(out, kCountAt, header.count);
    store(out, kStampAt, header.stamp.bits());
    store(out, kPayloadLengthAt, header.payload_bytes);
    store(out, kSyncedDistanceAt, header.synced_distance);
    store(out, kCodecAt, header.codec);
    store(out, kPayloadCrcAt, payload_crc);
    std::memset(out + kSpareAt, 0, kBatchHeaderBytes - kSpareAt);
    store(out, kHeaderCrcAt, header_crc({out, kBatchHeaderBytes}));
}

void encode_batch(const BatchHeader& header, std::string_view payload, std::string* out) {
    auto filled = header;
    filled.payload_bytes = static_cast<std::uint32_t>(payload.size());
    std::array<char, kBatchHeaderBytes> bytes;
    encode_header(filled, crc32c(payload), bytes.data());
    out->append(bytes.data(), bytes.size()).append(payload);
}

Result<BatchHeader> decode_header(std::string_view bytes) {
    constexpr auto kDamaged = ErrorCode::kCorruption;
    if (bytes.size() < kBatchHeaderBytes) return wrong(kDamaged, "size", bytes.size(), "64 bytes");
    const auto magic = load<std::uint32_t>(bytes, kMagicAt);
    if (magic != kBatchMagic) return wrong(kDamaged, "magic", magic, "TIDL");
    BatchHeader header;
    header.version = load<std::uint8_t>(bytes, kVersionAt);
    const auto crc = load<std::uint32_t>(bytes, kHeaderCrcAt);
    const auto crc_of_bytes = header_crc(bytes);
    const bool whole = crc == crc_of_bytes;
    if (header.version != 1 && header.version != kBatchVersion)
        return wrong(whole ? ErrorCode::kIncompatible : kDamaged, "version", header.version,
                     "1 or 2");
    const auto length = load<std::uint8_t>(bytes, kHeaderLengthAt);
    if (length != kBatchHeaderBytes) return wrong(kDamaged, "header length", length, "64");
    if (!whole) return changed("header", crc, crc_of_bytes);
    header.flags = load<std::uint16_t>(bytes, kFlagsAt);
    header.region = RegionId(load<std::uint16_t>(bytes, kRegionAt));
    header.shard = ShardId(load<std::uint16_t>(bytes, kShardAt));
    header.incarnation = Incarnation(load<std::uint32_t>(bytes, kIncarnationAt));
    header.term = Term(load<std::uint64_t>(bytes, kTermAt));
    header.first_index = LogIndex(load<std::uint64_t>(bytes, kFirstIndexAt));
    header.count = load<std::uint32_t>(bytes, kCountAt);
    header.stamp = HybridTime::from_bits(load<std::uint64_t>(bytes, kStampAt));
    header.payload_bytes = load<std::uint32_t>(bytes, kPayloadLengthAt);
    header.synced_distance = load<std::uint32_t>(bytes, kSyncedDistanceAt);
    header.codec = static_cast<BatchCodec>(load<std::uint8_t>(bytes, kCodecAt));
    TIDAL_TRY(check_meaning(bytes, header));
    return header;
}

Result<void> verify_payload(std::string_view header_bytes, std::string_view payload) {
    assert(header_bytes.size() >= kBatchHeaderBytes);
    const auto said = load<std::uint32_t>(header_bytes, kPayloadCrcAt);
    if (load<std::uint32_t>(header_bytes, kPayloadLengthAt) != payload.size())
        return wrong(ErrorCode::kCorruption, "payload length", payload.size(),
                     "as many bytes as the header says");
    if (const auto found = crc32c(payload); found != said) return changed("payload", said, found);
    return {};
}

Result<std::string_view> unpack_payload(BatchCodec codec, std::string_view stored,
                                        std::string* scratch) {
    if (codec == BatchCodec::kPlain) return stored;
    TIDAL_TRY(zstd_unpack(stored, kBatchPayloadBytesMax, scratch));
    return std::string_view(*scratch);
}

}  // namespace tidal::wal
