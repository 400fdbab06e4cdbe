// vector/internal/block_memory.h: memory for the blocks of a slot's vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "vector/internal/page_regions.h"

namespace tidal::vector {

/// Pieces of one size, 64 bytes aligned, with nothing defined in them. The first, as many as fill
/// 2 MiB, are on their own; further ones lie side by side in pages of 2 MiB, since vectors are
/// compared here and there among all of them (base/huge_pages.h), in few mappings
/// (page_regions.h).
///
/// Memory   What is taken, the rest of a page, and, of pieces given back, none: their pages go to
///          the system at once, where an allocator may keep them for the next who asks.
/// Threads  One at a time. Lifetime: longer than its pieces, where it stays.
class BlockMemory {
public:
    explicit BlockMemory(std::size_t piece_bytes);

    struct GiveBack {
        BlockMemory* to = nullptr;
        void operator()(std::byte* piece) const { to->give_back(piece); }
    };
    using Piece = std::unique_ptr<std::byte, GiveBack>;
    Piece take() { return Piece(take_piece(), GiveBack{this}); }
    /// Of whole pages, be what is left of them ever touched or not.
    std::size_t bytes() const { return on_their_own_ * piece_bytes_ + pages_.size() * kPageBytes; }

private:
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    static constexpr std::size_t kPageBytes = PageRegions::kPageBytes;
    using Free = std::vector<std::byte*>;  ///< Pieces.
    std::byte* take_piece();
    std::byte* take_on_its_own();
    void add_page();
    void give_back(std::byte* piece);

    const std::size_t piece_bytes_;  ///< A multiple of a line.
    const std::size_t pieces_of_page_;
    std::size_t on_their_own_ = 0;
    PageRegions regions_;
    std::map<std::uintptr_t, Free> pages_;  ///< By address.
    std::set<std::uintptr_t> open_;         ///< Those that have any free.
};

}  // namespace tidal::vector
