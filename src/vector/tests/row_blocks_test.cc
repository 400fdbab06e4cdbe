// Rows that move between memory and files, and are what was put wherever they lie.
#include "vector/internal/row_blocks.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace tidal::vector {
namespace row_blocks_test {

using Rows = std::map<std::uint32_t, std::string>;

/// Rows at some moment, one after the other by slot.
struct MappedRows {
    MappedRows(const Rows& rows, std::size_t row_bytes) {
        file.size = rows.size() * row_bytes;
        std::shared_ptr<char[]> memory(new char[file.size + 1]);
        for (const auto& [slot, row] : rows) {
            const std::size_t at = places.size() * row_bytes;
            std::memcpy(memory.get() + at, row.data(), row_bytes);
            places.emplace(slot, at);
        }
        file.bytes = std::shared_ptr<const char>(memory, memory.get());
    }
    const char* where(Slot slot) const {
        const auto found = places.find(slot.value());
        return found == places.end() ? nullptr : file.bytes.get() + found->second;
    }
    void map(RowBlocks* to) const {
        for (std::size_t block = 0; block < to->blocks(); ++block)
            to->map(block, file, [this](Slot slot) { return where(slot); });
    }

    RowBlocks::File file;
    std::map<std::uint32_t, std::size_t> places;
};

std::string random_row(std::mt19937_64& random, std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random() % 3);
    return out;
}

std::string found(const RowBlocks& blocks, std::uint32_t slot, std::size_t row_bytes) {
    float factor = 0;
    const std::byte* const row = blocks.find(Slot(slot), &factor);
    if (row == nullptr) return {};
    EXPECT_EQ(factor, static_cast<float>(slot));
    return {reinterpret_cast<const char*>(row), row_bytes};
}

TEST(RowBlocks, AreWhatWasPutWhereverTheyLie) {
    EXPECT_TRUE(rc::check([] {
        std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
        const std::size_t row_bytes = std::vector<std::size_t>{1, 24, 512, 20'000}[random() % 4];
        // Two blocks and a part of one, some way behind the first, of the largest rows; or more
        // than have memory on their own.
        const std::uint32_t first = random() % 2 == 0 ? 0 : 5000;
        const std::uint32_t count = random() % 4 == 0 ? 250 : 40;
        RowBlocks blocks(row_bytes);
        Rows rows;
        std::vector<std::weak_ptr<const char>> files;
        for (int step = 0; step < 120; ++step) {
            const std::uint32_t slot = first + static_cast<std::uint32_t>(random()) % count;
            switch (random() % 12) {
                case 0:
                case 1:
                    if (rows.erase(slot) > 0) blocks.erase(Slot(slot));
                    break;
                case 2: {
                    const MappedRows mapped(rows, row_bytes);
                    mapped.map(&blocks);
                    files.push_back(mapped.file.bytes);
                    break;
                }
                case 3: {  // one of another moment: some rows are others, some are missing
                    Rows other = rows;
                    for (auto& [at, row] : other)
                        if (random() % 3 == 0) row = random_row(random, row_bytes);
                    other.erase(slot);
                    const MappedRows mapped(other, row_bytes);
                    mapped.map(&blocks);
                    mapped.map(&blocks);
                    files.push_back(mapped.file.bytes);
                    break;
                }
                default:
                    rows[slot] = random_row(random, row_bytes);
                    blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
            }
            for (std::uint32_t at = first; at < first + count; ++at)
                RC_ASSERT(found(blocks, at, row_bytes) == (rows.contains(at) ? rows[at] : ""));
            // A file is kept as long as a row is read there, and counted.
            std::size_t mapped = 0;
            for (const auto& file : blocks.files()) RC_ASSERT(file != nullptr);
            for (const auto& weak : files) mapped += weak.expired() ? 0 : 1;
            RC_ASSERT(mapped == blocks.files().size());
            RC_ASSERT(blocks.mapped_bytes() <= rows.size() * row_bytes);
            RC_ASSERT((blocks.mapped_bytes() == 0) == blocks.files().empty());
        }
        for (const auto& [slot, row] : rows) blocks.erase(Slot(slot));
        RC_ASSERT(blocks.mapped_bytes() == 0U);
        RC_ASSERT(blocks.files().empty());
    }));
}

TEST(RowBlocks, LeaveMemoryForAFileAndComeBackOneByOne) {
    // As many blocks as are on their own and as fill a page.
    constexpr std::size_t kRowBytes = 512, kCount = 8192, kBlock = 512;
    constexpr std::size_t kRows = kCount / kBlock * kRowBytes, kBeside = kCount / kBlock * 64;
    std::mt19937_64 random(5);
    RowBlocks blocks(kRowBytes);
    Rows rows;
    for (std::uint32_t slot = 0; slot < kCount; ++slot) {
        rows[slot] = random_row(random, kRowBytes);
        blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
    }
    const std::size_t memory = blocks.bytes();
    EXPECT_GT(memory, kCount * kRowBytes);
    const MappedRows all(rows, kRowBytes);
    all.map(&blocks);
    const std::size_t left = blocks.bytes();
    EXPECT_EQ(memory - left, kCount * (kRowBytes - sizeof(void*)));
    EXPECT_EQ(blocks.mapped_bytes(), kCount * kRowBytes);
    for (std::uint32_t slot = 0; slot < kCount; slot += kBlock)
        blocks.put(Slot(slot), std::string(kRowBytes, 'x'), 1);
    const std::size_t with_own = blocks.bytes();
    EXPECT_GE(with_own, left + kRows);
    EXPECT_LE(with_own, left + kRows + kBeside);
    blocks.put(Slot(0), std::string(kRowBytes, 'y'), 1);
    EXPECT_EQ(blocks.bytes(), with_own);
    EXPECT_EQ(blocks.mapped_bytes(), (kCount - kCount / kBlock) * kRowBytes);
    // Back to what the file has.
    for (std::uint32_t slot = 0; slot < kCount; slot += kBlock)
        blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
    all.map(&blocks);
    EXPECT_EQ(blocks.bytes(), left);
}

/// Every row is another one, and the next file has them: nothing is left of where they lay, but for
/// those that are other ones again.
TEST(RowBlocks, KeepNoRoomForRowsThatAreInAFileAgain) {
    constexpr std::size_t kRowBytes = 64;
    constexpr std::uint32_t kCount = 20'000, kFew = 100;
    std::mt19937_64 random(5);
    RowBlocks blocks(kRowBytes);
    Rows rows;
    const auto put_all = [&] {
        for (std::uint32_t slot = 0; slot < kCount; ++slot) {
            rows[slot] = random_row(random, kRowBytes);
            blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
        }
        return MappedRows(rows, kRowBytes);
    };
    put_all().map(&blocks);
    const std::size_t left = blocks.bytes();
    const MappedRows anew = put_all();
    EXPECT_GT(blocks.bytes(), left + kCount * (kRowBytes + 17));
    for (std::uint32_t slot = 0; slot < kFew; ++slot)
        blocks.put(Slot(slot), std::string(kRowBytes, 'x'), 1);
    anew.map(&blocks);
    EXPECT_EQ(blocks.mapped_bytes(), (kCount - kFew) * kRowBytes);
    EXPECT_LE(blocks.bytes(), left + kFew * (kRowBytes + 17 * 8 + 8));
    for (std::uint32_t slot = 0; slot < kFew; ++slot)
        blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
    anew.map(&blocks);
    EXPECT_EQ(blocks.bytes(), left);
}

/// Comparing with a file reads it, and a search what it compares: neither stays for good.
TEST(RowBlocks, OfWhichNoneIsLookedForLetTheirPagesGo) {
    constexpr std::size_t kRowBytes = 512, kBlock = 512;
    std::mt19937_64 random(5);
    RowBlocks blocks(kRowBytes);
    Rows rows;
    for (std::uint32_t slot = 0; slot < 2 * kBlock; ++slot) {
        rows[slot] = random_row(random, kRowBytes);
        blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
    }
    EXPECT_FALSE(blocks.leave_unread(0));  // In memory.
    MappedRows mapped(rows, kRowBytes);
    using Left = std::vector<std::pair<std::size_t, std::size_t>>;
    Left left;
    mapped.file.leave = [&, begin = mapped.file.bytes.get()](const char* from, std::size_t size) {
        left.emplace_back(from - begin, size);
    };
    mapped.map(&blocks);
    const Left both = {{0, kBlock * kRowBytes}, {kBlock * kRowBytes, kBlock * kRowBytes}};
    EXPECT_EQ(std::exchange(left, {}), both);
    EXPECT_FALSE(blocks.leave_unread(0));  // Nothing came back.
    EXPECT_EQ(found(blocks, 7, kRowBytes), rows[7]);
    EXPECT_FALSE(blocks.leave_unread(0));
    EXPECT_EQ(found(blocks, 8, kRowBytes), rows[8]);
    EXPECT_FALSE(blocks.leave_unread(0));
    EXPECT_TRUE(left.empty());
    EXPECT_TRUE(blocks.leave_unread(0));
    EXPECT_EQ(std::exchange(left, {}), Left({both[0]}));
    EXPECT_FALSE(blocks.leave_unread(0));
    EXPECT_FALSE(blocks.leave_unread(1));
    EXPECT_FALSE(blocks.leave_unread(2));  // There is none.
    // What lies elsewhere by now parts what lies in the file.
    blocks.put(Slot(kBlock + 10), std::string(kRowBytes, 'x'), 1);
    EXPECT_FALSE(blocks.leave_unread(1));
    EXPECT_TRUE(blocks.leave_unread(1));
    const std::size_t row = kBlock + 10;
    EXPECT_EQ(left, Left({{kBlock * kRowBytes, 10 * kRowBytes},
                          {(row + 1) * kRowBytes, (kBlock - 11) * kRowBytes}}));
}

/// A table and a row of its own for each would free little, if anything.
TEST(RowBlocks, OfWhichAFileHasFewStayInMemory) {
    constexpr std::size_t kRowBytes = 512;
    std::mt19937_64 random(5);
    RowBlocks blocks(kRowBytes);
    Rows rows;
    for (std::uint32_t slot = 0; slot < 512; ++slot) {
        rows[slot] = random_row(random, kRowBytes);
        blocks.put(Slot(slot), rows[slot], static_cast<float>(slot));
    }
    const std::size_t memory = blocks.bytes();
    const MappedRows few(Rows(rows.begin(), std::next(rows.begin(), 270)), kRowBytes);
    few.map(&blocks);
    EXPECT_EQ(blocks.bytes(), memory);
    EXPECT_EQ(blocks.mapped_bytes(), 0U);
    EXPECT_TRUE(blocks.files().empty());
    const MappedRows more(Rows(rows.begin(), std::next(rows.begin(), 290)), kRowBytes);
    more.map(&blocks);
    EXPECT_LT(blocks.bytes(), memory / 2 + 512 * sizeof(float));
    EXPECT_EQ(blocks.mapped_bytes(), 290 * kRowBytes);
}

}  // namespace row_blocks_test
}  // namespace tidal::vector
