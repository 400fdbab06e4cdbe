// Eviction: pairs by the age of their newest event, in steps of an eighth of a power of two.
#include <algorithm>
#include <bit>

#include "base/codec.h"
#include "base/crc32c.h"
#include "signal/internal/pair_ledger.h"

namespace tidal::signal {

namespace {

constexpr std::size_t kStepsPerCopy = 4;

void spend(std::size_t count, std::size_t* steps) {
    *steps -= std::min(count, *steps);
}

/// Monotone in age; 0 = as new as the newest.
std::size_t age_step(UnixMillis newest, UnixMillis head) {
    if (head >= newest) return 0;  // it came after the survey
    const auto minutes = static_cast<std::uint64_t>(newest - head) / 60'000;
    if (minutes < 8) return minutes;
    const auto power = static_cast<std::size_t>(std::bit_width(minutes)) - 4;
    return power * 8 + (minutes >> power);
}

}  // namespace

template <typename Visit>
Result<bool> PairLedger::walk(std::size_t* steps, Visit visit) {
    Eviction& at = eviction_;
    for (; at.signal < signals_.size(); ++at.signal, at.slot = 0) {
        const SlotDirectory& directory = signals_[at.signal].directory;
        while (at.slot < directory.slot_end()) {
            if (*steps == 0) return false;
            spend(1, steps);
            if (!directory.has_page(at.slot)) {
                at.slot =
                    (at.slot / SlotDirectory::kSlotsPerPage + 1) * SlotDirectory::kSlotsPerPage;
                continue;
            }
            const Place place{Slot(static_cast<std::uint32_t>(at.slot++)),
                              SignalTypeId(static_cast<std::uint16_t>(at.signal))};
            const BlockHandle entry = directory.get(place.slot);
            if (entry > kColdPair) TIDAL_TRY(visit(place, entry));
        }
    }
    return true;
}

std::size_t PairLedger::age_of(BlockHandle block) const {
    return age_step(eviction_.newest, BlockView(heap_.read(block)).head().head());
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

Result<void> PairLedger::move_out_of_sparse_page(Place place, BlockHandle block) {
    TIDAL_ASSIGN(const BlockHandle to, heap_.allocate(heap_.capacity(block)));
    std::memcpy(heap_.write(to), heap_.read(block), heap_.capacity(block));
    TIDAL_TRY(signal_of(place.signal).directory.set(place.slot, to));
    heap_.free(block);
    return {};
}

void PairLedger::begin_compaction(double unused_max) {
    eviction_ = {};
    if (heap_.begin_compaction(unused_max)) eviction_.phase = Eviction::Phase::kCompact;
}

void PairLedger::begin_eviction() {
    const std::uint64_t bytes = stats().bytes;
    if (bytes <= options_.resident_bytes_max) return begin_compaction(1.0 / 5);
    eviction_ = {};
    eviction_.phase = Eviction::Phase::kFindNewest;
    // A tenth more than asked, so that the next call has nothing to do for a while.
    eviction_.bytes_wanted = bytes - options_.resident_bytes_max + options_.resident_bytes_max / 10;
}

Result<bool> PairLedger::run_phase(std::size_t* steps) {
    Eviction& at = eviction_;
    switch (at.phase) {
        case Eviction::Phase::kIdle:
            break;
        case Eviction::Phase::kFindNewest:
            return walk(steps, [&](Place, BlockHandle block) -> Result<void> {
                at.newest = std::max(at.newest, BlockView(heap_.read(block)).head().head());
                return {};
            });
        case Eviction::Phase::kSurvey:
            return walk(steps, [&](Place, BlockHandle block) -> Result<void> {
                at.bytes_of_age[age_of(block)] += heap_.capacity(block);
                return {};
            });
        case Eviction::Phase::kMove:
            return walk(steps, [&](Place place, BlockHandle block) -> Result<void> {
                if (at.bytes_moved >= at.bytes_wanted || age_of(block) < at.age_min) return {};
                at.bytes_moved += heap_.capacity(block);
                spend(kStepsPerMove, steps);
                return move_to_row(place, block);
            });
        case Eviction::Phase::kCompact:
            return walk(steps, [&](Place place, BlockHandle block) -> Result<void> {
                if (!heap_.evacuated(block)) return {};
                spend(kStepsPerCopy, steps);
                return move_out_of_sparse_page(place, block);
            });
    }
    return true;
}

void PairLedger::end_phase() {
    Eviction& at = eviction_;
    at.signal = 0;
    at.slot = 0;
    switch (at.phase) {
        case Eviction::Phase::kIdle:
            return;
        case Eviction::Phase::kFindNewest:
            at.phase = Eviction::Phase::kSurvey;
            return;
        case Eviction::Phase::kSurvey: {
            at.phase = Eviction::Phase::kMove;
            at.age_min = Eviction::kAgeSteps;
            for (std::uint64_t taken = 0; at.age_min > 0 && taken < at.bytes_wanted;)
                taken += at.bytes_of_age[--at.age_min];
            return;
        }
        case Eviction::Phase::kMove:
            return begin_compaction(1.0 / 16);  // Pages go back only when they are empty.
        case Eviction::Phase::kCompact:
            heap_.end_compaction();
            eviction_ = {};
            return;
    }
}

Result<bool> PairLedger::evict(std::size_t steps_max) {
    std::size_t steps = steps_max;
    if (eviction_.phase == Eviction::Phase::kIdle) begin_eviction();
    while (eviction_.phase != Eviction::Phase::kIdle) {
        TIDAL_ASSIGN(const bool ended, run_phase(&steps));
        if (!ended) return false;
        end_phase();
    }
    return true;
}

}  // namespace tidal::signal
