// text/internal/posting_list.h: where one term stands, by rising slot, in blocks.
//
// A block's postings are varints: slots as differences, frequencies, and apart from them the
// positions as differences; so appending to the last block is appending to two strings, and any
// other change makes one block anew.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "text/internal/frontier.h"

namespace tidal::text {

inline constexpr std::uint32_t kBlockPostings = 128;

struct Posting {
    std::uint32_t slot = 0;
    std::span<const std::uint32_t> positions;  ///< Rising, at least one: the frequency.
    std::uint32_t length = 0;                  ///< Of the field in that slot.
};

/// One block, read.
struct OpenBlock {
    std::uint32_t count = 0;
    std::array<std::uint32_t, kBlockPostings> slots;
    std::array<std::uint32_t, kBlockPostings> frequencies;
};

class PostingList {
public:
    struct Block {
        std::uint32_t first = 0, last = 0;  ///< Slots.
        std::uint32_t count = 0;
        Frontier frontier;
        std::string postings, positions;
    };

    /// Precondition: there is no posting of that slot.
    /// @param length_of  Of the field by slot, also of those already here.
    template <typename LengthOf>
    void add(const Posting& posting, const LengthOf& length_of);
    /// False = there is none.
    template <typename LengthOf>
    bool remove(std::uint32_t slot, const LengthOf& length_of);

    std::uint32_t size() const { return size_; }
    std::span<const Block> blocks() const { return blocks_; }
    /// Index of the first block that may have `slot` or a later one; blocks().size() at the end.
    std::size_t find_block(std::uint32_t slot, std::size_t from = 0) const;
    /// Beats every posting there is; some that were are in it, too.
    const Frontier& frontier() const { return frontier_; }

    static void open(const Block& block, OpenBlock* out);
    /// Positions of the posting number `at` of the block.
    static void read_positions(const Block& block, const OpenBlock& open, std::uint32_t at,
                               std::vector<std::uint32_t>* out);
    std::size_t bytes() const;

    // As a segment has them (docs/formats/text_segments.md); posting_codec.cc.
    void encode(Encoder* out) const;
    /// Whether decode() may have it: every number in its place, every slot below `slots`.
    static bool check(std::string_view bytes, std::uint32_t slots);
    /// Precondition: check().
    static PostingList decode(std::string_view bytes);

private:
    struct Unpacked {
        std::uint32_t slot = 0;
        std::vector<std::uint32_t> positions;
    };
    static std::vector<Unpacked> unpack(const Block& block);
    template <typename LengthOf>
    static Block pack(std::span<const Unpacked> postings, const LengthOf& length_of);
    static void append(const Posting& posting, Block* block);

    std::vector<Block> blocks_;
    std::uint32_t size_ = 0;
    Frontier frontier_;
};

template <typename LengthOf>
PostingList::Block PostingList::pack(std::span<const Unpacked> postings,
                                     const LengthOf& length_of) {
    Block out;
    for (const Unpacked& each : postings)
        append({each.slot, each.positions, length_of(each.slot)}, &out);
    return out;
}

template <typename LengthOf>
void PostingList::add(const Posting& posting, const LengthOf& length_of) {
    ++size_;
    frontier_.add({static_cast<std::uint32_t>(posting.positions.size()), posting.length});
    std::size_t at = find_block(posting.slot);
    if (at == blocks_.size()) {
        if (blocks_.empty() || blocks_.back().count == kBlockPostings) blocks_.emplace_back();
        return append(posting, &blocks_.back());
    }
    std::vector<Unpacked> all = unpack(blocks_[at]);
    std::size_t place = 0;
    while (place < all.size() && all[place].slot < posting.slot) ++place;
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(place),
               {posting.slot, {posting.positions.begin(), posting.positions.end()}});
    if (all.size() <= kBlockPostings) {
        blocks_[at] = pack(all, length_of);
        return;
    }
    const std::size_t half = all.size() / 2;
    blocks_[at] = pack(std::span(all).first(half), length_of);
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                   pack(std::span(all).subspan(half), length_of));
}

template <typename LengthOf>
bool PostingList::remove(std::uint32_t slot, const LengthOf& length_of) {
    const std::size_t at = find_block(slot);
    if (at == blocks_.size() || blocks_[at].first > slot) return false;
    std::vector<Unpacked> all = unpack(blocks_[at]);
    const std::size_t before = all.size();
    std::erase_if(all, [&](const Unpacked& each) { return each.slot == slot; });
    if (all.size() == before) return false;
    --size_;
    if (all.empty()) {
        blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at));
        if (size_ == 0) frontier_ = Frontier();
        return true;
    }
    // A block that is left with little takes in the next, so that lists do not fall to pieces.
    if (at + 1 < blocks_.size() && all.size() + blocks_[at + 1].count <= kBlockPostings / 2) {
        for (Unpacked& each : unpack(blocks_[at + 1])) all.push_back(std::move(each));
        blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    blocks_[at] = pack(all, length_of);
    return true;
}

}  // namespace tidal::text
