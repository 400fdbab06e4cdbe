#include "storage/shard_snapshot.h"

#include <absl/container/btree_map.h>

#include "storage/internal/directory_load.h"
#include "storage/internal/keys.h"
#include "storage/internal/overlay.h"
#include "storage/internal/page_file.h"
#include "storage/internal/snapshot_file.h"

namespace tidal::storage {
namespace {

using internal::FileNumber;
using internal::PageDirectory;
using internal::PageFileReader;
using internal::SnapshotFileReader;
using internal::SnapshotFileWriter;

constexpr std::uint32_t kRunPagesMax = internal::kSnapshotBlockPagesMax;

/// The pages of a checkpoint by rising id, whatever files they lie in.
class PageCopy {
public:
    PageCopy(runtime::Disk& disk, ShardId shard, std::string_view folder,
             const PageDirectory& directory)
        : disk_(disk),
          shard_(shard),
          folder_(folder),
          directory_(directory),
          bytes_(kRunPagesMax * kPageBytes) {}

    Result<void> into(SnapshotFileWriter& out) {
        for (std::uint32_t page = 0; page < directory_.page_count();) {
            if (directory_.place(PageId(page)).file.value() == 0) {
                ++page;
                continue;
            }
            const std::uint32_t count = run_from(page);
            TIDAL_TRY(copy_run(page, count, out));
            page += count;
        }
        return {};
    }

private:
    /// How many pages from `page` on are neighbours in one file too.
    std::uint32_t run_from(std::uint32_t page) const {
        const internal::PagePlace first = directory_.place(PageId(page));
        std::uint32_t count = 1;
        for (; count < kRunPagesMax; ++count) {
            const internal::PagePlace next = directory_.place(PageId(page + count));
            if (next.file != first.file || next.slot != first.slot + count) break;
        }
        return count;
    }

    Result<void> copy_run(std::uint32_t page, std::uint32_t count, SnapshotFileWriter& out) {
        const internal::PagePlace first = directory_.place(PageId(page));
        TIDAL_ASSIGN(PageFileReader* const reader, reader_of(first.file));
        if (std::uint64_t{first.slot} + count > reader->head().count)
            return reader->damaged(first.slot, PageId(page))
                .with("cause", "the directory names a slot beyond the file");
        TIDAL_TRY(reader->read(first.slot, std::span(bytes_).first(count * kPageBytes)));
        for (std::uint32_t i = 0; i < count; ++i) {
            const PageId id(page + i);
            const std::byte* const bytes = bytes_.data() + std::size_t{i} * kPageBytes;
            const std::uint32_t crc = directory_.place(id).crc;
            if (internal::page_crc(bytes) != crc) return reader->damaged(first.slot + i, id);
            TIDAL_TRY(out.add_page(id, crc, bytes));
        }
        return {};
    }

    Result<PageFileReader*> reader_of(FileNumber number) {
        auto it = readers_.find(number);
        if (it == readers_.end()) {
            const std::string path = folder_ + "/" + internal::page_file_name(number);
            TIDAL_ASSIGN(auto reader, PageFileReader::open(disk_, path, shard_, number));
            it =
                readers_.emplace(number, std::make_unique<PageFileReader>(std::move(reader))).first;
        }
        return it->second.get();
    }

    runtime::Disk& disk_;
    const ShardId shard_;
    const std::string folder_;
    const PageDirectory& directory_;
    std::vector<std::byte> bytes_;
    absl::btree_map<FileNumber, std::unique_ptr<PageFileReader>> readers_;
};

Result<void> copy_rows(RowEngine& rows, ShardId shard, SnapshotFileWriter& out) {
    const std::string prefix = internal::row_prefix(shard, internal::RowArea::kRows);
    Result<void> copied;
    TIDAL_TRY(rows.scan(prefix, internal::prefix_end(prefix),
                        [&](std::string_view key, std::string_view value) {
                            copied = out.add_row(key.substr(internal::kRowPrefixBytes), value);
                            return copied.ok();
                        }));
    return copied;
}

Result<ShardSnapshotInfo> write_file(runtime::Disk& disk, RowEngine& rows, ShardId shard,
                                     std::string_view directory, const std::string& path) {
    TIDAL_ASSIGN(const auto checkpoint, internal::load_head(rows, shard));
    if (!checkpoint)
        return Error(ErrorCode::kNotFound, "the shard has no checkpoint yet")
            .with("shard", shard.value());
    PageDirectory pages;
    TIDAL_TRY(internal::load_directory(rows, shard, pages));
    internal::SnapshotHead head{shard, checkpoint->index};
    for (const auto& [number, use] : pages.files()) head.pages += use.live;

    TIDAL_ASSIGN(auto out, SnapshotFileWriter::create(disk, path, head));
    TIDAL_TRY(PageCopy(disk, shard, directory, pages).into(out));
    TIDAL_TRY(copy_rows(rows, shard, out));
    TIDAL_ASSIGN(const auto info, out.finish());
    const std::size_t slash = path.rfind('/');
    TIDAL_TRY(disk.sync_directory(slash == path.npos ? "" : path.substr(0, slash)));
    return info;
}

Result<void> remove_if_there(runtime::Disk& disk, const std::string& path) {
    auto removed = disk.remove(path);
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
    return {};
}

}  // namespace

Result<ShardSnapshotInfo> write_shard_snapshot(runtime::Disk& disk, RowEngine& rows, ShardId shard,
                                               std::string_view directory,
                                               const std::string& path) {
    TIDAL_TRY(remove_if_there(disk, path));
    auto written = write_file(disk, rows, shard, directory, path);
    // Room for others, on a full disk. Who cannot remove it finds it when it writes again.
    if (!written)
        if (auto removed = remove_if_there(disk, path); !removed) return written;
    return written;
}

Result<ShardSnapshotInfo> check_shard_snapshot(runtime::Disk& disk, const std::string& path,
                                               ShardId shard) {
    TIDAL_ASSIGN(auto file, SnapshotFileReader::open(disk, path, shard));
    for (;;) {
        TIDAL_ASSIGN(const auto page, file.next_page());
        if (!page) break;
    }
    for (;;) {
        TIDAL_ASSIGN(const auto row, file.next_row());
        if (!row) break;
    }
    return file.info();
}

}  // namespace tidal::storage
