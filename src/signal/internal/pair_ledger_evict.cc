// Eviction: pairs by the age of their newest event, in steps of an eighth of a power of two.
#include <array>
#include <bit>

#include "base/codec.h"
#include "base/crc32c.h"
#include "signal/internal/pair_ledger.h"

namespace tidal::signal {

namespace {

constexpr std::size_t kAgeSteps = 52 * 8;

/// Monotone in age; 0 = as new as the newest.
std::size_t age_step(UnixMillis newest, UnixMillis head) {
    const auto minutes = static_cast<std::uint64_t>(newest - head) / 60'000;
    if (minutes < 8) return minutes;
    const auto power = static_cast<std::size_t>(std::bit_width(minutes)) - 4;
    return power * 8 + (minutes >> power);
}

}  // namespace

struct PairLedger::Coldest {
    UnixMillis newest = kTimeMin;
    std::array<std::uint64_t, kAgeSteps> bytes{};  ///< Of the blocks of that age.
};

template <typename Visit>
Result<void> PairLedger::for_each_block(Visit visit) {
    for (std::size_t id = 0; id < signals_.size(); ++id) {
        const SlotDirectory& directory = signals_[id].directory;
        for (std::uint64_t slot = 0; slot < directory.slot_end(); ++slot) {
            if (!directory.has_page(slot)) {
                slot += SlotDirectory::kSlotsPerPage - 1;
                continue;
            }
            const Place place{Slot(static_cast<std::uint32_t>(slot)),
                              SignalTypeId(static_cast<std::uint16_t>(id))};
            const BlockHandle entry = directory.get(place.slot);
            if (entry > kColdPair) TIDAL_TRY(visit(place, entry));
        }
    }
    return {};
}

PairLedger::Coldest PairLedger::survey() {
    Coldest coldest;
    const auto head_of = [&](BlockHandle block) {
        return BlockView(heap_.read(block)).head().head();
    };
    (void)for_each_block([&](Place, BlockHandle block) -> Result<void> {
        coldest.newest = std::max(coldest.newest, head_of(block));
        return {};
    });
    (void)for_each_block([&](Place, BlockHandle block) -> Result<void> {
        coldest.bytes[age_step(coldest.newest, head_of(block))] += heap_.capacity(block);
        return {};
    });
    return coldest;
}

Result<void> PairLedger::move_to_row(Place place, BlockHandle block) {
    const bool waiting = !is_pair_block(block);
    const DecayRule& rule = signal_of(place.signal).rule;
    if (waiting) {
        TIDAL_TRY(recall(place, block));
    } else {
        TIDAL_TRY(BlockView(heap_.read(block)).decode(rule, &scratch_));
    }
    scratch_.fold(rule);
    encoded_.resize((encoded_bytes_max(scratch_) + 7) / 8);
    auto* bytes = reinterpret_cast<std::byte*>(encoded_.data());
    const std::size_t size = encode_block(rule, scratch_, bytes);
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    TIDAL_TRY(signal_of(place.signal).directory.set(place.slot, kColdPair));
    Encoder row;
    row.u8(kRowMagic);
    row.u8(kRowVersion);
    row.u32(crc32c(content));
    row.raw(content);
    store_.put(row_key(place), row.view());
    heap_.free(block);
    if (!waiting) {
        --pairs_resident_;
        ++pairs_cold_;
    }
    return {};
}

Result<void> PairLedger::move_coldest(const Coldest& coldest, std::uint64_t bytes) {
    std::size_t step = kAgeSteps;
    std::uint64_t taken = 0;
    while (step > 0 && taken < bytes) taken += coldest.bytes[--step];
    std::uint64_t moved = 0;
    return for_each_block([&](Place place, BlockHandle block) -> Result<void> {
        if (moved >= bytes) return {};
        if (age_step(coldest.newest, BlockView(heap_.read(block)).head().head()) < step) return {};
        moved += heap_.capacity(block);
        return move_to_row(place, block);
    });
}

Result<void> PairLedger::compact(double unused_max) {
    if (!heap_.begin_compaction(unused_max)) return {};
    auto outcome = for_each_block([&](Place place, BlockHandle block) -> Result<void> {
        if (!heap_.evacuated(block)) return {};
        TIDAL_ASSIGN(const BlockHandle to, heap_.allocate(heap_.capacity(block)));
        std::memcpy(heap_.write(to), heap_.read(block), heap_.capacity(block));
        TIDAL_TRY(signal_of(place.signal).directory.set(place.slot, to));
        heap_.free(block);
        return {};
    });
    heap_.end_compaction();
    return outcome;
}

Result<void> PairLedger::evict() {
    const std::uint64_t bytes = stats().bytes;
    if (bytes > options_.resident_bytes_max) {
        // A tenth more than asked, so that the next call has nothing to do for a while.
        const std::uint64_t over =
            bytes - options_.resident_bytes_max + options_.resident_bytes_max / 10;
        TIDAL_TRY(move_coldest(survey(), over));
        return compact(1.0 / 16);  // Pages go back only when they are empty.
    }
    return compact(1.0 / 5);
}

}  // namespace tidal::signal
