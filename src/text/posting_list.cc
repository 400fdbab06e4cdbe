#include "text/internal/posting_list.h"

#include <algorithm>

namespace tidal::text {
namespace {

void put_varint(std::uint32_t value, std::string* out) {
    for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
    out->push_back(static_cast<char>(value));
}

/// Of bytes this process wrote: whole.
inline std::uint32_t take_varint(const char*& at) {
    auto byte = static_cast<std::uint8_t>(*at++);
    std::uint32_t value = byte & 0x7F;
    for (int shift = 7; byte >= 0x80; shift += 7) {
        byte = static_cast<std::uint8_t>(*at++);
        value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    }
    return value;
}

}  // namespace

void PostingList::append(const Posting& posting, Block* block) {
    if (block->count == 0) block->first = posting.slot;
    put_varint(posting.slot - (block->count == 0 ? 0 : block->last), &block->postings);
    put_varint(static_cast<std::uint32_t>(posting.positions.size()), &block->postings);
    std::uint32_t last = 0;
    for (const std::uint32_t position : posting.positions) {
        put_varint(position - last, &block->positions);
        last = position;
    }
    block->last = posting.slot;
    ++block->count;
    block->frontier.add({static_cast<std::uint32_t>(posting.positions.size()), posting.length});
}

void PostingList::open(const Block& block, OpenBlock* out) {
    out->count = block.count;
    const char* at = block.postings.data();
    std::uint32_t slot = 0;
    for (std::uint32_t i = 0; i < block.count; ++i) {
        slot += take_varint(at);
        out->slots[i] = slot;
        out->frequencies[i] = take_varint(at);
    }
}

void PostingList::read_positions(const Block& block, const OpenBlock& open, std::uint32_t which,
                                 std::vector<std::uint32_t>* out) {
    std::uint64_t before = 0;
    for (std::uint32_t i = 0; i < which; ++i) before += open.frequencies[i];
    const char* at = block.positions.data();
    for (; before > 0; ++at)
        if ((*at & 0x80) == 0) --before;
    out->clear();
    std::uint32_t position = 0;
    for (std::uint32_t i = 0; i < open.frequencies[which]; ++i) {
        position += take_varint(at);
        out->push_back(position);
    }
}

std::vector<PostingList::Unpacked> PostingList::unpack(const Block& block) {
    OpenBlock opened;
    open(block, &opened);
    std::vector<Unpacked> out(block.count);
    const char* at = block.positions.data();
    for (std::uint32_t i = 0; i < block.count; ++i) {
        out[i].slot = opened.slots[i];
        std::uint32_t position = 0;
        for (std::uint32_t n = 0; n < opened.frequencies[i]; ++n) {
            position += take_varint(at);
            out[i].positions.push_back(position);
        }
    }
    return out;
}

std::size_t PostingList::find_block(std::uint32_t slot, std::size_t from) const {
    // Most calls come from readers that go on from where they are.
    for (std::size_t end = std::min(from + 4, blocks_.size()); from < end; ++from)
        if (blocks_[from].last >= slot) return from;
    const auto found = std::lower_bound(
        blocks_.begin() + static_cast<std::ptrdiff_t>(from), blocks_.end(), slot,
        [](const Block& block, std::uint32_t wanted) { return block.last < wanted; });
    return static_cast<std::size_t>(found - blocks_.begin());
}

std::size_t PostingList::bytes() const {
    constexpr std::size_t kInPlace = 15;  // What a string holds without memory of its own.
    std::size_t out = sizeof *this + blocks_.capacity() * sizeof(Block);
    for (const Block& block : blocks_) {
        if (block.postings.capacity() > kInPlace) out += block.postings.capacity();
        if (block.positions.capacity() > kInPlace) out += block.positions.capacity();
    }
    return out;
}

}  // namespace tidal::text
