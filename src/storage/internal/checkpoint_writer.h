// storage/internal/checkpoint_writer.h: makes frozen generations durable, and reads the newest
// back.
//
// Order that makes a crash at any moment harmless: page file synced, its folder synced, one engine
// batch (index, directory chunks, rows) committed, and only then files without live pages removed.
// A page file is never written to again under the same number, so a batch whose fate is in doubt
// can still refer to it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "storage/internal/arena.h"
#include "storage/internal/overlay.h"
#include "storage/internal/page_directory.h"
#include "storage/internal/page_file.h"
#include "storage/row_engine.h"

namespace tidal::storage::internal {

/// Threads: one at a time; which one changes (opening thread, then the background thread).
class CheckpointWriter {
public:
    CheckpointWriter(runtime::Disk& disk, RowEngine& rows, ShardId shard,
                     std::string_view directory)
        : disk_(disk), rows_(rows), shard_(shard), directory_path_(directory) {}

    /// Reads the newest checkpoint's pages into an empty arena and returns its index.
    Result<LogIndex> load(Arena& arena);

    /// Writes the taken pages of `arena` and the rows of `frozen`; neither is changed by anyone
    /// meanwhile.
    Result<void> write(LogIndex index, const Arena& arena, const Overlay& frozen);

    /// Pages to write again so that files that are mostly dead, or too many small ones, can go.
    /// Bounded per checkpoint; only right until the next write.
    std::vector<PageId> take_relocations() { return std::move(relocations_); }

private:
    class BatchSource;

    class DirectoryChange;

    Result<void> load_pages(Arena& arena);
    Result<void> load_file(FileNumber number, std::vector<PageId>& pages, Arena& arena);
    Result<void> load_run(PageFileReader& reader, std::span<const PageId> pages, Arena& arena);
    Result<void> remove_leftovers();
    Result<void> write_pages(LogIndex index, FileNumber number, std::span<const PageToWrite> pages);
    Result<void> commit(const CheckpointHead& head, const std::set<std::uint32_t>& chunks,
                        const Overlay& frozen);
    /// Finds out which checkpoint the engine holds after a commit that failed.
    Result<void> settle();
    /// Only while the engine's directory is ours. Leaves a file that cannot be removed for the next
    /// time, or for the next open.
    void remove_dead_files();
    void choose_relocations();
    std::string path_of(FileNumber number) const {
        return directory_path_ + "/" + page_file_name(number);
    }

    runtime::Disk& disk_;
    RowEngine& rows_;
    const ShardId shard_;
    const std::string directory_path_;
    FileNumber file_last_;  ///< Highest number given to any file, of failed checkpoints too.
    PageDirectory directory_;
    bool in_doubt_ = false;  ///< The engine may hold the directory of a failed commit.
    std::vector<PageId> relocations_;
};

}  // namespace tidal::storage::internal
