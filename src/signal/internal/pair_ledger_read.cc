#include <cassert>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "signal/internal/pair_ledger.h"

namespace tidal::signal {

namespace {

constexpr unsigned kAllWindows = (1U << (schema::kWindowCount - 1)) - 1;
constexpr std::size_t kReadGroup = 32;

}  // namespace

Result<BlockView> PairLedger::read_row(Place place) {
    TIDAL_ASSIGN(const auto row, store_.get(row_key(place)));
    const auto damaged = [&](std::string_view what) {
        return Error(ErrorCode::kCorruption,
                     std::string("the row of a cold ledger pair ") + std::string(what))
            .with("slot", place.slot.value())
            .with("signal", place.signal.value());
    };
    if (!row) return damaged("is missing");
    Decoder in(*row);
    const std::uint8_t magic = in.u8();
    const std::uint8_t version = in.u8();
    const std::uint32_t checksum = in.u32();
    if (in.failed() || magic != kRowMagic || version != kRowVersion)
        return damaged("has an unknown form");
    if (crc32c(in.rest()) != checksum) return damaged("does not match its checksum");
    row_bytes_.assign((in.rest().size() + 7) / 8 + 1, 0);
    std::memcpy(row_bytes_.data(), in.rest().data(), in.rest().size());
    const auto* block = reinterpret_cast<const std::byte*>(row_bytes_.data());
    if (!well_formed(block, in.rest().size())) return damaged("does not parse");
    return BlockView(block);
}

Result<void> PairLedger::recall(Place place, BlockHandle pending) {
    const DecayRule& rule = signal_of(place.signal).rule;
    TIDAL_ASSIGN(const BlockView row, read_row(place));
    TIDAL_TRY(row.decode(rule, &scratch_));
    if (pending == kColdPair) return {};
    waiting_.clear();
    TIDAL_TRY(read_pending(heap_.read(pending), {place.slot, place.signal}, &waiting_));
    for (const LedgerEvent& event : waiting_) scratch_.apply(rule, event, false);
    return {};
}

Result<std::optional<BlockView>> PairLedger::view(Place place, BlockHandle entry) {
    if (entry == 0) return std::optional<BlockView>();
    if (entry == kColdPair) {
        TIDAL_ASSIGN(const BlockView row, read_row(place));
        return std::optional<BlockView>(row);
    }
    if (is_pair_block(entry)) return std::optional<BlockView>(BlockView(heap_.read(entry)));
    TIDAL_TRY(recall(place, entry));
    encoded_.resize((encoded_bytes_max(scratch_) + 7) / 8);
    auto* bytes = reinterpret_cast<std::byte*>(encoded_.data());
    encode_block(signal_of(place.signal).rule, scratch_, bytes);
    return std::optional<BlockView>(BlockView(bytes));
}

Result<LedgerReading> PairLedger::read(Slot slot, SignalTypeId signal, UnixMillis now) {
    LedgerReading reading;
    if (signal.value() >= signals_.size()) return reading;
    const Signal& kept = signal_of(signal);
    TIDAL_ASSIGN(const auto block, view({slot, signal}, kept.directory.get(slot)));
    if (!block) return reading;
    now = clamp_time(now);
    block->add_windows(now, kAllWindows, reading.windows);
    reading.windows[static_cast<std::size_t>(schema::Window::kAll)] = block->total();
    reading.decayed = block->decayed(kept.rule, DecayReader(kept.rule, now), now);
    return reading;
}

template <typename Visit>
Result<void> PairLedger::for_each_pair(SignalTypeId signal, std::span<const Slot> slots,
                                       Visit visit) {
    if (signal.value() >= signals_.size()) return {};
    const SlotDirectory& directory = signal_of(signal).directory;
    if (directory.slot_end() == 0) return {};
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (i % kReadGroup == 0)
            prefetch(directory, slots.subspan(i, std::min(kReadGroup, slots.size() - i)));
        const BlockHandle entry = directory.get(slots[i]);
        if (entry == 0) continue;
        // Most pairs: without a Result, whose way through memory costs more than the reading.
        if (entry != kColdPair && is_pair_block(entry)) {
            visit(i, BlockView(heap_.read(entry)));
            continue;
        }
        TIDAL_ASSIGN(const auto block, view({slots[i], signal}, entry));
        visit(i, *block);
    }
    return {};
}

Result<void> PairLedger::read_decayed(SignalTypeId signal, std::span<const Slot> slots,
                                      UnixMillis now, std::span<double> out) {
    assert(out.size() == slots.size());
    std::fill(out.begin(), out.end(), 0.0);
    if (signal.value() >= signals_.size()) return {};
    const DecayRule& rule = signal_of(signal).rule;
    now = clamp_time(now);
    const DecayReader reader(rule, now);
    return for_each_pair(signal, slots, [&](std::size_t i, const BlockView& block) {
        out[i] = block.decayed(rule, reader, now);
    });
}

Result<void> PairLedger::read_window(SignalTypeId signal, schema::Window window,
                                     std::span<const Slot> slots, UnixMillis now,
                                     std::span<WindowValue> out) {
    assert(out.size() == slots.size());
    std::fill(out.begin(), out.end(), WindowValue{});
    if (window == schema::Window::kAll)
        return for_each_pair(
            signal, slots, [&](std::size_t i, const BlockView& block) { out[i] = block.total(); });
    const WindowRange range(window, CellIndex(clamp_time(now)));
    return for_each_pair(signal, slots, [&](std::size_t i, const BlockView& block) {
        out[i] = block.in_window(range);
    });
}

Result<void> PairLedger::mark_negative_decay(SignalTypeId signal, std::span<const Slot> slots,
                                             UnixMillis now, std::span<std::uint8_t> marks) {
    assert(marks.size() == slots.size());
    if (!had_negative_weight(signal) || signal.value() >= signals_.size()) return {};
    const DecayRule& rule = signal_of(signal).rule;
    now = clamp_time(now);
    return for_each_pair(signal, slots, [&](std::size_t i, const BlockView& block) {
        if (block.decays_from_below_0(rule, now)) marks[i] = 1;
    });
}

Result<void> PairLedger::mark_negative_window(SignalTypeId signal, schema::Window window,
                                              std::span<const Slot> slots, UnixMillis now,
                                              std::span<std::uint8_t> marks) {
    assert(marks.size() == slots.size());
    if (!had_negative_weight(signal)) return {};
    if (window == schema::Window::kAll)
        return for_each_pair(signal, slots, [&](std::size_t i, const BlockView& block) {
            if (block.total().sum < 0) marks[i] = 1;
        });
    const WindowRange range(window, CellIndex(clamp_time(now)));
    return for_each_pair(signal, slots, [&](std::size_t i, const BlockView& block) {
        if (block.has_cell_below_0(range)) marks[i] = 1;
    });
}

namespace {

void hash_state(const DecayRule& rule, const PairState& state, Encoder* out) {
    out->i64(state.head);
    out->i64(state.total.count);
    out->i64(state.total.sum);
    if (rule.kind == schema::DecayKind::kExponential) out->f64(state.a);
    out->i64(state.minute.count);
    out->i64(state.minute.sum);
    for (const Cell& cell : state.cells) {
        out->u8(static_cast<std::uint8_t>(cell.place.tier));
        out->i64(cell.place.index);
        out->i64(cell.count);
        out->i64(cell.sum);
    }
    if (rule.kind != schema::DecayKind::kLinear) return;
    out->u8(static_cast<std::uint8_t>(Tier::kGone));
    out->i64(state.bucket);
    for (const Cell& cell : state.buckets) {
        out->i64(cell.place.index);
        out->i64(cell.sum);
    }
}

}  // namespace

Result<std::uint64_t> PairLedger::content_hash(Slot slot) {
    Encoder content;
    for (std::size_t id = 0; id < signals_.size(); ++id) {
        const Signal& signal = signals_[id];
        const BlockHandle entry = signal.directory.get(slot);
        if (entry == 0) continue;
        const Place place{slot, SignalTypeId(static_cast<std::uint16_t>(id))};
        if (entry != kColdPair && is_pair_block(entry)) {
            TIDAL_TRY(BlockView(heap_.read(entry)).decode(signal.rule, &scratch_));
        } else {
            TIDAL_TRY(recall(place, entry));
        }
        scratch_.fold(signal.rule);
        content.u16(place.signal.value());
        hash_state(signal.rule, scratch_, &content);
    }
    return content.size() == 0 ? 0 : hash64(content.view());
}

}  // namespace tidal::signal
