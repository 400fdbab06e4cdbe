#include "entity/ordered_column.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace tidal::entity {
namespace {

/// Of a chunk's slots, in order, whatever order they are added in.
class ChunkBits {
public:
    void add(std::uint32_t offset) { words_[offset / 64] |= std::uint64_t{1} << (offset % 64); }
    void remove(std::uint32_t offset) {
        words_[offset / 64] &= ~(std::uint64_t{1} << (offset % 64));
    }
    void append_to(std::uint32_t first, Roaring* out) const {
        std::array<std::uint32_t, OrderedColumn::kChunkSlots> slots;  // NOLINT: filled below
        std::size_t count = 0;
        for (std::size_t word = 0; word < words_.size(); ++word)
            for (std::uint64_t rest = words_[word]; rest != 0; rest &= rest - 1)
                slots[count++] = first + static_cast<std::uint32_t>(word * 64) +
                                 static_cast<std::uint32_t>(std::countr_zero(rest));
        if (count > 0) out->addMany(count, slots.data());
    }

private:
    std::array<std::uint64_t, OrderedColumn::kChunkSlots / 64> words_{};
};

bool within(double value, double low, double high) {
    return static_cast<bool>((value >= low) & (value <= high));
}

}  // namespace

void OrderedColumn::note(std::uint32_t slot) {
    const std::size_t at = slot / kChunkSlots;
    if (at >= chunks_.size() || !chunks_[at].sorted) return;
    Chunk& chunk = chunks_[at];
    const auto offset = static_cast<std::uint16_t>(slot % kChunkSlots);
    const auto place = std::ranges::lower_bound(chunk.stale, offset);
    if (place != chunk.stale.end() && *place == offset) return;
    chunk.stale.insert(place, offset);
    if (chunk.stale.size() <= kStaleMax) return;
    chunk = Chunk();
    next_ = std::min(next_, at);
}

void OrderedColumn::sort(const NumberView& numbers, std::uint32_t first, Chunk* chunk) {
    const std::uint32_t end = std::min(numbers.size(), first + kChunkSlots);
    std::vector<std::pair<double, std::uint16_t>> pairs;
    pairs.reserve(end - first);
    for (std::uint32_t slot = first; slot < end; ++slot)
        if (const double value = numbers[slot]; value == value)
            pairs.emplace_back(value, static_cast<std::uint16_t>(slot - first));
    std::ranges::sort(pairs);
    *chunk = Chunk();
    chunk->values.reserve(pairs.size());
    chunk->slots.reserve(pairs.size());
    for (const auto& [value, offset] : pairs) {
        chunk->values.push_back(value);
        chunk->slots.push_back(offset);
    }
    chunk->sorted = true;
}

bool OrderedColumn::build(const NumberView& numbers, std::uint32_t chunks) {
    // Slots past the end of the last chunk come by note(): it holds room for all of its slots.
    chunks_.resize((std::size_t{numbers.size()} + kChunkSlots - 1) / kChunkSlots);
    for (; next_ < chunks_.size(); ++next_) {
        if (chunks_[next_].sorted) continue;
        if (chunks-- == 0) return false;
        sort(numbers, static_cast<std::uint32_t>(next_) * kChunkSlots, &chunks_[next_]);
    }
    return true;
}

OrderedColumn::Span OrderedColumn::find(const Chunk& chunk, double low, double high) {
    const auto begin = std::ranges::lower_bound(chunk.values, low);
    const auto end = std::upper_bound(begin, chunk.values.end(), high);
    return {static_cast<std::size_t>(begin - chunk.values.begin()),
            static_cast<std::size_t>(end - chunk.values.begin())};
}

void OrderedColumn::add_matches(const NumberView& numbers, std::uint32_t first, const Chunk& chunk,
                                double low, double high, Roaring* out) const {
    ChunkBits bits;
    if (chunk.sorted) {
        const Span span = find(chunk, low, high);
        if (span.begin == span.end && chunk.stale.empty()) return;
        for (std::size_t i = span.begin; i < span.end; ++i) bits.add(chunk.slots[i]);
        for (const std::uint16_t offset : chunk.stale) {
            bits.remove(offset);
            if (within(numbers[first + offset], low, high)) bits.add(offset);
        }
    } else {
        const std::uint32_t end = std::min(numbers.size(), first + kChunkSlots);
        for (std::uint32_t slot = first; slot < end; ++slot)
            if (within(numbers[slot], low, high)) bits.add(slot - first);
    }
    bits.append_to(first, out);
}

Roaring OrderedColumn::range(const NumberView& numbers, double low, double high,
                             std::uint32_t first, std::uint32_t last) const {
    static const Chunk kUnsorted;
    Roaring out;
    if (!(low <= high) || numbers.size() == 0) return out;
    const std::size_t end = std::min(last, numbers.size() - 1) / kChunkSlots + std::size_t{1};
    for (std::size_t at = first / kChunkSlots; at < end; ++at)
        add_matches(numbers, static_cast<std::uint32_t>(at * kChunkSlots),
                    at < chunks_.size() ? chunks_[at] : kUnsorted, low, high, &out);
    return out;
}

double OrderedColumn::estimate(const NumberView& numbers, double low, double high) const {
    constexpr std::uint32_t kSamples = 1024;
    if (!(low <= high) || numbers.size() == 0) return 0;
    std::uint64_t seen = 0, matches = 0;
    for (std::size_t at = 0; at < chunks_.size(); ++at) {
        if (!chunks_[at].sorted) continue;
        const Span span = find(chunks_[at], low, high);
        matches += span.end - span.begin;
        seen += std::min<std::uint64_t>(kChunkSlots, numbers.size() - at * kChunkSlots);
    }
    if (seen == 0) {
        // Even steps through the column; a table smaller than the sample is counted whole.
        const std::uint32_t step = std::max<std::uint32_t>(1, numbers.size() / kSamples);
        for (std::uint32_t slot = 0; slot < numbers.size(); slot += step, ++seen)
            matches += within(numbers[slot], low, high) ? 1 : 0;
    }
    return static_cast<double>(matches) * numbers.size() / static_cast<double>(seen);
}

std::size_t OrderedColumn::bytes() const {
    std::size_t out = chunks_.capacity() * sizeof(Chunk);
    for (const Chunk& chunk : chunks_)
        out += chunk.values.capacity() * sizeof(double) +
               (chunk.slots.capacity() + chunk.stale.capacity()) * sizeof(std::uint16_t);
    return out;
}

}  // namespace tidal::entity
