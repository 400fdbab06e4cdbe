// A snapshot file becomes the shard's checkpoint: page files first, then one batch of the engine.
#include <algorithm>
#include <deque>

#include "storage/internal/directory_load.h"
#include "storage/internal/durable_folder.h"
#include "storage/internal/keys.h"
#include "storage/internal/overlay.h"
#include "storage/internal/page_file.h"
#include "storage/internal/snapshot_file.h"

namespace tidal::storage {
namespace internal {
namespace {

// Files of 16 MiB at least, and no more of them than a checkpoint merges others into.
constexpr std::uint32_t kFilePagesMin = 1024;
constexpr std::uint32_t kPageFilesMax = 32;
constexpr std::size_t kKeysBytesMax = 256 * 1024;

/// Keys of the engine with this prefix, drawn one at a time while nobody changes them.
class KeyCursor {
public:
    KeyCursor(RowEngine& rows, const std::string& prefix)
        : rows_(rows), from_(prefix), end_(prefix_end(prefix)) {}

    /// nullopt at the end. Good until step().
    Result<std::optional<std::string_view>> key() {
        if (keys_.empty() && more_) TIDAL_TRY(fill());
        if (keys_.empty()) return std::optional<std::string_view>();
        return std::optional<std::string_view>(keys_.front());
    }
    void step() { keys_.pop_front(); }

private:
    Result<void> fill() {
        std::size_t bytes = 0;
        more_ = false;
        TIDAL_TRY(rows_.scan(from_, end_, [&](std::string_view key, std::string_view) {
            more_ = bytes >= kKeysBytesMax;
            if (more_) return false;
            bytes += key.size() + sizeof(std::string);
            keys_.emplace_back(key);
            return true;
        }));
        if (more_) from_ = keys_.back() + '\0';
        return {};
    }

    RowEngine& rows_;
    std::string from_;
    const std::string end_;
    std::deque<std::string> keys_;
    bool more_ = true;
};

/// The rows a shard has once the snapshot is its checkpoint, in key order.
class NewRows {
public:
    NewRows(ShardId shard, const CheckpointHead& head, const PageDirectory& directory,
            SnapshotFileReader& file)
        : shard_(shard), directory_(directory), file_(file) {
        key_ = row_prefix(shard, RowArea::kCheckpoint);
        value_ = encode_head(head);
        value_view_ = value_;
    }

    bool at_end() const { return ended_; }
    std::string_view key() const { return key_; }
    std::string_view value() const { return value_view_; }
    Result<void> step() {
        while (chunk_ * PageDirectory::kChunkPages < directory_.page_count()) {
            value_ = directory_.encode_chunk(chunk_);
            key_ = chunk_key(shard_, chunk_++);
            value_view_ = value_;
            if (!value_.empty()) return {};
        }
        TIDAL_ASSIGN(const auto row, file_.next_row());
        ended_ = !row;
        if (ended_) return {};
        key_ = row_prefix(shard_, RowArea::kRows);
        key_ += row->key;
        value_view_ = row->value;
        return {};
    }

private:
    const ShardId shard_;
    const PageDirectory& directory_;
    SnapshotFileReader& file_;
    std::string key_, value_;
    std::string_view value_view_;
    std::uint32_t chunk_ = 0;
    bool ended_ = false;
};

/// Every old row of the shard erased, unless a new one stands in its place.
class InstallSource final : public RowEngine::Source {
public:
    InstallSource(RowEngine& rows, ShardId shard, NewRows& fresh)
        : old_(rows, row_prefix(shard, RowArea::kRows).substr(0, kRowPrefixBytes - 1)),
          fresh_(fresh) {}

    bool next(std::string_view& key, std::optional<std::string_view>& value) override {
        if (result_.ok()) result_ = advance();
        if (!result_.ok() || ended_) return false;
        key = erases_ ? std::string_view(erased_) : fresh_.key();
        value.reset();
        if (!erases_) value = fresh_.value();
        return true;
    }
    Result<void> finish() override {
        if (!result_.ok()) return result_.take_error();
        return {};
    }

private:
    /// To the next change: the smaller of both keys.
    Result<void> advance() {
        if (begun_ && !erases_) TIDAL_TRY(fresh_.step());
        begun_ = true;
        TIDAL_ASSIGN(const auto old, old_.key());
        ended_ = fresh_.at_end() && !old;
        if (ended_) return {};
        erases_ = old && (fresh_.at_end() || *old < fresh_.key());
        if (erases_) erased_ = *old;
        if (erases_ || (old && *old == fresh_.key())) old_.step();
        return {};
    }

    KeyCursor old_;
    NewRows& fresh_;
    std::string erased_;
    bool begun_ = false, erases_ = false, ended_ = false;
    Result<void> result_;
};

class Installer {
public:
    Installer(runtime::Disk& disk, RowEngine& rows, ShardId shard, std::string_view folder)
        : disk_(disk), rows_(rows), shard_(shard), folder_(folder) {}

    Result<ShardSnapshotInfo> run(const std::string& path) {
        TIDAL_ASSIGN(auto file, SnapshotFileReader::open(disk_, path, shard_));
        TIDAL_TRY(make_durable_folder(disk_, folder_));
        TIDAL_TRY(remove_leftovers());
        const FileNumber before = file_last_;
        const auto installed = install(file);
        if (installed) return file.info();
        // Did the batch come to be after all? Where nobody knows, its files have to stay.
        if (!remove_leftovers().ok()) return installed.error();
        if (named_last_ > before) return file.info();
        return installed.error();
    }

private:
    Result<void> install(SnapshotFileReader& file);
    Result<void> write_pages(SnapshotFileReader& file);
    Result<void> write_page_file(SnapshotFileReader& file, std::uint32_t count);
    Result<void> remove_leftovers();
    std::string path_of(FileNumber number) const { return folder_ + "/" + page_file_name(number); }

    runtime::Disk& disk_;
    RowEngine& rows_;
    const ShardId shard_;
    const std::string folder_;
    FileNumber file_last_;   ///< Highest number any file was given.
    FileNumber named_last_;  ///< The same as the engine's checkpoint says.
    PageDirectory directory_;
};

/// What no directory names, the engine's now known for sure.
Result<void> Installer::remove_leftovers() {
    TIDAL_TRY(rows_.settle());
    TIDAL_ASSIGN(const auto head, load_head(rows_, shard_));
    PageDirectory durable;
    TIDAL_TRY(load_directory(rows_, shard_, durable));
    if (head) named_last_ = head->file_last;
    file_last_ = std::max(file_last_, named_last_);
    TIDAL_ASSIGN(const auto names, disk_.list(folder_));
    for (const std::string& name : names) {
        const auto number = parse_page_file_name(name);
        if (!number) continue;
        file_last_ = std::max(file_last_, *number);
        if (!durable.files().contains(*number)) TIDAL_TRY(disk_.remove(path_of(*number)));
    }
    return {};
}

Result<void> Installer::write_page_file(SnapshotFileReader& file, std::uint32_t count) {
    file_last_ = file_last_.next();
    TIDAL_ASSIGN(auto out, PageFileWriter::create(disk_, path_of(file_last_), count));
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        TIDAL_ASSIGN(const auto page, file.next_page());
        TIDAL_TRY(out.add({page->page, page->bytes, page->crc}));
        directory_.set(page->page, {file_last_, slot, page->crc});
    }
    PageFileHead head;
    head.shard = shard_;
    head.number = file_last_;
    head.index = file.head().index;
    return out.finish(head);
}

Result<void> Installer::write_pages(SnapshotFileReader& file) {
    const std::uint32_t pages = file.head().pages;
    const std::uint32_t per_file =
        std::max(kFilePagesMin, (pages + kPageFilesMax - 1) / kPageFilesMax);
    for (std::uint32_t done = 0; done < pages; done += per_file)
        TIDAL_TRY(write_page_file(file, std::min(per_file, pages - done)));
    // One number even without pages: it tells this checkpoint from the one before.
    if (pages == 0) file_last_ = file_last_.next();
    return disk_.sync_directory(folder_);
}

Result<void> Installer::install(SnapshotFileReader& file) {
    TIDAL_TRY(write_pages(file));
    NewRows fresh(shard_, {file.head().index, file_last_}, directory_, file);
    InstallSource source(rows_, shard_, fresh);
    return rows_.commit(source);
}

}  // namespace
}  // namespace internal

Result<ShardSnapshotInfo> install_shard_snapshot(runtime::Disk& disk, RowEngine& rows,
                                                 ShardId shard, std::string_view directory,
                                                 const std::string& path) {
    return internal::Installer(disk, rows, shard, directory).run(path);
}

}  // namespace tidal::storage
