#include "vector/flat_vectors.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "base/hash.h"
#include "vector/internal/kernels.h"

namespace tidal::vector {
namespace {

using schema::Metric;
using schema::VectorStorage;

constexpr std::size_t kBlockBytes = 256 << 10;
constexpr std::uint32_t kBlockSlotsMin = 16, kBlockSlotsMax = 4096;
constexpr std::align_val_t kRowAlignment{64};
constexpr float kAbsent = std::numeric_limits<float>::quiet_NaN();

std::size_t component_bytes(VectorStorage storage) {
    switch (storage) {
        case VectorStorage::kF32:
            return 4;
        case VectorStorage::kF16:
            return 2;
        case VectorStorage::kInt8:
            return 1;
    }
    return 0;
}

struct FreeAligned {
    void operator()(std::byte* memory) const { ::operator delete[](memory, kRowAlignment); }
};

/// Components as numbers, without a scale.
std::vector<float> plain_values(const void* row, VectorStorage storage, std::size_t dimensions) {
    std::vector<float> out(dimensions);
    const auto* const at = static_cast<const char*>(row);
    for (std::size_t d = 0; d < dimensions; ++d) {
        switch (storage) {
            case VectorStorage::kF32:
                std::memcpy(&out[d], at + d * sizeof(float), sizeof(float));
                break;
            case VectorStorage::kF16: {
                std::uint16_t half = 0;
                std::memcpy(&half, at + d * sizeof(half), sizeof(half));
                out[d] = entity::half_to_float(half);
                break;
            }
            case VectorStorage::kInt8:
                out[d] = static_cast<float>(static_cast<std::int8_t>(at[d]));
                break;
        }
    }
    return out;
}

}  // namespace

struct FlatVectors::Block {
    std::unique_ptr<std::byte[], FreeAligned> rows;
    /// What the sum over a row is divided by (cosine: its length) or multiplied with (int8: its
    /// scale); NaN = no vector.
    std::vector<float> factors;
    std::uint32_t size = 0;
};

FlatVectors::FlatVectors(const schema::EmbeddingSpec& spec)
    : spec_(spec), row_bytes_(spec.dimensions * component_bytes(spec.storage)) {
    block_slots_ = std::clamp(static_cast<std::uint32_t>(std::bit_floor(kBlockBytes / row_bytes_)),
                              kBlockSlotsMin, kBlockSlotsMax);
    block_shift_ = static_cast<std::uint32_t>(std::countr_zero(block_slots_));
}
FlatVectors::FlatVectors(FlatVectors&&) noexcept = default;
FlatVectors::~FlatVectors() = default;

bool FlatVectors::put(Slot slot, const entity::VectorBytes& vector) {
    assert(vector.storage == spec_.storage && vector.components.size() == row_bytes_);
    const std::size_t at = slot.value() >> block_shift_;
    if (at >= blocks_.size()) blocks_.resize(at + 1);
    auto& block = blocks_[at];
    if (block == nullptr) {
        block = std::make_unique<Block>();
        block->rows.reset(new (kRowAlignment) std::byte[row_bytes_ * block_slots_]);
        block->factors.assign(block_slots_, kAbsent);
        ++blocks_used_;
    }
    const std::size_t place = slot.value() & (block_slots_ - 1);
    std::byte* const row = block->rows.get() + place * row_bytes_;
    float& factor = block->factors[place];
    const bool is_new = std::isnan(factor);
    const float before = factor;
    const bool same_row = !is_new && std::memcmp(row, vector.components.data(), row_bytes_) == 0;
    std::memcpy(row, vector.components.data(), row_bytes_);
    if (is_new) {
        ++size_;
        ++block->size;
        present_.add(slot.value());
    }
    factor = spec_.storage == VectorStorage::kInt8 ? vector.scale : 1.0F;
    if (spec_.metric == Metric::kCosine)
        factor = static_cast<float>(norm_of(plain_values(row, spec_.storage, spec_.dimensions)));
    return !same_row || factor != before;
}

bool FlatVectors::erase(Slot slot) {
    if (!has(slot)) return false;
    const std::size_t at = slot.value() >> block_shift_;
    Block& block = *blocks_[at];
    block.factors[slot.value() & (block_slots_ - 1)] = kAbsent;
    present_.remove(slot.value());
    --size_;
    if (--block.size > 0) return true;
    blocks_[at].reset();
    --blocks_used_;
    return true;
}

/// nullptr = no vector there.
const void* FlatVectors::row(Slot slot, float* factor) const {
    const std::size_t at = slot.value() >> block_shift_;
    if (at >= blocks_.size() || blocks_[at] == nullptr) return nullptr;
    const std::size_t place = slot.value() & (block_slots_ - 1);
    *factor = blocks_[at]->factors[place];
    return std::isnan(*factor) ? nullptr : blocks_[at]->rows.get() + place * row_bytes_;
}

bool FlatVectors::has(Slot slot) const {
    float factor = 0;
    return row(slot, &factor) != nullptr;
}

std::size_t FlatVectors::bytes() const {
    return blocks_used_ * (block_slots_ * (row_bytes_ + sizeof(float)) + sizeof(Block)) +
           blocks_.size() * sizeof(blocks_[0]) + present_.getSizeInBytes();
}

std::vector<float> FlatVectors::values(Slot slot) const {
    float factor = 0;
    const void* const at = row(slot, &factor);
    assert(at != nullptr);
    auto out = plain_values(at, spec_.storage, spec_.dimensions);
    if (spec_.storage != VectorStorage::kInt8) return out;
    for (float& v : out) v = spec_.metric == Metric::kCosine ? v / factor : v * factor;
    return out;
}

std::uint64_t FlatVectors::hash(Slot slot, std::uint64_t seed) const {
    float factor = 0;
    const void* const at = row(slot, &factor);
    assert(at != nullptr);
    return hash64({static_cast<const char*>(at), row_bytes_},
                  seed ^ std::bit_cast<std::uint32_t>(factor));
}

double FlatVectors::similarity(float sum, float factor) const {
    switch (spec_.metric) {
        case Metric::kCosine:
            return std::clamp(static_cast<double>(sum) / static_cast<double>(factor), -1.0, 1.0);
        case Metric::kDot:
            return static_cast<double>(sum) * static_cast<double>(factor);
        case Metric::kL2:
            return 1 / (1 + static_cast<double>(sum));
    }
    return 0;
}

void FlatVectors::similarities(const Probe& probe, std::span<const Slot> slots,
                               std::span<double> out) const {
    assert(slots.size() == out.size() && probe.values.size() == spec_.dimensions);
    constexpr std::size_t kAtOnce = 64;
    const void* rows[kAtOnce];
    float factors[kAtOnce], sums[kAtOnce];
    std::size_t places[kAtOnce];
    for (std::size_t begin = 0; begin < slots.size();) {
        std::size_t count = 0;
        for (; begin < slots.size() && count < kAtOnce; ++begin) {
            out[begin] = 0;
            rows[count] = row(slots[begin], &factors[count]);
            places[count] = begin;
            count += rows[count] != nullptr ? 1 : 0;
        }
        if (spec_.metric == Metric::kL2) {
            kernels::squared_distance(spec_.storage, probe.values, {rows, count}, factors, sums);
        } else {
            kernels::dot(spec_.storage, probe.values, {rows, count}, sums);
        }
        for (std::size_t i = 0; i < count; ++i) out[places[i]] = similarity(sums[i], factors[i]);
    }
}

double FlatVectors::cost(const schema::EmbeddingSpec& spec) {
    constexpr double kBase = 12, kBytesPerNanosecond = 12;
    return kBase + static_cast<double>(spec.dimensions) *
                       static_cast<double>(component_bytes(spec.storage)) / kBytesPerNanosecond;
}

}  // namespace tidal::vector
