// wal/batch.h: the batch header of the log, version 2. Format: docs/formats/wal.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::wal {

inline constexpr std::size_t kBatchHeaderBytes = 64;
inline constexpr std::uint32_t kBatchMagic = 0x4c444954;  // "TIDL"
inline constexpr std::uint8_t kBatchVersion = 2;
inline constexpr std::uint64_t kLogFileBytes = 16ULL << 20;
inline constexpr std::size_t kBatchPayloadBytesMax = 8ULL << 20;

enum class BatchCodec : std::uint8_t { kPlain = 0, kZstd = 1 };

/// What a batch of consecutive records of one shard says about itself. `count` records begin at
/// `first_index`; the payload is `count` times (varint length, record bytes).
struct BatchHeader {
    std::uint8_t version = kBatchVersion;
    std::uint16_t flags = 0;
    RegionId region;
    ShardId shard;
    Incarnation incarnation;
    Term term;
    LogIndex first_index;
    std::uint32_t count = 0;
    HybridTime stamp;                   ///< Of the last record.
    std::uint32_t payload_bytes = 0;
    std::uint32_t synced_distance = 0;  ///< How far back the last position known synced lies, in bytes.
    BatchCodec codec = BatchCodec::kPlain;

    LogIndex last_index() const { return LogIndex(first_index.value() + count - 1); }
};

/// Appends header and payload, checksums filled in.
void encode_batch(const BatchHeader& header, std::string_view payload, std::string* out);
/// Reads 64 bytes. kCorruption names the field that is wrong; the payload is not looked at.
Result<BatchHeader> decode_header(std::string_view bytes);
/// kCorruption when the payload's checksum does not match the header's.
Result<void> verify_payload(std::string_view header_bytes, std::string_view payload);

}  // namespace tidal::wal
