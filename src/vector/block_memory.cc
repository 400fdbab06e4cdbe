#include "vector/internal/block_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace tidal::vector {
namespace {

std::uintptr_t address(const void* at) {
    return reinterpret_cast<std::uintptr_t>(at);
}

/// Whole pages of the system within the piece. Advice: failing is fine.
void leave_to_system(std::byte* piece, std::size_t bytes) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t begin = (address(piece) + page - 1) & ~(page - 1);
    const std::uintptr_t end = (address(piece) + bytes) & ~(page - 1);
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace

BlockMemory::BlockMemory(std::size_t piece_bytes)
    : piece_bytes_((piece_bytes + sizeof(Line) - 1) / sizeof(Line) * sizeof(Line)),
      pieces_of_page_(kPageBytes / piece_bytes_) {}

std::byte* BlockMemory::take_on_its_own() {
    ++on_their_own_;
    return std::allocator<Line>().allocate(piece_bytes_ / sizeof(Line))->bytes;
}

std::byte* BlockMemory::take_piece() {
    if (on_their_own_ < pieces_of_page_ || pieces_of_page_ < 2) return take_on_its_own();
    auto open = std::ranges::find_if(pages_, [](const auto& p) { return !p.second.free.empty(); });
    if (open == pages_.end()) {
        Page page{Lines(HugePages<Line>().allocate(kLines)), {}};
        std::byte* const begin = page.memory->bytes;
        for (std::size_t i = pieces_of_page_; i > 0; --i)
            page.free.push_back(begin + (i - 1) * piece_bytes_);
        open = pages_.emplace(address(begin), std::move(page)).first;
    }
    std::byte* const out = open->second.free.back();
    open->second.free.pop_back();
    return out;
}

void BlockMemory::give_back(std::byte* piece) {
    leave_to_system(piece, piece_bytes_);
    const auto behind = pages_.upper_bound(address(piece));
    const auto page = behind == pages_.begin() ? pages_.end() : std::prev(behind);
    if (page == pages_.end() || address(piece) - page->first >= kPageBytes) {
        --on_their_own_;
        std::allocator<Line>().deallocate(reinterpret_cast<Line*>(piece),
                                          piece_bytes_ / sizeof(Line));
        return;
    }
    page->second.free.push_back(piece);
    if (page->second.free.size() == pieces_of_page_) pages_.erase(page);
}

}  // namespace tidal::vector
