// shard/internal/graph_files.h: the files that graphs of vectors lie in, one a graph beside the
// shard's page files (docs/formats/vector_graphs.md). Derived: any of them may be missing, and any
// number of them may be of vectors that are others by now.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "vector/flat_vectors.h"
#include "vector/graph_file.h"

namespace tidal::shard {

/// Where a shard's are.
struct GraphFiles {
    runtime::Disk* disk = nullptr;
    std::string directory;
    ShardId shard;

    std::string path(std::uint64_t number) const;
    /// Numbers of files, whole or begun, rising.
    Result<std::vector<std::uint64_t>> list() const;
    struct Found {
        vector::GraphHead head;
        std::shared_ptr<const char> bytes;  ///< Of the graph, mapped.
        vector::RowBlocks::File rows;       ///< Of its vectors, likewise.
    };
    /// All of it has been read and its checksums are right.
    /// @return kCorruption, kIncompatible  also when it is another shard's or of another number.
    Result<Found> open(std::uint64_t number) const;
    /// Removes every other file, whole or begun. Not while one is written.
    Result<void> remove_all_but(std::span<const std::uint64_t> kept) const;
};

/// Writes one and maps it, a piece at a time, so that what else the thread has to do goes on.
class GraphFileWriter {
public:
    /// @param head  Complete but for what the graph says itself.
    GraphFileWriter(const GraphFiles& files, vector::GraphHead head,
                    std::shared_ptr<const vector::Graph> graph);

    /// Whether the next step needs vectors of the graph, which are added where they may be read.
    bool wants_rows() const;
    /// Of the next nodes, at most so many. Those that are gone by now leave zeros.
    void add_rows(const vector::FlatVectors& vectors, std::size_t most);
    /// True = the file has its name, durably. After an error what was begun is gone.
    /// Precondition: it wants no rows.
    /// @return kDiskFull  also where the log would be left too little (kFreeForLogBytes);
    ///         kCorruption  what was written is not what is read.
    Result<bool> step();
    /// Once step() was true: the graph as it lies in the file.
    std::shared_ptr<const vector::Graph> mapped() const { return mapped_; }
    /// And its vectors.
    const vector::RowBlocks::File& mapped_rows() const { return mapped_rows_; }

private:
    Result<void> begin();
    Result<void> expect_room() const;
    Result<void> write_piece();
    Result<void> read_piece();
    Result<void> finish();
    Result<void> map();
    bool has_graph() const { return written_ >= layout_.rows; }
    std::string temporary() const;

    const GraphFiles files_;
    vector::GraphHead head_;
    const std::shared_ptr<const vector::Graph> graph_;
    const vector::GraphFileLayout layout_;
    std::size_t written_ = vector::kGraphHeadBytes, read_ = vector::kGraphHeadBytes;
    std::uint32_t read_crc_ = 0;
    std::string rows_;        ///< To be written next.
    std::uint32_t node_ = 0;  ///< Whose row is added next.
    std::shared_ptr<const vector::Graph> mapped_;
    vector::RowBlocks::File mapped_rows_;
    std::unique_ptr<runtime::File> file_;
};

}  // namespace tidal::shard
