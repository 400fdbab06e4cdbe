// Posting lists as a segment has them.
#include "text/internal/posting_list.h"

namespace tidal::text {
namespace {

void encode_frontier(const Frontier& frontier, Encoder* out) {
    out->varint(frontier.pairs().size());
    for (const Frontier::Pair& pair : frontier.pairs()) {
        out->varint(pair.frequency);
        out->varint(pair.length);
    }
}

std::uint32_t take_u32(Decoder* in) {
    const std::uint64_t value = in->varint();
    if (value > 0xFFFF'FFFF) in->fail();
    return static_cast<std::uint32_t>(value);
}

/// One block as it lies there.
struct Raw {
    std::uint32_t first = 0, last = 0, count = 0;
    Frontier frontier;
    std::string_view postings, positions;
};

/// @param after  The last slot of the block before; -1 = there is none.
Raw take_block(Decoder* in, std::int64_t after) {
    Raw out;
    out.count = take_u32(in);
    const std::int64_t first = after + 1 + take_u32(in);
    const std::int64_t last = first + take_u32(in);
    if (last > 0xFFFF'FFFE) in->fail();
    out.first = static_cast<std::uint32_t>(first);
    out.last = static_cast<std::uint32_t>(last);
    const std::uint64_t pairs = in->varint();
    if (pairs == 0 || pairs > Frontier::kPairsMax) in->fail();
    for (std::uint64_t i = 0; i < pairs && !in->failed(); ++i) {
        const std::uint32_t frequency = take_u32(in);
        out.frontier.add({frequency, take_u32(in)});
    }
    out.postings = in->bytes();
    out.positions = in->bytes();
    return out;
}

/// Whether there are as many positions as the postings say, and these are what the head says.
bool check_block(const Raw& block) {
    if (block.count == 0 || block.count > kBlockPostings) return false;
    Decoder postings(block.postings);
    std::uint64_t slot = 0, positions = 0;
    for (std::uint32_t i = 0; i < block.count; ++i) {
        const std::uint32_t step = take_u32(&postings);
        const std::uint32_t frequency = take_u32(&postings);
        if (frequency == 0 || (i > 0 && step == 0)) return false;
        slot += step;
        positions += frequency;
        if (i == 0 && slot != block.first) return false;
    }
    if (postings.failed() || postings.remaining() > 0 || slot != block.last) return false;
    Decoder in(block.positions);
    if (positions > block.positions.size()) return false;
    for (std::uint64_t i = 0; i < positions; ++i) take_u32(&in);
    return !in.failed() && in.remaining() == 0;
}

}  // namespace

void PostingList::encode(Encoder* out) const {
    out->varint(size_);
    std::int64_t after = -1;
    for (const Block& block : blocks_) {
        out->varint(block.count());
        out->varint(static_cast<std::uint64_t>(block.first() - (after + 1)));
        out->varint(block.last() - block.first());
        encode_frontier(block.frontier(), out);
        Encoder postings;
        std::uint32_t before = 0;
        for (std::uint32_t i = 0; i < block.count(); ++i) {
            postings.varint(block.slot(i) - before);
            postings.varint(block.frequency(i));
            before = block.slot(i);
        }
        out->bytes(postings.view());
        out->bytes(block.positions());
        after = block.last();
    }
}

bool PostingList::check(std::string_view bytes, std::uint32_t slots) {
    Decoder in(bytes);
    const std::uint32_t size = take_u32(&in);
    std::uint64_t found = 0;
    std::int64_t after = -1;
    while (in.remaining() > 0) {
        const Raw block = take_block(&in, after);
        if (in.failed() || block.last >= slots || !check_block(block)) return false;
        found += block.count;
        after = block.last;
    }
    return !in.failed() && found == size;
}

PostingList PostingList::decode(std::string_view bytes, std::span<const std::uint32_t> lengths) {
    Decoder in(bytes);
    PostingList out;
    out.size_ = take_u32(&in);
    out.blocks_.reserve(out.size_ / kBlockPostings + 1);
    std::int64_t after = -1;
    while (in.remaining() > 0) {
        const Raw raw = take_block(&in, after);
        Decoder postings(raw.postings);
        OpenBlock block;
        block.count = raw.count;
        std::uint32_t slot = 0;
        for (std::uint32_t i = 0; i < raw.count; ++i) {
            block.slots[i] = slot += take_u32(&postings);
            block.frequencies[i] = take_u32(&postings);
            block.lengths[i] = lengths[slot];
        }
        out.blocks_.emplace_back(block, raw.positions, raw.frontier);
        out.frontier_.add(raw.frontier);
        after = raw.last;
    }
    return out;
}

}  // namespace tidal::text
