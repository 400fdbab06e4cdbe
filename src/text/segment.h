// text/segment.h: the texts of one kind in one shard as they were, in a file: a start takes the
// index from there and analyses only what is new. Format: docs/formats/text_segments.md.
//
// A segment is never believed about which texts there are: it has a hash of each text, so that the
// start, which sees every row anyway, takes over what is the same and takes away the rest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace tidal::text {

struct SegmentHead {
    ShardId shard;
    EntityKind kind = EntityKind::kItem;
    LogIndex index;          ///< Of the checkpoint whose rows it was made of.
    std::uint64_t seed = 0;  ///< Of the hashes of texts and words; random.
    std::uint64_t index_bytes = 0, documents_bytes = 0;
    std::uint32_t index_crc = 0, documents_crc = 0;
    bool operator==(const SegmentHead&) const = default;
};
inline constexpr std::size_t kSegmentHeadBytes = 64;

/// A whole file. The index stays in use as long as a TextIndex that opened it; the documents only
/// until finish_open().
struct Segment {
    SegmentHead head;
    std::string index;
    std::string documents;
};

/// 64 bytes.
std::string encode_segment_head(const SegmentHead& head);
/// kCorruption, or kIncompatible for another version.
Result<SegmentHead> decode_segment_head(std::string_view bytes);
/// Completes sizes and checksums of the head.
void seal_segment(Segment* segment);
/// kCorruption when a part does not match its checksum.
Result<void> check_segment(const Segment& segment);

}  // namespace tidal::text
