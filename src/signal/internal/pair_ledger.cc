// Invariants. A pair has a row exactly while its entry is kColdPair or a pending block. `apply` and
// the reads give the same bits whatever is in memory and whatever was.
#include "signal/internal/pair_ledger.h"

#include <algorithm>
#include <cassert>

#include "base/big_endian.h"
#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::signal {

namespace {

constexpr std::uint8_t kLedgerVersion = 2;
/// Did not say which signals had negative weights.
constexpr std::uint8_t kLedgerVersionOne = 1;
/// Blocks are fetched this many events ahead, their directory entries twice as many: about what a
/// core keeps in flight.
constexpr std::size_t kAhead = 12;

std::string ledger_prefix(EntityKind kind, RegionId origin) {
    std::string prefix = "l/";
    prefix += entity_kind_name(kind).front();
    prefix += '/';
    prefix.push_back(static_cast<char>(origin.value() >> 8));
    prefix.push_back(static_cast<char>(origin.value() & 0xff));
    prefix += '/';
    return prefix;
}

}  // namespace

PairLedger::PairLedger(const Options& options, storage::ShardStore& store)
    : options_(options),
      store_(store),
      prefix_(ledger_prefix(options.kind, options.origin)),
      heap_(store, prefix_ + "b/", static_cast<std::uint8_t>(options.kind)) {}

Result<void> PairLedger::load(const schema::Schema& schema) {
    TIDAL_TRY(heap_.load());
    TIDAL_ASSIGN(const auto root, store_.get(prefix_ + "root"));
    if (root) {
        Decoder in(*root);
        const std::uint8_t version = in.u8();
        pairs_resident_ = in.u64();
        pairs_cold_ = in.u64();
        negative_signals_ = version == kLedgerVersionOne ? ~std::uint64_t{0} : in.u64();
        TIDAL_TRY(in.finish("root of a ledger"));
        if (version != kLedgerVersion && version != kLedgerVersionOne)
            return Error(ErrorCode::kIncompatible, "a ledger of another version")
                .with("version", version);
    }
    set_schema(schema);
    for (Signal& signal : signals_) TIDAL_TRY(signal.directory.load());
    return {};
}

void PairLedger::set_schema(const schema::Schema& schema) {
    for (std::size_t id = signals_.size(); id < schema.signals.size(); ++id) {
        std::string key = prefix_ + "d/";
        append_big_endian(static_cast<std::uint32_t>(id), 2, &key);
        signals_.push_back({DecayRule(schema.signals[id]), SlotDirectory(store_, std::move(key))});
    }
}

void PairLedger::prepare_checkpoint() {
    heap_.save();
    for (Signal& signal : signals_) signal.directory.save();
    Encoder root;
    root.u8(kLedgerVersion);
    root.u64(pairs_resident_);
    root.u64(pairs_cold_);
    root.u64(negative_signals_);
    store_.put(prefix_ + "root", root.view());
}

LedgerTable::Stats PairLedger::stats() const {
    std::uint64_t bytes = heap_.page_bytes();
    for (const Signal& signal : signals_) bytes += signal.directory.page_bytes();
    return {pairs_resident_, pairs_cold_, bytes};
}

std::string PairLedger::row_key(Place place) const {
    std::string key = prefix_ + "p/";
    append_big_endian(place.slot.value(), 4, &key);
    append_big_endian(place.signal.value(), 2, &key);
    return key;
}

Result<void> PairLedger::apply(std::span<const LedgerEvent> events) {
    const std::size_t n = events.size();
    for (std::size_t i = 0; i < std::min(n, 2 * kAhead); ++i) prefetch_entry(events[i]);
    for (std::size_t i = 0; i < std::min(n, kAhead); ++i) prefetch_block(events[i]);
    for (std::size_t i = 0; i < n; ++i) {
        if (events[i].weight < 0) negative_signals_ |= std::uint64_t{1} << events[i].signal.value();
        if (i + 2 * kAhead < n) prefetch_entry(events[i + 2 * kAhead]);
        if (i + kAhead < n) prefetch_block(events[i + kAhead]);
        if (!apply_quickly(events[i])) TIDAL_TRY(apply_elsewhere(events[i]));
    }
    return {};
}

inline bool PairLedger::apply_quickly(const LedgerEvent& event) {
    assert(event.signal.value() < signals_.size());
    const Signal& signal = signals_[event.signal.value()];
    const BlockHandle entry = signal.directory.get(event.slot);
    if (entry <= kColdPair || !is_pair_block(entry)) return false;
    return apply_in_place(signal.rule, event, heap_.write(entry), heap_.capacity(entry));
}

Result<void> PairLedger::apply_elsewhere(const LedgerEvent& event) {
    const BlockHandle entry = signal_of(event.signal).directory.get(event.slot);
    if (entry == 0) return apply_to_new(event);
    if (entry == kColdPair) return apply_to_cold(event);
    return is_pair_block(entry) ? apply_to_resident(event, entry) : apply_to_pending(event, entry);
}

Result<void> PairLedger::apply_to_new(const LedgerEvent& event) {
    scratch_.clear();
    scratch_.apply(signal_of(event.signal).rule, event, true);
    TIDAL_TRY(keep({event.slot, event.signal}, 0));
    ++pairs_resident_;
    return {};
}

Result<void> PairLedger::apply_to_resident(const LedgerEvent& event, BlockHandle block) {
    const DecayRule& rule = signal_of(event.signal).rule;
    TIDAL_TRY(BlockView(heap_.read(block)).decode(rule, &scratch_));
    scratch_.apply(rule, event, false);
    return keep({event.slot, event.signal}, block);
}

Result<void> PairLedger::keep(Place place, BlockHandle old) {
    Signal& signal = signal_of(place.signal);
    encoded_.resize((encoded_bytes_max(scratch_) + 7) / 8);
    auto* bytes = reinterpret_cast<std::byte*>(encoded_.data());
    const std::size_t size = encode_block(signal.rule, scratch_, bytes);
    // Room for a few more cells, or every second event would come this way.
    const std::size_t slack = 6 + size / 8;
    const std::size_t wanted = heap_.rounded(size + slack);
    BlockHandle block = old;
    if (old == 0 || heap_.capacity(old) < size + slack / 2 || heap_.capacity(old) > 2 * wanted) {
        TIDAL_ASSIGN(block, heap_.allocate(wanted));
        if (auto set = signal.directory.set(place.slot, block); !set.ok()) {
            heap_.free(block);
            return set;
        }
        if (old != 0) heap_.free(old);
    }
    std::memcpy(heap_.write(block), bytes, size);
    return {};
}

Result<void> PairLedger::apply_to_cold(const LedgerEvent& event) {
    TIDAL_ASSIGN(const BlockHandle block,
                 heap_.allocate(sizeof(PendingHead) + kPendingEventBytesMax));
    start_pending(heap_.write(block), event.at_ms);
    append_pending(heap_.write(block), heap_.capacity(block), event);
    return signal_of(event.signal).directory.set(event.slot, block);
}

Result<void> PairLedger::apply_to_pending(const LedgerEvent& event, BlockHandle block) {
    const Place place{event.slot, event.signal};
    if (reinterpret_cast<const PendingHead*>(heap_.read(block))->events >= kPendingEventsMax) {
        TIDAL_TRY(recall(place, block));
        scratch_.apply(signal_of(event.signal).rule, event, false);
        TIDAL_TRY(keep(place, block));
        store_.erase(row_key(place));
        ++pairs_resident_;
        --pairs_cold_;
        return {};
    }
    if (append_pending(heap_.write(block), heap_.capacity(block), event)) return {};
    TIDAL_ASSIGN(const BlockHandle larger, heap_.allocate(heap_.capacity(block) * 2));
    std::memcpy(heap_.write(larger), heap_.read(block), heap_.capacity(block));
    append_pending(heap_.write(larger), heap_.capacity(larger), event);
    heap_.free(block);
    return signal_of(event.signal).directory.set(event.slot, larger);
}

void PairLedger::drop(Slot slot) {
    for (std::size_t id = 0; id < signals_.size(); ++id) {
        SlotDirectory& directory = signals_[id].directory;
        const BlockHandle entry = directory.get(slot);
        if (entry == 0) continue;
        const bool resident = entry != kColdPair && is_pair_block(entry);
        if (entry != kColdPair) heap_.free(entry);
        if (!resident) store_.erase(row_key({slot, SignalTypeId(static_cast<std::uint16_t>(id))}));
        --(resident ? pairs_resident_ : pairs_cold_);
        // Clearing an entry that exists needs no page.
        [[maybe_unused]] const bool cleared = directory.set(slot, 0).ok();
        assert(cleared);
    }
}

}  // namespace tidal::signal
