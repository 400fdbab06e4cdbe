#include "storage/internal/checkpoint_writer.h"

#include <algorithm>
#include <cassert>

#include "storage/internal/directory_load.h"
#include "storage/internal/keys.h"

namespace tidal::storage::internal {
namespace {

// A file below half live is written again: space stays below twice the live pages, and each page is
// copied at most once for every page that died beside it.
constexpr bool mostly_dead(PageDirectory::FileUse use) {
    return use.live * 2 < use.slots;
}
// Many small files cost open time and descriptors: above the first number the smallest are merged
// until the second is reached.
constexpr std::size_t kFilesMax = 64;
constexpr std::size_t kFilesAfterMerge = 32;
constexpr std::size_t kRelocationsMax = 8192;  // 128 MiB more in one checkpoint.

std::vector<PageToWrite> pages_to_write(std::span<const Arena::Taken> taken) {
    std::vector<PageToWrite> pages;
    pages.reserve(taken.size());
    for (const Arena::Taken& page : taken)
        if (page.bytes != nullptr) pages.push_back({page.page, page.bytes, page_crc(page.bytes)});
    // Neighbours in memory become neighbours on disk, so that opening reads them in one piece.
    std::sort(pages.begin(), pages.end(),
              [](const PageToWrite& a, const PageToWrite& b) { return a.page < b.page; });
    return pages;
}

}  // namespace

/// The directory with one checkpoint's pages moved; taken back unless kept.
class CheckpointWriter::DirectoryChange {
public:
    DirectoryChange(PageDirectory& directory, FileNumber number, std::span<const PageToWrite> pages,
                    std::span<const Arena::Taken> taken)
        : directory_(directory) {
        undo_.reserve(taken.size());
        if (!pages.empty()) directory_.add_file(number, static_cast<std::uint32_t>(pages.size()));
        for (std::uint32_t slot = 0; slot < pages.size(); ++slot)
            set(pages[slot].page, {number, slot, pages[slot].crc});
        for (const Arena::Taken& page : taken)
            if (page.bytes == nullptr) set(page.page, {});
    }
    DirectoryChange(const DirectoryChange&) = delete;
    DirectoryChange& operator=(const DirectoryChange&) = delete;
    ~DirectoryChange() {
        // The file stays in the directory, without a page: to be removed.
        if (!kept_)
            for (const auto& [page, place] : undo_) directory_.set(page, place);
    }
    void keep() { kept_ = true; }
    const std::set<std::uint32_t>& chunks() const { return chunks_; }

private:
    void set(PageId page, PagePlace place) {
        undo_.emplace_back(page, directory_.place(page));
        if (undo_.back().second == place) return;  // Made and freed since the last checkpoint.
        directory_.set(page, place);
        chunks_.insert(page.value() / PageDirectory::kChunkPages);
    }

    PageDirectory& directory_;
    std::vector<std::pair<PageId, PagePlace>> undo_;
    std::set<std::uint32_t> chunks_;
    bool kept_ = false;
};

/// Checkpoint row, directory chunks and rows, in key order.
class CheckpointWriter::BatchSource final : public RowEngine::Source {
public:
    BatchSource(ShardId shard, const CheckpointHead& head, const PageDirectory& directory,
                const std::set<std::uint32_t>& chunks, const Overlay& rows)
        : shard_(shard),
          directory_(directory),
          head_bytes_(encode_head(head)),
          key_(row_prefix(shard, RowArea::kRows)),
          chunk_(chunks.begin()),
          chunks_end_(chunks.end()),
          row_(rows.rows().begin()),
          rows_end_(rows.rows().end()) {}

    bool next(std::string_view& key, std::optional<std::string_view>& value) override {
        if (!head_done_) {
            head_done_ = true;
            chunk_key_ = row_prefix(shard_, RowArea::kCheckpoint);
            key = chunk_key_;
            value = head_bytes_;
            return true;
        }
        return chunk_ != chunks_end_ ? next_chunk(key, value) : next_row(key, value);
    }

private:
    bool next_chunk(std::string_view& key, std::optional<std::string_view>& value) {
        chunk_key_ = chunk_key(shard_, *chunk_);
        chunk_bytes_ = directory_.encode_chunk(*chunk_);
        ++chunk_;
        key = chunk_key_;
        value.reset();
        if (!chunk_bytes_.empty()) value = chunk_bytes_;
        return true;
    }
    bool next_row(std::string_view& key, std::optional<std::string_view>& value) {
        if (row_ == rows_end_) return false;
        key_.resize(kRowPrefixBytes);
        key_ += row_->first;
        key = key_;
        value = row_->second;
        ++row_;
        return true;
    }

    const ShardId shard_;
    const PageDirectory& directory_;
    const std::string head_bytes_;
    bool head_done_ = false;
    std::string key_, chunk_key_, chunk_bytes_;
    std::set<std::uint32_t>::const_iterator chunk_, chunks_end_;
    Overlay::Map::const_iterator row_, rows_end_;
};

Result<void> CheckpointWriter::write(LogIndex index, const Arena& arena, const Overlay& frozen) {
    assert(arena.all_taken());
    // First, so that repeated failures do not pile up files that may not be removed.
    TIDAL_TRY(settle());

    const std::vector<PageToWrite> pages = pages_to_write(arena.taken());
    file_last_ = file_last_.next();
    const FileNumber number = file_last_;
    if (!pages.empty()) TIDAL_TRY(write_pages(index, number, pages));

    Result<void> committed;
    {
        DirectoryChange change(directory_, number, pages, arena.taken());
        committed = commit({index, file_last_}, change.chunks(), frozen);
        if (committed) change.keep();
    }
    if (committed) {
        remove_dead_files();
        choose_relocations();
        return {};
    }
    in_doubt_ = true;
    if (auto settled = settle(); !settled) return committed;  // The next checkpoint begins with it.
    return committed;
}

Result<void> CheckpointWriter::settle() {
    TIDAL_TRY(rows_.settle());
    if (!in_doubt_) return {};
    PageDirectory held;
    TIDAL_TRY(load_directory(rows_, shard_, held));
    for (const auto& [number, use] : directory_.files()) held.add_file(number, use.slots);
    directory_ = std::move(held);
    in_doubt_ = false;
    relocations_.clear();
    remove_dead_files();
    return {};
}

Result<void> CheckpointWriter::write_pages(LogIndex index, FileNumber number,
                                           std::span<const PageToWrite> pages) {
    PageFileHead head;
    head.shard = shard_;
    head.number = number;
    head.index = index;
    auto written = write_page_file(disk_, path_of(number), head, pages);
    if (written) written = disk_.sync_directory(directory_path_);
    if (written) return {};
    // No batch names the file yet: it can go at once, which matters most on a full disk.
    directory_.add_file(number, static_cast<std::uint32_t>(pages.size()));
    remove_dead_files();
    return written.take_error();
}

Result<void> CheckpointWriter::commit(const CheckpointHead& head,
                                      const std::set<std::uint32_t>& chunks,
                                      const Overlay& frozen) {
    BatchSource source(shard_, head, directory_, chunks, frozen);
    return rows_.commit(source);
}

void CheckpointWriter::remove_dead_files() {
    std::vector<FileNumber> removed;
    for (const auto& [number, use] : directory_.files()) {
        if (use.live > 0) continue;
        const auto gone = disk_.remove(path_of(number));
        if (gone.ok() || gone.error().code() == ErrorCode::kNotFound) removed.push_back(number);
    }
    for (const FileNumber number : removed) directory_.forget_file(number);
}

void CheckpointWriter::choose_relocations() {
    std::vector<std::pair<std::uint32_t, FileNumber>> by_live;
    for (const auto& [number, use] : directory_.files()) by_live.emplace_back(use.live, number);
    std::sort(by_live.begin(), by_live.end());
    const std::size_t merged =
        by_live.size() > kFilesMax ? by_live.size() - kFilesAfterMerge : std::size_t{0};

    std::vector<FileNumber> chosen;
    std::size_t pages = 0;
    for (std::size_t i = 0; i < by_live.size() && pages < kRelocationsMax; ++i) {
        const auto [live, number] = by_live[i];
        if (i >= merged && !mostly_dead(directory_.files().at(number))) continue;
        pages += live;
        chosen.push_back(number);
    }
    std::sort(chosen.begin(), chosen.end());
    relocations_.clear();
    if (!chosen.empty()) relocations_ = directory_.pages_in(chosen);
    if (relocations_.size() > kRelocationsMax) relocations_.resize(kRelocationsMax);
}

}  // namespace tidal::storage::internal
