// wal/batch.h: the batch header of the log, version 2. Format: docs/formats/wal.md.
#pragma once

#include <cstddef>
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
inline constexpr std::size_t kBatchPayloadBytesMax = 8ULL << 20;  ///< Stored and unpacked.

/// The node's own history: what all its groups must not forget. Never archived, and no shard.
inline constexpr ShardId kNodeShard{65535};

/// Flag: `count` entries of consensus itself, none of them a record of the shard.
inline constexpr std::uint16_t kBatchControl = 1;
inline constexpr std::uint16_t kBatchFlags = kBatchControl;  ///< All that are defined.

enum class BatchCodec : std::uint8_t { kPlain = 0, kZstd = 1 };

/// What a batch of consecutive records of one shard says about itself. `count` records begin at
/// `first_index`; the payload is `count` times (varint length, record bytes).
///
/// A later batch that begins at or before an index already seen of the same (shard, incarnation)
/// supersedes everything seen from that index on.
struct BatchHeader {
    std::uint8_t version = kBatchVersion;
    std::uint16_t flags = 0;  ///< kBatchControl.
    RegionId region;          ///< 0 in a version 1 header.
    ShardId shard;            ///< 0 in a version 1 header.
    Incarnation incarnation;
    Term term;
    LogIndex first_index;             ///< >= 1.
    std::uint32_t count = 0;          ///< >= 1.
    HybridTime stamp;                 ///< Of the last record.
    std::uint32_t payload_bytes = 0;  ///< As stored.
    std::uint32_t synced_distance =
        0;  ///< Bytes from the last position known synced to this batch.
    BatchCodec codec = BatchCodec::kPlain;

    bool control() const { return (flags & kBatchControl) != 0; }
    LogIndex last_index() const { return LogIndex(first_index.value() + count - 1); }
    bool operator==(const BatchHeader&) const = default;
};

/// Writes the 64 bytes of a version 2 header to `out`; `payload_crc` is crc32c(payload).
void encode_header(const BatchHeader& header, std::uint32_t payload_crc, char* out);
/// Appends header and payload, length and checksums filled in.
void encode_batch(const BatchHeader& header, std::string_view payload, std::string* out);

/// Reads the first 64 of `bytes`; the payload is not looked at.
/// @return kCorruption    names the field that is wrong.
///         kIncompatible  the header is whole but has a version, flag or codec of a later format.
Result<BatchHeader> decode_header(std::string_view bytes);
/// kCorruption when the payload's checksum does not match the header's.
Result<void> verify_payload(std::string_view header_bytes, std::string_view payload);
/// The records of a stored payload: `stored` itself, or unpacked into `scratch`.
/// kCorruption when it does not unpack or is larger than kBatchPayloadBytesMax.
Result<std::string_view> unpack_payload(BatchCodec codec, std::string_view stored,
                                        std::string* scratch);

}  // namespace tidal::wal
