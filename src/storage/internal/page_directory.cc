#include "storage/internal/page_directory.h"

#include <algorithm>
#include <cassert>

#include "base/codec.h"

namespace tidal::storage::internal {
namespace {

constexpr std::uint8_t kHeadVersion = 1;
constexpr std::uint8_t kChunkVersion = 1;
constexpr std::size_t kPlaceBytes = 12;
// No arena holds more: a chunk beyond is damage, and must not make us allocate for it.
constexpr std::uint64_t kChunksMax =
    PageArena::Options{}.bytes_max / kPageBytes / PageDirectory::kChunkPages;

}  // namespace

std::string encode_head(const CheckpointHead& head) {
    Encoder out;
    out.u8(kHeadVersion);
    out.u64(head.index.value());
    out.u32(head.file_last.value());
    return out.take();
}

Result<CheckpointHead> decode_head(std::string_view bytes) {
    Decoder in(bytes);
    if (const auto version = in.u8(); version != kHeadVersion && !in.failed())
        return Error(ErrorCode::kIncompatible, "checkpoint row of an unknown version")
            .with("version", version);
    CheckpointHead head;
    head.index = LogIndex(in.u64());
    head.file_last = FileNumber(in.u32());
    TIDAL_TRY(in.finish("checkpoint row"));
    return head;
}

void PageDirectory::set(PageId page, PagePlace place) {
    if (page.value() >= places_.size()) {
        if (place.file.value() == 0) return;
        places_.resize(std::size_t{page.value()} + 1);
    }
    PagePlace& old = places_[page.value()];
    if (old.file.value() != 0) --files_[old.file].live;
    if (place.file.value() != 0) ++files_[place.file].live;
    old = place;
}

std::vector<PageId> PageDirectory::pages_in(const std::vector<FileNumber>& files) const {
    std::vector<PageId> pages;
    for (std::uint32_t page = 0; page < places_.size(); ++page)
        if (std::binary_search(files.begin(), files.end(), places_[page].file))
            pages.emplace_back(page);
    return pages;
}

std::string PageDirectory::encode_chunk(std::uint32_t chunk) const {
    const std::size_t begin = std::size_t{chunk} * kChunkPages;
    std::size_t end = std::min(begin + kChunkPages, places_.size());
    while (end > begin && places_[end - 1].file.value() == 0) --end;
    if (end <= begin) return {};
    Encoder out;
    out.u8(kChunkVersion);
    out.u16(static_cast<std::uint16_t>(end - begin));
    for (std::size_t page = begin; page < end; ++page) {
        out.u32(places_[page].file.value());
        out.u32(places_[page].slot);
        out.u32(places_[page].crc);
    }
    return out.take();
}

Result<void> PageDirectory::decode_chunk(std::uint32_t chunk, std::string_view bytes) {
    Decoder in(bytes);
    if (const auto version = in.u8(); version != kChunkVersion && !in.failed())
        return Error(ErrorCode::kIncompatible, "page directory of an unknown version")
            .with("version", version);
    const std::uint16_t count = in.u16();
    if (count > kChunkPages || in.remaining() != count * kPlaceBytes || chunk >= kChunksMax)
        return Error(ErrorCode::kCorruption, "page directory chunk has a wrong size")
            .with("chunk", chunk)
            .with("pages", count)
            .with("bytes", bytes.size());
    for (std::uint32_t i = 0; i < count; ++i) {
        PagePlace place;
        place.file = FileNumber(in.u32());
        place.slot = in.u32();
        place.crc = in.u32();
        set(PageId(chunk * kChunkPages + i), place);
    }
    return in.finish("page directory chunk");
}

}  // namespace tidal::storage::internal
