// signal/internal/pair_ledger.h: LedgerTable over a SlabHeap of pair blocks.
//
// A directory entry is 0 (no events), kColdPair (state in a row) or a block: a pair, or the events
// that wait for a cold pair. Reads change nothing: a cold pair is put together in a buffer.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "signal/internal/pending_block.h"
#include "signal/internal/slot_directory.h"
#include "signal/ledger_table.h"

namespace tidal::signal {

inline constexpr BlockHandle kColdPair = 1;
inline constexpr std::uint8_t kRowMagic = 'P';
inline constexpr std::uint8_t kRowVersion = 1;

class PairLedger final : public LedgerTable {
public:
    PairLedger(const Options& options, storage::ShardStore& store);
    Result<void> load(const schema::Schema& schema);

    void set_schema(const schema::Schema& schema) override;
    Result<void> apply(std::span<const LedgerEvent> events) override;
    Result<LedgerReading> read(Slot slot, SignalTypeId signal, UnixMillis now) override;
    Result<void> read_decayed(SignalTypeId signal, std::span<const Slot> slots, UnixMillis now,
                              std::span<double> out) override;
    Result<void> read_window(SignalTypeId signal, schema::Window window,
                             std::span<const Slot> slots, UnixMillis now,
                             std::span<WindowValue> out) override;
    Result<void> mark_negative_decay(SignalTypeId signal, std::span<const Slot> slots,
                                     UnixMillis now, std::span<std::uint8_t> marks) override;
    Result<void> mark_negative_window(SignalTypeId signal, schema::Window window,
                                      std::span<const Slot> slots, UnixMillis now,
                                      std::span<std::uint8_t> marks) override;
    void drop(Slot slot) override;
    void prepare_checkpoint() override;
    Result<bool> evict(std::size_t steps_max) override;
    Result<std::uint64_t> content_hash(Slot slot) override;
    bool had_negative_weight(SignalTypeId signal) const override {
        return (negative_signals_ >> signal.value() & 1) != 0;
    }
    Stats stats() const override;

private:
    struct Signal {
        DecayRule rule;
        SlotDirectory directory;
    };
    struct Place {  ///< One pair.
        Slot slot;
        SignalTypeId signal;
    };

    Signal& signal_of(SignalTypeId id) { return signals_[id.value()]; }
    std::string row_key(Place place) const;
    bool is_pair_block(BlockHandle block) const {
        return reinterpret_cast<const BlockHead*>(heap_.read(block))->form() != BlockForm::kPending;
    }

    /// The usual event; false = unchanged, `apply_elsewhere` is due.
    bool apply_quickly(const LedgerEvent& event);
    Result<void> apply_elsewhere(const LedgerEvent& event);
    Result<void> apply_to_new(const LedgerEvent& event);
    Result<void> apply_to_resident(const LedgerEvent& event, BlockHandle block);
    Result<void> apply_to_cold(const LedgerEvent& event);
    Result<void> apply_to_pending(const LedgerEvent& event, BlockHandle block);
    /// Makes the pair resident with the state in `scratch_`; `old` is 0 or its block so far.
    Result<void> keep(Place place, BlockHandle old);

    /// The pair's row and the events waiting for it, as a state in `scratch_`.
    Result<void> recall(Place place, BlockHandle pending);
    /// The pair's row as a block in `row_bytes_`.
    Result<BlockView> read_row(Place place);
    /// The pair as a block, wherever it lies; valid until the next call. nullopt = no events.
    Result<std::optional<BlockView>> view(Place place, BlockHandle entry);
    /// `visit(i, block)` for every slots[i] that has a pair, cold ones too.
    template <typename Visit>
    Result<void> for_each_pair(SignalTypeId signal, std::span<const Slot> slots, Visit visit);

    /// Where an eviction stands between two slices. Pairs come, go and age meanwhile: what it knows
    /// is about what it saw, and what it does to a pair is right at any time.
    struct Eviction {
        enum class Phase { kIdle, kFindNewest, kSurvey, kMove, kCompact };
        static constexpr std::size_t kAgeSteps = 52 * 8;

        Phase phase = Phase::kIdle;
        std::size_t signal = 0;  ///< With `slot`: the next pair of the walk that the phase is.
        std::uint64_t slot = 0;
        UnixMillis newest = kTimeMin;
        std::array<std::uint64_t, kAgeSteps> bytes_of_age{};  ///< Of blocks.
        std::uint64_t bytes_wanted = 0, bytes_moved = 0;
        std::size_t age_min = 0;  ///< Younger pairs stay.
    };
    /// Goes on with the walk over all blocks until its end (true) or until the steps are used up.
    template <typename Visit>
    Result<bool> walk(std::size_t* steps, Visit visit);
    void begin_eviction();
    Result<bool> run_phase(std::size_t* steps);
    void end_phase();
    /// Empties sparse pages when more than this share of the block space is unused.
    void begin_compaction(double unused_max);
    std::size_t age_of(BlockHandle block) const;
    Result<void> move_to_row(Place place, BlockHandle block);
    Result<void> move_out_of_sparse_page(Place place, BlockHandle block);
    TIDAL_PREFETCHES void prefetch_entry(const LedgerEvent& event) const {
        signals_[event.signal.value()].directory.prefetch(event.slot);
    }
    TIDAL_PREFETCHES void prefetch_block(const LedgerEvent& event) const {
        const BlockHandle entry = signals_[event.signal.value()].directory.get(event.slot);
        if (entry <= kColdPair) return;
        const std::byte* block = heap_.read(entry);
        __builtin_prefetch(block, 1);
        __builtin_prefetch(block + sizeof(WideHead), 1);
    }
    TIDAL_PREFETCHES void prefetch(const SlotDirectory& directory,
                                   std::span<const Slot> slots) const {
        for (const Slot slot : slots) directory.prefetch(slot);
        for (const Slot slot : slots) {
            const BlockHandle entry = directory.get(slot);
            if (entry > kColdPair) __builtin_prefetch(heap_.read(entry));
        }
    }

    const Options options_;
    storage::ShardStore& store_;
    const std::string prefix_;
    SlabHeap heap_;
    std::vector<Signal> signals_;
    std::uint64_t pairs_resident_ = 0;
    std::uint64_t pairs_cold_ = 0;
    Eviction eviction_;
    std::uint64_t negative_signals_ = 0;  ///< Bit = signal: had_negative_weight.
    // Scratch, kept to avoid allocation.
    PairState scratch_;
    std::vector<std::uint64_t> encoded_;  ///< Of 8 bytes each, so that a block lies aligned.
    std::vector<std::uint64_t> row_bytes_;
    std::vector<LedgerEvent> waiting_;
};

}  // namespace tidal::signal
