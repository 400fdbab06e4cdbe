// Pieces of memory that belong to one owner at a time, wherever they lie.
#include "vector/internal/block_memory.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace tidal::vector {
namespace {

std::uintptr_t address(const BlockMemory::Piece& piece) {
    return reinterpret_cast<std::uintptr_t>(piece.get());
}

bool any_overlap(const std::vector<BlockMemory::Piece>& pieces, std::size_t bytes) {
    std::vector<std::uintptr_t> begins;
    for (const auto& piece : pieces) begins.push_back(address(piece));
    std::ranges::sort(begins);
    return std::ranges::adjacent_find(
               begins, [&](auto one, auto next) { return next - one < bytes; }) != begins.end();
}

TEST(BlockMemory, PiecesAreApart) {
    EXPECT_TRUE(rc::check([] {
        std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
        // Many of a page, few with a rest, two with none, and larger than a page.
        const std::size_t bytes =
            std::vector<std::size_t>{50'000, 600'001, 1 << 20, (2 << 20) + 1}[random() % 4];
        BlockMemory memory(bytes);
        std::vector<BlockMemory::Piece> pieces;
        for (int step = 0; step < 120; ++step) {
            if (!pieces.empty() && random() % 3 == 0) {
                std::swap(pieces[random() % pieces.size()], pieces.back());
                pieces.pop_back();
                continue;
            }
            pieces.push_back(memory.take());
            RC_ASSERT(address(pieces.back()) % 64 == 0U);
            // Both ends are there to write to.
            pieces.back().get()[0] = pieces.back().get()[bytes - 1] = std::byte{1};
            RC_ASSERT(!any_overlap(pieces, bytes));
        }
    }));
}

TEST(BlockMemory, WhatIsGivenBackIsTakenAgain) {
    BlockMemory memory(256 << 10);
    std::vector<BlockMemory::Piece> pieces;
    for (int i = 0; i < 8 + 8; ++i) pieces.push_back(memory.take());
    const std::byte* const freed = pieces[12].get();  // of the only page
    pieces[12].reset();
    EXPECT_EQ(memory.take().get(), freed);
}

}  // namespace
}  // namespace tidal::vector
