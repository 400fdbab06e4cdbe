// storage/internal/page_directory.h: which page lies where on disk.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/page_arena.h"

namespace tidal::storage::internal {

using FileNumber = Id<struct PageFileTag, std::uint32_t>;  ///< First is 1; 0 = none.

struct PagePlace {
    FileNumber file;
    std::uint32_t slot = 0;
    std::uint32_t crc = 0;  ///< CRC-32C of the page's bytes.
    bool operator==(const PagePlace&) const = default;
};

/// The checkpoint row of a shard.
struct CheckpointHead {
    LogIndex index;
    FileNumber file_last;  ///< Highest number any page file was given so far.
};
std::string encode_head(const CheckpointHead& head);
Result<CheckpointHead> decode_head(std::string_view bytes);

/// Page to place, stored in chunks of 256 pages so that a checkpoint rewrites few of them.
class PageDirectory {
public:
    static constexpr std::uint32_t kChunkPages = 256;

    struct FileUse {
        std::uint32_t slots = 0;  ///< Pages written to it.
        std::uint32_t live = 0;   ///< Pages that still lie there.
    };

    std::uint32_t page_count() const { return static_cast<std::uint32_t>(places_.size()); }
    /// file 0 for a page that is not there.
    PagePlace place(PageId page) const {
        return page.value() < places_.size() ? places_[page.value()] : PagePlace{};
    }
    void set(PageId page, PagePlace place);
    /// The file exists with this many slots.
    void add_file(FileNumber file, std::uint32_t slots) { files_[file].slots = slots; }
    void forget_file(FileNumber file) { files_.erase(file); }
    const absl::btree_map<FileNumber, FileUse>& files() const { return files_; }
    /// Live pages of these files, in page order.
    std::vector<PageId> pages_in(const std::vector<FileNumber>& files) const;

    /// Empty when no page of the chunk is anywhere: its row goes away.
    std::string encode_chunk(std::uint32_t chunk) const;
    /// Reads one chunk row; places of pages in other chunks stay.
    Result<void> decode_chunk(std::uint32_t chunk, std::string_view bytes);

private:
    std::vector<PagePlace> places_;
    absl::btree_map<FileNumber, FileUse> files_;
};

}  // namespace tidal::storage::internal
