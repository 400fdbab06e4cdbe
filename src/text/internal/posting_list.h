// text/internal/posting_list.h: where one term stands, by rising slot, in blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "text/internal/frontier.h"
#include "text/internal/posting_block.h"

namespace tidal::text {

class PostingList {
public:
    using Block = PostingBlock;

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

    std::size_t bytes() const;

    // As a segment has them (docs/formats/text_segments.md); posting_codec.cc.
    void encode(Encoder* out) const;
    /// Whether decode() may have it: every number in its place, every slot below `slots`.
    static bool check(std::string_view bytes, std::uint32_t slots);
    /// Precondition: check(). @param lengths  Of the field by slot.
    static PostingList decode(std::string_view bytes, std::span<const std::uint32_t> lengths);

private:
    template <typename LengthOf>
    static Block pack(std::span<const UnpackedPosting> postings, const LengthOf& length_of);

    std::vector<Block> blocks_;
    std::uint32_t size_ = 0;
    Frontier frontier_;
};

template <typename LengthOf>
PostingList::Block PostingList::pack(std::span<const UnpackedPosting> postings,
                                     const LengthOf& length_of) {
    Block out;
    for (const UnpackedPosting& each : postings)
        out.append({each.slot, each.positions, length_of(each.slot)});
    return out;
}

template <typename LengthOf>
void PostingList::add(const Posting& posting, const LengthOf& length_of) {
    ++size_;
    frontier_.add({static_cast<std::uint32_t>(posting.positions.size()), posting.length});
    if (blocks_.empty() || blocks_.back().last() < posting.slot) {
        if (blocks_.empty() || blocks_.back().count() == kBlockPostings) blocks_.emplace_back();
        return blocks_.back().append(posting);
    }
    const std::size_t at = find_block(posting.slot);
    std::vector<UnpackedPosting> all = blocks_[at].unpack();
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
    if (at == blocks_.size() || blocks_[at].first() > slot) return false;
    std::vector<UnpackedPosting> all = blocks_[at].unpack();
    const std::size_t before = all.size();
    std::erase_if(all, [&](const UnpackedPosting& each) { return each.slot == slot; });
    if (all.size() == before) return false;
    --size_;
    if (all.empty()) {
        blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at));
        if (size_ == 0) frontier_ = Frontier();
        return true;
    }
    // A block that is left with little takes in the next, so that lists do not fall to pieces.
    if (at + 1 < blocks_.size() && all.size() + blocks_[at + 1].count() <= kBlockPostings / 2) {
        for (UnpackedPosting& each : blocks_[at + 1].unpack()) all.push_back(std::move(each));
        blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    blocks_[at] = pack(all, length_of);
    return true;
}

}  // namespace tidal::text
