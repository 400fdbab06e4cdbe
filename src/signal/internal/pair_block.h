// signal/internal/pair_block.h: one pair in memory: a header, then its cells. Format:
// docs/formats/ledger.md.
//
// Three forms: `unit` while every weight is 1 (24-byte header, sums implied by counts), `wide` for
// any weights (40 bytes), `huge` for counts that fit neither (48 bytes). The minute of the newest
// event lies in the header, so that the usual event touches one cache line. Cells may lie in a
// finer tier than their age asks for: folding waits until room is needed, and readers do not care
// (time_cells.h, "Nesting").
#pragma once

#include <cstring>
#include <string_view>

#include "signal/internal/pair_state.h"

namespace tidal::signal {

enum class BlockForm : std::uint8_t {
    kUnit = 0,
    kWide = 1,
    kHuge = 2,
    kPending = 3,  ///< Not a pair: events waiting for a pair that lies in rows (pending_block.h).
};

/// First 16 bytes of every block.
struct BlockHead {
    std::uint64_t decayed;  ///< Exponential: bits of A; linear: sum of the bucket of `head`.
    std::uint64_t bits;     ///< head << 16 | form << 14 | bytes of the body.

    UnixMillis head() const { return static_cast<std::int64_t>(bits) >> 16; }
    BlockForm form() const { return static_cast<BlockForm>(bits >> 14 & 3); }
    std::size_t body_bytes() const { return bits & 0x3fff; }
    double a() const { return std::bit_cast<double>(decayed); }
    void set_a(double a) { decayed = std::bit_cast<std::uint64_t>(a); }
    void set(UnixMillis head, BlockForm form, std::size_t body_bytes) {
        bits = static_cast<std::uint64_t>(head) << 16 | static_cast<std::uint64_t>(form) << 14 |
               body_bytes;
    }
    void set_head(UnixMillis head) {
        bits = static_cast<std::uint64_t>(head) << 16 | (bits & 0xffff);
    }
};
/// Totals are older + minute: the usual event changes one counter.
struct UnitHead : BlockHead {
    std::uint32_t minute_count;
    std::uint32_t older_count;
};
struct WideHead : BlockHead {
    std::uint32_t minute_count_and_shift;  ///< count << 6 | shift.
    std::uint32_t older_count;
    record::FixedWeight minute_sum;
    record::FixedWeight older_sum;
};
struct HugeHead : BlockHead {
    std::int64_t minute_count;
    std::int64_t older_count;
    record::FixedWeight minute_sum;
    record::FixedWeight older_sum;
};
static_assert(sizeof(UnitHead) == 24 && sizeof(WideHead) == 40 && sizeof(HugeHead) == 48,
              "on disk");

inline constexpr std::size_t kBodyBytesMax = 0x3fff;

inline std::size_t header_bytes(BlockForm form) {
    return form == BlockForm::kUnit   ? sizeof(UnitHead)
           : form == BlockForm::kWide ? sizeof(WideHead)
                                      : sizeof(HugeHead);
}

/// The counters of a header, whatever its form.
struct Counters {
    WindowValue minute;  ///< Of the minute of `head`.
    WindowValue older;   ///< Everything else.
    /// Sums of cells are kept in units of 2^(shift - 20): weights tend to be few and round.
    unsigned shift = 0;
};

inline bool is_unit(const WindowValue& value) {
    return value.sum == unit_sum(value.count);
}
inline bool fits_bits(std::int64_t v, unsigned bits) {
    return v >= 0 && v < std::int64_t{1} << bits;
}
inline bool fits_unit(const Counters& c) {
    return is_unit(c.minute) && is_unit(c.older) && fits_bits(c.minute.count, 32) &&
           fits_bits(c.older.count, 32);
}
inline bool fits_wide(const Counters& c) {
    return fits_bits(c.minute.count, 26) && fits_bits(c.older.count, 32);
}

// Inline: through memory, the halves would stall on each other at every event.
inline Counters load_counters(const BlockHead& head) {
    if (head.form() == BlockForm::kUnit) {
        const auto& h = static_cast<const UnitHead&>(head);
        return {{h.minute_count, unit_sum(h.minute_count)},
                {h.older_count, unit_sum(h.older_count)},
                0};
    }
    if (head.form() == BlockForm::kWide) {
        const auto& h = static_cast<const WideHead&>(head);
        return {{h.minute_count_and_shift >> 6, h.minute_sum},
                {h.older_count, h.older_sum},
                h.minute_count_and_shift & 63};
    }
    const auto& h = static_cast<const HugeHead&>(head);
    return {{h.minute_count, h.minute_sum}, {h.older_count, h.older_sum}, 0};
}

/// False when the form cannot hold them; nothing changed.
inline bool store_counters(const Counters& counters, BlockHead* head) {
    if (head->form() == BlockForm::kUnit) {
        if (!fits_unit(counters)) return false;
        auto* h = static_cast<UnitHead*>(head);
        h->minute_count = static_cast<std::uint32_t>(counters.minute.count);
        h->older_count = static_cast<std::uint32_t>(counters.older.count);
    } else if (head->form() == BlockForm::kWide) {
        if (!fits_wide(counters)) return false;
        auto* h = static_cast<WideHead*>(head);
        h->minute_count_and_shift =
            static_cast<std::uint32_t>(counters.minute.count) << 6 | counters.shift;
        h->older_count = static_cast<std::uint32_t>(counters.older.count);
        h->minute_sum = counters.minute.sum;
        h->older_sum = counters.older.sum;
    } else {
        auto* h = static_cast<HugeHead*>(head);
        h->minute_count = counters.minute.count;
        h->older_count = counters.older.count;
        h->minute_sum = counters.minute.sum;
        h->older_sum = counters.older.sum;
    }
    return true;
}

/// How the cells of a block hold their sums.
inline CellSums cell_sums(const BlockHead& head) {
    if (head.form() == BlockForm::kUnit) return {};
    return {true, load_counters(head).shift};
}

/// Reads one block in place.
class BlockView {
public:
    explicit BlockView(const std::byte* block) : block_(block) {}

    const BlockHead& head() const { return *reinterpret_cast<const BlockHead*>(block_); }
    std::size_t bytes() const { return header_bytes(head().form()) + head().body_bytes(); }
    WindowValue total() const;
    /// Sums of the windows wanted (bit = schema::Window, not kAll), added to `out[window]`.
    void add_windows(UnixMillis now, unsigned wanted, WindowValue* out) const;
    /// Of one window, as add_windows: its range is made once for many blocks.
    WindowValue in_window(const WindowRange& range) const;
    double decayed(const DecayRule& rule, const DecayReader& reader, UnixMillis now) const;
    /// Whether a cell of the window's own tier that `range` has, or is still to come to, is below
    /// 0.
    bool has_cell_below_0(const WindowRange& range) const;
    /// Whether the decayed score may rise from `now` on; of a permanent one, whether it is below 0.
    bool decays_from_below_0(const DecayRule& rule, UnixMillis now) const;
    /// kCorruption when the bytes are not a block.
    Result<void> decode(const DecayRule& rule, PairState* state) const;

private:
    CellReader cells(std::int64_t head_bucket) const {
        const auto* body =
            reinterpret_cast<const std::uint8_t*>(block_) + header_bytes(head().form());
        return CellReader(body, body + head().body_bytes(), minute_of(head().head()), head_bucket,
                          cell_sums(head()));
    }
    const std::byte* block_;
};

/// Writes a folded state. Bytes written; `out` must hold `encoded_bytes_max(state)`.
std::size_t encode_block(const DecayRule& rule, const PairState& state, std::byte* out);
std::size_t encoded_bytes_max(const PairState& state);

/// Adds an event in place when it falls into the newest minute or a later one and the block has
/// room. False = the block is unchanged and the event needs `PairState::apply`.
bool apply_in_place(const DecayRule& rule, const LedgerEvent& event, std::byte* block,
                    std::size_t capacity);

/// Whether `size` bytes are one well-formed block of a pair: for bytes that come from a row.
bool well_formed(const std::byte* block, std::size_t size);

}  // namespace tidal::signal
