#include "text/internal/term_reader.h"

#include <algorithm>

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

}  // namespace tidal::text
