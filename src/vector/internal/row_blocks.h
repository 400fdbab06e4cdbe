// vector/internal/row_blocks.h: where the rows of a slot's vectors lie: in memory, or in files that
// are mapped.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/prefetch.h"
#include "vector/internal/block_memory.h"

namespace tidal::vector {

/// Rows of one size, each with a factor, by slots in blocks. A block begins as one piece of memory.
/// Once a file has so many of its rows that this halves it, it becomes a table of where they lie:
/// in that file or another, or, where no file has them as they are, each in memory of its own.
///
/// Memory   row_bytes + 4 bytes for each slot of a block, and what that leaves of pages of 2 MiB
///          (block_memory.h); 12 where its rows lie in files.
/// Threads  One at a time. What find() gives holds until the next change.
class RowBlocks {
public:
    explicit RowBlocks(std::size_t row_bytes);

    /// nullptr = none.
    const std::byte* find(Slot slot, float* factor) const {
        const std::size_t at = slot.value() >> shift_;
        if (at >= blocks_.size() || blocks_[at].is_none()) return nullptr;
        const Block& block = blocks_[at];
        const std::size_t place = slot.value() & (slots_ - 1);
        *factor = block.factors()[place];
        if (std::isnan(*factor)) return nullptr;
        if (block.rows) return block.rows.get() + place * row_bytes_;
        if (block.read != Read::kLately) block.read = Read::kLately;
        return block.places[place];
    }
    /// Asks for what find() and a read of the row will wait for.
    TIDAL_PREFETCHES void prefetch(Slot slot) const {
        const std::size_t at = slot.value() >> shift_;
        if (at >= blocks_.size() || blocks_[at].is_none()) return;
        const std::size_t place = slot.value() & (slots_ - 1);
        const Block& block = blocks_[at];
        __builtin_prefetch(block.factors() + place);
        __builtin_prefetch(block.rows ? block.rows.get() + place * row_bytes_
                                      : static_cast<const void*>(&block.places[place]));
    }
    /// Replaces what is there. @param factor  No NaN: that is how it says that there is none.
    void put(Slot slot, std::string_view row, float factor);
    /// Precondition: there is one.
    void erase(Slot slot);

    /// Blocks are numbered from 0 on: those there are, and those between them.
    std::size_t blocks() const { return blocks_.size(); }
    /// Rows of a file, in an order that the caller knows.
    struct File {
        std::shared_ptr<const char> bytes;
        std::size_t size = 0;
        /// Lets pages of a part go from the process, as runtime::MappedFile::leave(); or none.
        /// Called while `bytes` is kept alone.
        std::function<void(const char* from, std::size_t size)> leave = {};
    };
    using Where = absl::FunctionRef<const char*(Slot)>;
    /// The rows of a block that are in the file as they are here are read there from now on, where
    /// the block takes less than half of its memory then, or lies in files already.
    /// @param where  Where the file has the row of a slot; nullptr = nowhere.
    void map(std::size_t block, const File& file, Where where);
    /// Of a block in files, none of which was looked for since the last call but one: its pages
    /// leave the process. @return whether they did.
    bool leave_unread(std::size_t block);

    /// In which rows are read. Who keeps them chooses where a file is let go, which may take long.
    std::vector<std::shared_ptr<const char>> files() const;

    std::size_t bytes() const;         ///< Of memory.
    std::size_t mapped_bytes() const;  ///< Of rows that are read in files.

private:
    /// When find() was last asked for a row of a block.
    enum class Read : std::uint8_t { kLongAgo, kBefore, kLately };
    struct Block {
        BlockMemory::Piece rows;               ///< By place; or, where it is none:
        std::vector<const std::byte*> places;  ///< Where they lie; nullptr = there is none.
        BlockMemory::Piece factors_of_rows;
        std::uint32_t size = 0;
        mutable Read read = Read::kLately;  ///< Of rows in files. kLongAgo = no page is here.

        bool is_none() const { return factors_of_rows == nullptr; }
        /// By place; NaN = there is none.
        float* factors() const { return reinterpret_cast<float*>(factors_of_rows.get()); }
    };
    struct Mapped {
        File file;
        std::uint64_t rows = 0;  ///< That are read there. Without any it goes.
    };

    Block& block_of(Slot slot);
    std::byte* own_row(Slot slot);
    void leave(Slot slot, const std::byte* row);
    std::vector<const std::byte*> same_rows(std::size_t at, Where where,
                                            std::uint32_t* count) const;
    void read_at(std::size_t at, std::vector<const std::byte*> places);
    const Mapped* file_of(const std::byte* row) const;
    void leave_pages(Block& block);

    const std::size_t row_bytes_;
    std::uint32_t slots_ = 0;  ///< Of a block; a power of two.
    std::uint32_t shift_ = 0;
    std::unique_ptr<BlockMemory> rows_memory_, factors_memory_;  ///< Longer than the blocks.
    std::vector<Block> blocks_;
    std::size_t blocks_of_places_ = 0;
    /// By slot: rows in blocks of places that are in no file.
    absl::flat_hash_map<std::uint32_t, std::unique_ptr<std::byte[]>> own_;
    std::vector<Mapped> files_;
};

}  // namespace tidal::vector
