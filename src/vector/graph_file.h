// vector/graph_file.h: a graph as a file has it: a head, then the graph's bytes as they lie in
// memory, then the vectors, so that both are read where they are mapped. Format:
// docs/formats/vector_graphs.md.
//
// A file is never believed about which vectors there are: it has a hash of each one it was made of,
// and what is another by now is left out (GraphIndex::open).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "vector/graph.h"

namespace tidal::vector {

struct GraphHead {
    ShardId shard;
    EntityKind kind = EntityKind::kItem;
    EmbeddingSlotId slot;
    schema::Metric metric = schema::Metric::kCosine;
    schema::VectorStorage storage = schema::VectorStorage::kF32;
    std::uint64_t number = 0;  ///< Of the file; newer ones have greater ones.
    LogIndex index;            ///< No vector in it is newer.
    GraphShape shape;
    std::uint64_t seed = 0;
    std::uint32_t bytes_crc = 0;  ///< Of what follows the head.
    bool operator==(const GraphHead&) const = default;
};
inline constexpr std::size_t kGraphHeadBytes = 128;

/// Where what is in a file lies.
struct GraphFileLayout {
    explicit GraphFileLayout(const GraphHead& head);

    std::size_t rows = 0;       ///< Of the vectors, one a node, from a multiple of 64 on.
    std::size_t row_bytes = 0;  ///< FlatVectors::row_bytes().
    std::size_t bytes = 0;      ///< Of all.
};

std::string encode_graph_head(const GraphHead& head);
/// @return kCorruption; kIncompatible  of another version.
Result<GraphHead> decode_graph_head(std::string_view bytes);

}  // namespace tidal::vector
