// shard/internal/graph_files.h: the files that graphs of vectors lie in, one a graph beside the
// shard's page files (docs/formats/vector_graphs.md). Derived: any of them may be missing, and any
// number of them may be of vectors that are others by now.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/runtime.h"
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

    /// True = the file has its name, durably. After an error what was begun is gone.
    /// @return kDiskFull  also where the log would be left too little (kFreeForLogBytes);
    ///         kCorruption  what was written is not what is read.
    Result<bool> step();
    /// Once step() was true: the graph as it lies in the file.
    std::shared_ptr<const vector::Graph> mapped() const { return mapped_; }

private:
    Result<void> begin();
    Result<void> expect_room() const;
    Result<void> write_piece();
    Result<void> read_piece();
    Result<void> finish();
    Result<void> map();
    std::string temporary() const;

    const GraphFiles files_;
    vector::GraphHead head_;
    const std::shared_ptr<const vector::Graph> graph_;
    const std::size_t bytes_;
    std::size_t written_ = 0, read_ = 0;
    std::shared_ptr<const vector::Graph> mapped_;
    std::unique_ptr<runtime::File> file_;
};

}  // namespace tidal::shard
