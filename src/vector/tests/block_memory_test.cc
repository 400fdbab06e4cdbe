// Pieces of memory that belong to one owner at a time, wherever they lie.
#include "vector/internal/block_memory.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <utility>
#include <vector>

namespace tidal::vector {
namespace block_memory_test {

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
        std::vector<std::byte> marks;
        for (int step = 0; step < 120; ++step) {
            if (!pieces.empty() && random() % 3 == 0) {
                const std::size_t at = random() % pieces.size();
                std::swap(pieces[at], pieces.back());
                std::swap(marks[at], marks.back());
                pieces.pop_back();
                marks.pop_back();
            } else {
                pieces.push_back(memory.take());
                marks.push_back(static_cast<std::byte>(step + 1));
                RC_ASSERT(address(pieces.back()) % 64 == 0U);
                // Both ends are there to write to.
                pieces.back().get()[0] = pieces.back().get()[bytes - 1] = marks.back();
            }
            RC_ASSERT(!any_overlap(pieces, bytes));
            // What others give back takes nothing of them.
            for (std::size_t i = 0; i < pieces.size(); ++i)
                RC_ASSERT(pieces[i].get()[0] == marks[i] && pieces[i].get()[bytes - 1] == marks[i]);
            RC_ASSERT(memory.bytes() >= pieces.size() * bytes);
        }
        pieces.clear();
        RC_ASSERT(memory.bytes() == 0U);
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

TEST(BlockMemory, CountsWholePages) {
    constexpr std::size_t kPiece = 192 << 10, kPage = 2 << 20;  // ten fit into a page
    BlockMemory memory(kPiece);
    std::vector<BlockMemory::Piece> pieces;
    for (std::size_t i = 1; i <= 10; ++i) {
        pieces.push_back(memory.take());
        EXPECT_EQ(memory.bytes(), i * kPiece);
    }
    for (std::size_t i = 1; i <= 11; ++i) {
        pieces.push_back(memory.take());
        EXPECT_EQ(memory.bytes(), 10 * kPiece + (i <= 10 ? 1 : 2) * kPage);
    }
    pieces.pop_back();
    EXPECT_EQ(memory.bytes(), 10 * kPiece + kPage);
    pieces.erase(pieces.begin());
    EXPECT_EQ(memory.bytes(), 9 * kPiece + kPage);
}

std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>(), '\n'));
}

/// Linux gives a process some 65,000 of them, which is no bound of vectors.
TEST(BlockMemory, ManyPagesAreFewMappings) {
    constexpr std::size_t kPiece = 256 << 10, kPieces = 8 * 1024;  // 2 GiB of addresses
    const std::size_t before = mappings();
    BlockMemory memory(kPiece);
    std::vector<BlockMemory::Piece> pieces;
    for (std::size_t i = 0; i < kPieces; ++i) pieces.push_back(memory.take());
    EXPECT_LE(mappings(), before + 64);
    // Every second page goes, and their addresses are those of the next.
    for (std::size_t i = 0; i < kPieces; ++i)
        if (i / 8 % 2 == 1) pieces[i].reset();
    EXPECT_LE(mappings(), before + 64);
    for (std::size_t i = 0; i < kPieces; ++i)
        if (!pieces[i]) pieces[i] = memory.take();
    EXPECT_LE(mappings(), before + 64);
    pieces.clear();
    EXPECT_LE(mappings(), before + 16);
}

/// How many pages of the system within it are in memory.
std::size_t resident_pages(const std::byte* piece, std::size_t bytes) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(piece) + page - 1) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(piece) + bytes) / page * page;
    std::vector<unsigned char> in((end - begin) / page);
    EXPECT_EQ(::mincore(reinterpret_cast<void*>(begin), end - begin, in.data()), 0);
    return static_cast<std::size_t>(
        std::ranges::count_if(in, [](unsigned char each) { return (each & 1) != 0; }));
}

TEST(BlockMemory, WhatIsGivenBackGoesToTheSystemBesideWhatStays) {
    constexpr std::size_t kBytes = 256 << 10;
    BlockMemory memory(kBytes);
    std::vector<BlockMemory::Piece> pieces;
    for (int i = 0; i < 8 + 8; ++i) {
        pieces.push_back(memory.take());
        std::fill_n(pieces.back().get(), kBytes, std::byte{1});
    }
    const std::byte* const freed = pieces[12].get();  // of the only page
    EXPECT_GT(resident_pages(freed, kBytes), 0U);
    pieces[12].reset();
    EXPECT_EQ(resident_pages(freed, kBytes), 0U);
}

}  // namespace block_memory_test
}  // namespace tidal::vector
