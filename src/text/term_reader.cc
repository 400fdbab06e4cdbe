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

/// Blocks first, then places, then scores: what each of these waits for is asked for together.
std::size_t TermReader::look_up(std::span<const std::uint32_t> slots, std::uint8_t* which,
                                double* scores) {
    const auto blocks = list_->blocks();
    struct Part {
        const PostingBlock* block;
        std::uint32_t begin, end;  // of the slots; then, of those that are there
    };
    std::array<Part, kBlockPostings> parts;
    std::size_t size = 0;
    for (std::uint32_t at = 0; at < slots.size();) {
        look_at_ = list_->find_block(slots[at], look_at_);
        if (look_at_ == blocks.size()) break;
        const PostingBlock& block = blocks[look_at_];
        const std::uint32_t first = block.first(), last = block.last();
        while (at < slots.size() && slots[at] < first) ++at;
        std::uint32_t end = at;
        while (end < slots.size() && slots[end] <= last) ++end;
        if (end == at) continue;
        block.prefetch_slots();
        parts[size++] = {&block, at, end};
        at = end;
    }
    std::array<kernels::Met, kBlockPostings> met;
    std::uint32_t found = 0;
    for (Part& part : std::span(parts).first(size)) {
        const std::uint32_t from = found, begin = part.begin;
        found += static_cast<std::uint32_t>(
            part.block->find(slots.subspan(begin, part.end - begin), met.data() + from));
        part.begin = from;
        part.end = found;
        for (std::uint32_t i = from; i < found; ++i) {
            which[i] = static_cast<std::uint8_t>(begin + met[i].which);
            part.block->prefetch_score(met[i].place);
        }
    }
    for (const Part& part : std::span(parts).first(size))
        for (std::uint32_t i = part.begin; i < part.end; ++i) {
            const std::uint32_t place = met[i].place;
            scores[i] = scoring_.score(part.block->frequency(place), length(*part.block, place));
        }
    return found;
}

}  // namespace tidal::text
