#include "text/internal/term_reader.h"

#include <algorithm>
#include <array>

namespace tidal::text {

void TermReader::begin() {
    bound_ = scoring_.bound(list_->frontier());
    known_at_ = kNone;
    window_at_ = 0;
    rewind();
}

TermReader::Range TermReader::range(std::uint32_t first, std::uint32_t last) {
    constexpr std::size_t kBlocksMax = 8;
    const auto blocks = list_->blocks();
    bound_at_ = list_->find_block(first, bound_at_);
    Range out;
    for (std::size_t at = bound_at_; at < blocks.size() && blocks[at].first() <= last; ++at) {
        if (at == bound_at_ + kBlocksMax)
            return {bound_, list_->frontier().pairs().back().frequency};
        if (known_at_ != at)
            known_ = {bound_of(blocks[at]), blocks[at].frontier().pairs().back().frequency};
        known_at_ = at;
        out.bound = std::max(out.bound, known_.bound);
        out.frequency = std::max(out.frequency, known_.frequency);
    }
    return out;
}

bool TermReader::look_up(std::uint32_t slot, double* score) {
    const auto blocks = list_->blocks();
    look_at_ = list_->find_block(slot, look_at_);
    if (look_at_ == blocks.size() || blocks[look_at_].first() > slot) return false;
    const PostingBlock& block = blocks[look_at_];
    const std::uint32_t at = block.find(slot);
    if (block.slot(at) != slot) return false;
    *score = scoring_.score(block.frequency(at), length(block, at));
    return true;
}

void TermReader::look_up(std::span<const std::uint32_t> slots, double* scores, bool* is_there) {
    const auto blocks = list_->blocks();
    std::array<std::uint8_t, kBlockPostings> places;
    std::fill_n(is_there, slots.size(), false);
    for (std::size_t at = 0; at < slots.size();) {
        look_at_ = list_->find_block(slots[at], look_at_);
        if (look_at_ == blocks.size()) return;
        const PostingBlock& block = blocks[look_at_];
        while (at < slots.size() && slots[at] < block.first()) ++at;
        std::size_t end = at;
        while (end < slots.size() && slots[end] <= block.last()) ++end;
        block.find(slots.subspan(at, end - at), places.data());
        for (std::size_t i = at; i < end; ++i) {
            const std::uint8_t place = places[i - at];
            if (place == kernels::kNowhere) continue;
            scores[i] = scoring_.score(block.frequency(place), length(block, place));
            is_there[i] = true;
        }
        at = end;
    }
}

}  // namespace tidal::text
