// The reading half of CheckpointWriter: the newest checkpoint back into an empty arena.
#include <algorithm>

#include "storage/internal/checkpoint_writer.h"
#include "storage/internal/directory_load.h"
#include "storage/internal/durable_folder.h"

namespace tidal::storage::internal {
namespace {

constexpr std::size_t kReadPagesMax = 256;

}  // namespace

Result<LogIndex> CheckpointWriter::load(Arena& arena) {
    TIDAL_TRY(make_durable_folder(disk_, directory_path_));
    TIDAL_ASSIGN(const auto head, load_head(rows_, shard_));
    TIDAL_TRY(load_directory(rows_, shard_, directory_));
    if (!head && directory_.page_count() > 0)
        return Error(ErrorCode::kCorruption, "page directory without a checkpoint row")
            .with("shard", shard_.value());
    if (head) file_last_ = head->file_last;
    TIDAL_TRY(load_pages(arena));
    TIDAL_TRY(remove_leftovers());
    choose_relocations();
    return head ? head->index : LogIndex();
}

Result<void> CheckpointWriter::load_pages(Arena& arena) {
    TIDAL_TRY(arena.reserve(directory_.page_count()));
    absl::btree_map<FileNumber, std::vector<PageId>> pages_of;
    for (std::uint32_t page = 0; page < directory_.page_count(); ++page)
        if (const auto file = directory_.place(PageId(page)).file; file.value() != 0)
            pages_of[file].push_back(PageId(page));
    for (auto& [file, pages] : pages_of) TIDAL_TRY(load_file(file, pages, arena));
    arena.finish_load();
    return {};
}

Result<void> CheckpointWriter::load_file(FileNumber number, std::vector<PageId>& pages,
                                         Arena& arena) {
    const std::string path = path_of(number);
    auto opened = PageFileReader::open(disk_, path, shard_, number);
    if (!opened && opened.error().code() == ErrorCode::kNotFound)
        return Error(ErrorCode::kCorruption, "page file of the newest checkpoint is missing")
            .with("file", path)
            .with_hint("restore this shard from a backup or another replica");
    if (!opened) return opened.take_error();
    PageFileReader& reader = *opened;
    directory_.add_file(number, reader.head().count);

    std::sort(pages.begin(), pages.end(), [this](PageId a, PageId b) {
        return directory_.place(a).slot < directory_.place(b).slot;
    });
    for (std::size_t i = 0; i < pages.size();) {
        // A run of neighbours both in the file and in memory is read in one piece.
        const std::uint32_t slot = directory_.place(pages[i]).slot;
        std::size_t run = 1;
        while (i + run < pages.size() && run < kReadPagesMax &&
               pages[i + run].value() == pages[i].value() + run &&
               directory_.place(pages[i + run]).slot == slot + run)
            ++run;
        TIDAL_TRY(load_run(reader, std::span(pages).subspan(i, run), arena));
        i += run;
    }
    return {};
}

Result<void> CheckpointWriter::load_run(PageFileReader& reader, std::span<const PageId> pages,
                                        Arena& arena) {
    const std::uint32_t slot = directory_.place(pages[0]).slot;
    if (std::uint64_t{slot} + pages.size() > reader.head().count)
        return reader.damaged(slot, pages[0])
            .with("cause", "the directory names a slot beyond the file");
    std::byte* const bytes = arena.load(pages[0]);
    for (std::size_t i = 1; i < pages.size(); ++i) arena.load(pages[i]);
    TIDAL_TRY(reader.read(slot, {bytes, pages.size() * kPageBytes}));
    for (std::uint32_t i = 0; i < pages.size(); ++i)
        if (page_crc(bytes + std::size_t{i} * kPageBytes) != directory_.place(pages[i]).crc)
            return reader.damaged(slot + i, pages[i]);
    return {};
}

Result<void> CheckpointWriter::remove_leftovers() {
    TIDAL_ASSIGN(const auto names, disk_.list(directory_path_));
    for (const std::string& name : names) {
        const auto number = parse_page_file_name(name);
        if (!number || directory_.files().contains(*number)) continue;
        file_last_ = std::max(file_last_, *number);
        TIDAL_TRY(disk_.remove(path_of(*number)));
    }
    return {};
}

}  // namespace tidal::storage::internal
