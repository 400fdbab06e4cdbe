#include "vector/internal/block_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <iterator>
#include <utility>

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
    if (open_.empty()) add_page();
    const auto open = open_.begin();
    Free& free = pages_.find(*open)->second;
    std::byte* const out = free.back();
    free.pop_back();
    if (free.empty()) open_.erase(open);
    return out;
}

void BlockMemory::add_page() {
    std::byte* const begin = regions_.take();
    Free free;
    for (std::size_t i = pieces_of_page_; i > 0; --i)
        free.push_back(begin + (i - 1) * piece_bytes_);
    pages_.emplace(address(begin), std::move(free));
    open_.insert(address(begin));
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
    page->second.push_back(piece);
    open_.insert(page->first);
    if (page->second.size() < pieces_of_page_) return;
    regions_.give_back(reinterpret_cast<std::byte*>(page->first));
    open_.erase(page->first);
    pages_.erase(page);
}

}  // namespace tidal::vector
