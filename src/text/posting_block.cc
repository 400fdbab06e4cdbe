#include "text/internal/posting_block.h"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace tidal::text {
namespace {

constexpr std::uint32_t kVectorBytes = 16;
/// Of GCC and Clang: on every machine, a loop where it has no such registers.
template <typename Number>
using Vector [[gnu::vector_size(kVectorBytes)]] = Number;

template <typename Number>
Vector<Number> load(const void* at) {
    Vector<Number> out;
    std::memcpy(&out, at, sizeof out);
    return out;
}

template <typename Number>
std::array<std::uint64_t, 2> halves(Vector<Number> vector) {
    std::array<std::uint64_t, 2> out{};
    std::memcpy(&out, &vector, sizeof out);
    return out;
}

constexpr std::size_t kInPlace = 15;  // What a string holds without memory of its own.

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

std::uint8_t bytes_of_frequency(std::uint32_t frequency) {
    return frequency > 0xFF ? 4 : 1;
}

std::uint8_t bytes_of_distance(std::uint32_t distance) {
    return distance > 0xFFFF ? 4 : 2;
}

}  // namespace

PostingBlock::PostingBlock(const OpenBlock& postings, std::string_view positions,
                           const Frontier& frontier)
    : frontier_(frontier), positions_(positions) {
    std::uint32_t most = 0;
    for (std::uint32_t at = 0; at < postings.count; ++at)
        most = std::max(most, postings.frequencies[at]);
    const std::uint32_t distance = postings.slots[postings.count - 1] - postings.slots[0];
    widen(postings.count, bytes_of_frequency(most), bytes_of_distance(distance));
    for (std::uint32_t at = 0; at < postings.count; ++at)
        append(postings.slots[at], postings.frequencies[at], postings.lengths[at]);
}

void PostingBlock::put(std::uint32_t at, std::uint32_t frequency, std::uint32_t length,
                       std::uint32_t distance) {
    char* const bytes = postings_.data();
    // Little-endian, as the whole database is: the low bytes come first.
    std::memcpy(bytes + std::size_t{at} * frequency_bytes_, &frequency, frequency_bytes_);
    bytes[lengths_at() + at] = static_cast<char>(std::min(length, kLengthMax));
    std::memcpy(bytes + distances_at() + std::size_t{at} * distance_bytes_, &distance,
                distance_bytes_);
}

void PostingBlock::widen(std::uint32_t capacity, std::uint8_t frequency_bytes,
                         std::uint8_t distance_bytes) {
    PostingBlock wide;
    wide.capacity_ = static_cast<std::uint8_t>(capacity);
    wide.frequency_bytes_ = frequency_bytes;
    wide.distance_bytes_ = distance_bytes;
    const std::size_t bytes = capacity * (std::size_t{frequency_bytes} + 1 + distance_bytes);
    wide.postings_.reserve(bytes);
    wide.postings_.resize(bytes);
    for (std::uint32_t at = 0; at < count_; ++at)
        wide.put(at, frequency(at), length(at), distance(at));
    postings_ = std::move(wide.postings_);
    capacity_ = wide.capacity_;
    frequency_bytes_ = frequency_bytes;
    distance_bytes_ = distance_bytes;
}

void PostingBlock::append(std::uint32_t slot, std::uint32_t frequency, std::uint32_t length) {
    if (count_ == 0) first_ = slot;
    const std::uint32_t distance = slot - first_;
    const std::uint8_t frequency_bytes = std::max(frequency_bytes_, bytes_of_frequency(frequency));
    const std::uint8_t distance_bytes = std::max(distance_bytes_, bytes_of_distance(distance));
    const bool wider = frequency_bytes != frequency_bytes_ || distance_bytes != distance_bytes_;
    if (count_ == capacity_ || wider) {
        // At first as many as a string holds in place, then twice as many.
        const auto in_place = static_cast<std::uint32_t>(
            kInPlace / (std::size_t{frequency_bytes} + 1 + distance_bytes));
        std::uint32_t capacity = std::max<std::uint32_t>(in_place, count_ + 1U);
        if (capacity > in_place) capacity = std::bit_ceil(std::max<std::uint32_t>(capacity, 8));
        widen(capacity, frequency_bytes, distance_bytes);
    }
    put(count_, frequency, length, distance);
    last_ = slot;
    ++count_;
}

void PostingBlock::append(const Posting& posting) {
    const auto frequency = static_cast<std::uint32_t>(posting.positions.size());
    append(posting.slot, frequency, posting.length);
    std::uint32_t last = 0;
    for (const std::uint32_t position : posting.positions) {
        put_varint(position - last, &positions_);
        last = position;
    }
    if (count_ == kBlockPostings) positions_.shrink_to_fit();
    frontier_.add({frequency, posting.length});
}

/// The first that is not less. Halves, and what is left at once.
template <typename Number>
std::uint32_t PostingBlock::find_distance(std::uint32_t distance) const {
    constexpr auto kLanes = static_cast<std::uint32_t>(kVectorBytes / sizeof(Number));
    std::uint32_t from = 0, left = count_;
    for (; left > (count_ < kLanes ? 1 : kLanes);) {
        const std::uint32_t half = left / 2;
        from += this->distance(from + half - 1) < distance ? half : 0;
        left -= half;
    }
    if (count_ < kLanes) return from;
    from = std::min(from, count_ - kLanes);  // What comes in before is less.
    const auto* const at = postings_.data() + distances_at() + std::size_t{from} * sizeof(Number);
    const auto wanted = static_cast<Number>(distance);
    const auto less = halves<std::make_signed_t<Number>>(load<Number>(at) < wanted);
    constexpr std::uint32_t kBits = sizeof(Number) * 8;
    const auto ones = [](std::uint64_t half) {
        return static_cast<std::uint32_t>(std::countr_one(half)) / kBits;
    };
    const std::uint32_t low = ones(less[0]);
    return from + (low == kLanes / 2 ? low + ones(less[1]) : low);
}

std::uint32_t PostingBlock::find(std::uint32_t slot) const {
    if (slot <= first_) return 0;
    const std::uint32_t distance = slot - first_;
    return distance_bytes_ == 2 ? find_distance<std::uint16_t>(distance)
                                : find_distance<std::uint32_t>(distance);
}

std::size_t PostingBlock::find(std::span<const std::uint32_t> slots, kernels::Met* met) const {
    constexpr std::size_t kFew = 3;  // are looked for one by one
    if (distance_bytes_ == 2 && slots.size() >= kFew)
        return kernels::find(postings_.data() + distances_at(), count_, first_, slots, met);
    std::size_t found = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const std::uint32_t at = find(slots[i]);
        met[found] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(at)};
        found += slot(at) == slots[i] ? 1 : 0;
    }
    return found;
}

bool PostingBlock::scores(const Bm25& scoring, std::uint32_t begin, std::uint32_t end,
                          double* out) const {
    constexpr std::uint32_t kTogether = 8;
    const char* const lengths = postings_.data() + lengths_at();
    if (frequency_bytes_ == 1 && end - begin >= kTogether) {
        kernels::score(scoring, postings_.data() + begin, lengths + begin, end - begin, out);
    } else {
        for (std::uint32_t at = begin; at < end; ++at)
            out[at - begin] = scoring.score(frequency(at), length(at));
    }
    return std::memchr(lengths + begin, static_cast<int>(kLengthMax), end - begin) != nullptr;
}

PostingBits PostingBlock::passing(const PostingLimits& limits) const {
    using Step = PostingLimits::Step;
    PostingBits out{};
    const std::span<const Step> steps(limits.steps.data(), limits.size);
    // Behind the last posting there are bytes of other arrays, if there are enough.
    const std::uint32_t read = (count_ + 63U) / 64 * 64;
    if (frequency_bytes_ != 1 || read > 3U * capacity_) {
        for (std::uint32_t at = 0; at < count_; ++at)
            for (const Step& step : steps)
                if (frequency(at) >= step.frequency_min && length(at) <= step.length_max)
                    out[at / 64] |= std::uint64_t{1} << (at % 64);
        return out;
    }
    std::array<std::uint8_t, PostingLimits::kStepsMax> frequencies, lengths;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        frequencies[i] = steps[i].frequency_min;
        lengths[i] = steps[i].length_max;
    }
    kernels::passing(postings_.data(), postings_.data() + lengths_at(), count_,
                     {frequencies.data(), lengths.data(), steps.size()}, out.data());
    if (count_ % 64 != 0) out[count_ / 64] &= (std::uint64_t{1} << (count_ % 64)) - 1;
    return out;
}

void PostingBlock::read_positions(std::uint32_t which, std::vector<std::uint32_t>* out) const {
    std::uint64_t before = 0;
    for (std::uint32_t i = 0; i < which; ++i) before += frequency(i);
    const char* at = positions_.data();
    for (; before > 0; ++at)
        if ((*at & 0x80) == 0) --before;
    out->clear();
    std::uint32_t position = 0;
    for (std::uint32_t left = frequency(which); left > 0; --left) {
        position += take_varint(at);
        out->push_back(position);
    }
}

std::vector<UnpackedPosting> PostingBlock::unpack() const {
    std::vector<UnpackedPosting> out(count_);
    const char* at = positions_.data();
    for (std::uint32_t i = 0; i < count_; ++i) {
        out[i].slot = slot(i);
        std::uint32_t position = 0;
        for (std::uint32_t left = frequency(i); left > 0; --left) {
            position += take_varint(at);
            out[i].positions.push_back(position);
        }
    }
    return out;
}

std::size_t PostingBlock::bytes() const {
    std::size_t out = 0;
    if (postings_.capacity() > kInPlace) out += postings_.capacity();
    if (positions_.capacity() > kInPlace) out += positions_.capacity();
    return out;
}

}  // namespace tidal::text
