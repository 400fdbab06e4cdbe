#include "vector/internal/row_blocks.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

namespace tidal::vector {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;
constexpr std::uint32_t kBlockSlotsMin = 16, kBlockSlotsMax = 4096;
constexpr float kAbsent = std::numeric_limits<float>::quiet_NaN();
/// Of a row in memory of its own, beside it: what the allocator adds, about; and its entry, also of
/// those that are free.
constexpr std::size_t kAllocatorBytes = 8, kEntryBytes = 17;
constexpr std::size_t kOwnBytes = kAllocatorBytes + kEntryBytes * 3 / 2;

}  // namespace

RowBlocks::RowBlocks(std::size_t row_bytes)
    : row_bytes_(row_bytes),
      slots_(std::clamp(static_cast<std::uint32_t>(std::bit_floor(kBlockBytes / row_bytes)),
                        kBlockSlotsMin, kBlockSlotsMax)),
      shift_(static_cast<std::uint32_t>(std::countr_zero(slots_))),
      rows_memory_(std::make_unique<BlockMemory>(row_bytes_ * slots_)),
      factors_memory_(std::make_unique<BlockMemory>(sizeof(float) * slots_)) {}

RowBlocks::Block& RowBlocks::block_of(Slot slot) {
    const std::size_t at = slot.value() >> shift_;
    if (at >= blocks_.size()) blocks_.resize(at + 1);
    Block& block = blocks_[at];
    if (block.is_none()) {
        block.rows = rows_memory_->take();
        block.factors_of_rows = factors_memory_->take();
        std::uninitialized_fill_n(block.factors(), slots_, kAbsent);
    }
    return block;
}

void RowBlocks::put(Slot slot, std::string_view row, float factor) {
    assert(row.size() == row_bytes_ && !std::isnan(factor));
    Block& block = block_of(slot);
    const std::size_t place = slot.value() & (slots_ - 1);
    std::byte* to = nullptr;
    if (block.rows) {
        to = block.rows.get() + place * row_bytes_;
    } else {
        to = own_row(slot);
        block.places[place] = to;
    }
    std::memcpy(to, row.data(), row_bytes_);
    float& before = block.factors()[place];
    block.size += std::isnan(before) ? 1 : 0;
    before = factor;
}

void RowBlocks::erase(Slot slot) {
    const std::size_t at = slot.value() >> shift_;
    Block& block = blocks_[at];
    const std::size_t place = slot.value() & (slots_ - 1);
    block.factors()[place] = kAbsent;
    if (!block.rows) leave(slot, std::exchange(block.places[place], nullptr));
    if (--block.size > 0) return;
    if (!block.rows) --blocks_of_places_;
    block = {};
}

/// Of a block of places. What it was elsewhere is left.
std::byte* RowBlocks::own_row(Slot slot) {
    const auto found = own_.find(slot.value());
    if (found != own_.end()) return found->second.get();
    float factor = 0;
    if (const std::byte* const before = find(slot, &factor)) leave(slot, before);
    auto row = std::make_unique<std::byte[]>(row_bytes_);
    return own_.emplace(slot.value(), std::move(row)).first->second.get();
}

/// It is not read there any more, be it memory of its own or a file.
void RowBlocks::leave(Slot slot, const std::byte* row) {
    if (own_.erase(slot.value()) > 0) {
        // Its entries do not go by themselves: after every row was another one, so many are left.
        if (own_.size() * 8 < own_.capacity()) own_.rehash(0);
        return;
    }
    const Mapped* const file = file_of(row);
    assert(file != nullptr);
    const auto at = files_.begin() + (file - files_.data());
    if (--at->rows == 0) files_.erase(at);
}

/// nullptr = the row has memory of its own.
const RowBlocks::Mapped* RowBlocks::file_of(const std::byte* row) const {
    const auto number = [](const void* at) { return reinterpret_cast<std::uintptr_t>(at); };
    const auto found = std::ranges::find_if(files_, [&](const Mapped& mapped) {
        return number(row) - number(mapped.file.bytes.get()) < mapped.file.size;
    });
    return found == files_.end() ? nullptr : &*found;
}

void RowBlocks::map(std::size_t at, const File& file, Where where) {
    if (at >= blocks_.size() || blocks_[at].is_none()) return;
    const Block& block = blocks_[at];
    std::uint32_t count = 0;
    auto places = same_rows(at, where, &count);
    const std::size_t table =
        slots_ * sizeof(places[0]) + (block.size - count) * (row_bytes_ + kOwnBytes);
    // Many rows on their own are worth it only where that frees much.
    if (count == 0 || (block.rows && table >= slots_ * row_bytes_ / 2)) return;
    // First, so that rows which lie there already do not let it go.
    auto known =
        std::ranges::find(files_, file.bytes, [](const Mapped& m) { return m.file.bytes; });
    if (known == files_.end()) known = files_.insert(known, Mapped{file, 0});
    known->rows += count;
    read_at(at, std::move(places));
    leave_pages(blocks_[at]);  // Comparing has read all of them.
}

bool RowBlocks::leave_unread(std::size_t at) {
    if (at >= blocks_.size() || blocks_[at].is_none() || blocks_[at].rows) return false;
    Block& block = blocks_[at];
    if (block.read == Read::kLongAgo) return false;
    if (std::exchange(block.read, Read::kBefore) == Read::kLately) return false;
    leave_pages(block);
    return true;
}

/// Rows that follow each other in a file, together.
void RowBlocks::leave_pages(Block& block) {
    block.read = Read::kLongAgo;
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;
    const auto leave = [&] {
        const Mapped* const file = begin == nullptr ? nullptr : file_of(begin);
        if (file == nullptr || !file->file.leave) return;
        file->file.leave(reinterpret_cast<const char*>(begin),
                         static_cast<std::size_t>(end - begin));
    };
    for (const std::byte* const row : block.places) {
        if (row == nullptr) continue;
        if (row != end) {
            leave();
            begin = row;
        }
        end = row + row_bytes_;
    }
    leave();
}

/// By place: where the file has what is here; nullptr = nowhere.
std::vector<const std::byte*> RowBlocks::same_rows(std::size_t at, Where where,
                                                   std::uint32_t* count) const {
    std::vector<const std::byte*> out(slots_);
    for (std::uint32_t place = 0; place < slots_; ++place) {
        const Slot slot(static_cast<std::uint32_t>(at << shift_) + place);
        float factor = 0;
        const std::byte* const here = find(slot, &factor);
        const char* const there = here == nullptr ? nullptr : where(slot);
        if (there == nullptr || std::memcmp(here, there, row_bytes_) != 0) continue;
        out[place] = reinterpret_cast<const std::byte*>(there);
        ++*count;
    }
    return out;
}

/// @param places  Of rows in files; those without one stay where they are, or leave the block's
///                memory for their own.
void RowBlocks::read_at(std::size_t at, std::vector<const std::byte*> places) {
    Block& block = blocks_[at];
    for (std::uint32_t place = 0; place < slots_; ++place) {
        const Slot slot(static_cast<std::uint32_t>(at << shift_) + place);
        float factor = 0;
        const std::byte* const here = find(slot, &factor);
        if (here == nullptr) continue;
        if (places[place] != nullptr) {
            if (!block.rows) leave(slot, here);
        } else if (block.rows) {
            auto row = std::make_unique<std::byte[]>(row_bytes_);
            std::memcpy(row.get(), here, row_bytes_);
            places[place] = own_.emplace(slot.value(), std::move(row)).first->second.get();
        } else {
            places[place] = here;
        }
    }
    block.places = std::move(places);
    if (!block.rows) return;
    block.rows.reset();
    ++blocks_of_places_;
}

std::vector<std::shared_ptr<const char>> RowBlocks::files() const {
    std::vector<std::shared_ptr<const char>> out;
    for (const Mapped& mapped : files_) out.push_back(mapped.file.bytes);
    return out;
}

std::size_t RowBlocks::bytes() const {
    return rows_memory_->bytes() + factors_memory_->bytes() +
           blocks_of_places_ * slots_ * sizeof(std::byte*) +
           own_.size() * (row_bytes_ + kAllocatorBytes) + own_.capacity() * kEntryBytes +
           blocks_.size() * sizeof(blocks_[0]);
}

std::size_t RowBlocks::mapped_bytes() const {
    std::size_t rows = 0;
    for (const Mapped& mapped : files_) rows += mapped.rows;
    return rows * row_bytes_;
}

}  // namespace tidal::vector
