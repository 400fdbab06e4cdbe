#include "signal/internal/pair_block.h"

#include <bit>
#include <limits>

namespace tidal::signal {

namespace {

const UnitHead& unit(const std::byte* block) { return *reinterpret_cast<const UnitHead*>(block); }
const WideHead& wide(const std::byte* block) { return *reinterpret_cast<const WideHead*>(block); }

bool is_unit(std::int64_t count, record::FixedWeight sum) { return sum == unit_sum(count); }
bool fits_u32(std::int64_t v) { return v >= 0 && v <= std::numeric_limits<std::uint32_t>::max(); }

BlockForm form_of(const PairState& state) {
    const std::int64_t older = wrap_sub(state.total.count, state.minute.count);
    if (!fits_u32(state.minute.count) || !fits_u32(older)) return BlockForm::kWide;
    if (!is_unit(state.minute.count, state.minute.sum)) return BlockForm::kWide;
    if (!is_unit(state.total.count, state.total.sum)) return BlockForm::kWide;
    for (const Cell& cell : state.cells)
        if (!is_unit(cell.count, cell.sum)) return BlockForm::kWide;
    for (const Cell& cell : state.buckets)
        if (!is_unit(cell.sum >> 20, cell.sum)) return BlockForm::kWide;
    return BlockForm::kUnit;
}

std::uint8_t* put_cells(std::uint8_t* out, const PairState& state, bool with_sum) {
    CellPlace at{Tier::kMinute, minute_of(state.head)};
    for (const Cell& cell : state.cells) {
        if (cell.place.tier != at.tier) out = put_tier(out, cell.place.tier);
        while (cell.place.tier != at.tier) {
            at.index = parent_of(at.tier, at.index);
            at.tier = static_cast<Tier>(static_cast<int>(at.tier) + 1);
        }
        const auto distance = static_cast<std::uint64_t>(wrap_sub(at.index, cell.place.index));
        out = put_cell(out, distance, cell.count, cell.sum, with_sum);
        at = cell.place;
    }
    return out;
}

std::uint8_t* put_buckets(std::uint8_t* out, const DecayRule& rule, const PairState& state,
                          bool with_sum) {
    if (state.buckets.empty()) return out;
    out = put_tier(out, Tier::kGone);
    std::int64_t at = rule.bucket_of(state.head);
    for (const Cell& cell : state.buckets) {
        const auto distance = static_cast<std::uint64_t>(wrap_sub(at, cell.place.index));
        out = put_cell(out, distance, cell.sum >> 20, cell.sum, with_sum);
        at = cell.place.index;
    }
    return out;
}

}  // namespace

WindowValue BlockView::minute() const {
    if (head().form() == BlockForm::kWide) return {wide(block_).minute_count, wide(block_).minute_sum};
    return {unit(block_).minute_count, unit_sum(unit(block_).minute_count)};
}

WindowValue BlockView::total() const {
    WindowValue total = minute();
    if (head().form() == BlockForm::kWide) {
        add_to(total, wide(block_).older_count, wide(block_).older_sum);
    } else {
        add_to(total, unit(block_).older_count, unit_sum(unit(block_).older_count));
    }
    return total;
}

void BlockView::add_windows(UnixMillis now, unsigned wanted, WindowValue* out) const {
    const CellIndex index(clamp_time(now));
    // Widest window wanted first: once it no longer reaches a cell, no window does.
    const auto widest = static_cast<schema::Window>(std::bit_width(wanted) - 1);
    const WindowRange reach(widest, index);
    const auto count_in = [&](const CellPlace& place, std::int64_t count, record::FixedWeight sum) {
        for (unsigned rest = wanted; rest != 0; rest &= rest - 1) {
            const auto w = static_cast<schema::Window>(std::countr_zero(rest));
            if (WindowRange(w, index).covers(place)) add_to(out[static_cast<std::size_t>(w)], count, sum);
        }
    };
    const CellPlace newest{Tier::kMinute, minute_of(head().head())};
    const WindowValue current = minute();
    count_in(newest, current.count, current.sum);
    CellReader reader = cells(0);
    while (reader.read()) {
        const Cell& cell = reader.cell();
        if (cell.place.tier == Tier::kGone) break;
        if (cell.place.tier > reach.tier) break;
        if (cell.place.tier == reach.tier && cell.place.index < reach.first) break;
        count_in(cell.place, cell.count, cell.sum);
    }
}

double BlockView::decayed(const DecayRule& rule, const DecayReader& reader, UnixMillis now) const {
    if (rule.kind == schema::DecayKind::kExponential) return reader.value(head().a(), head().head());
    if (rule.kind == schema::DecayKind::kPermanent) return record::weight_to_double(total().sum);
    const std::int64_t newest = rule.bucket_of(head().head());
    double value = rule.linear_value(static_cast<std::int64_t>(head().decayed), newest, now);
    CellReader walk = cells(newest);
    while (walk.read())
        if (walk.cell().place.tier == Tier::kGone)
            value += rule.linear_value(walk.cell().sum, walk.cell().place.index, now);
    return value;
}

Result<void> BlockView::decode(const DecayRule& rule, PairState* state) const {
    state->clear();
    state->head = head().head();
    state->minute = minute();
    state->total = total();
    const bool linear = rule.kind == schema::DecayKind::kLinear;
    if (linear) {
        state->bucket = static_cast<std::int64_t>(head().decayed);
    } else {
        state->a = head().a();
    }
    CellReader reader = cells(linear ? rule.bucket_of(state->head) : 0);
    while (reader.read()) {
        const Cell& cell = reader.cell();
        if (cell.place.tier == Tier::kGone) {
            state->buckets.push_back({cell.place, 0, cell.sum});
        } else {
            state->cells.push_back(cell);
        }
    }
    if (reader.damaged()) return Error(ErrorCode::kCorruption, "a ledger block does not parse");
    return {};
}

std::size_t encoded_bytes_max(const PairState& state) {
    return sizeof(WideHead) + (state.cells.size() + state.buckets.size() + 1) * kCellBytesMax;
}

std::size_t encode_block(const DecayRule& rule, const PairState& state, std::byte* out) {
    const BlockForm form = form_of(state);
    auto* body = reinterpret_cast<std::uint8_t*>(out) + header_bytes(form);
    auto* end = put_cells(body, state, form == BlockForm::kWide);
    end = put_buckets(end, rule, state, form == BlockForm::kWide);

    auto* head = reinterpret_cast<BlockHead*>(out);
    head->set(state.head, form, static_cast<std::size_t>(end - body));
    if (rule.kind == schema::DecayKind::kLinear) {
        head->decayed = static_cast<std::uint64_t>(state.bucket);
    } else {
        head->set_a(state.a);
    }
    const std::int64_t older = wrap_sub(state.total.count, state.minute.count);
    if (form == BlockForm::kUnit) {
        auto* h = static_cast<UnitHead*>(head);
        h->minute_count = static_cast<std::uint32_t>(state.minute.count);
        h->older_count = static_cast<std::uint32_t>(older);
    } else {
        auto* h = static_cast<WideHead*>(head);
        h->minute_count = state.minute.count;
        h->older_count = older;
        h->minute_sum = state.minute.sum;
        h->older_sum = wrap_sub(state.total.sum, state.minute.sum);
    }
    return static_cast<std::size_t>(end - reinterpret_cast<std::uint8_t*>(out));
}

namespace {

/// Puts the finished minute in front of the cells. False when there is no room.
bool push_minute(BlockHead* head, std::size_t capacity, std::uint64_t distance, const WindowValue& done) {
    // An empty minute leaves no cell, and the distance of the next one would have to be written anew.
    if (done.count == 0 && done.sum == 0) return head->body_bytes() == 0;
    const bool with_sum = head->form() == BlockForm::kWide;
    std::uint8_t cell[kCellBytesMax];
    const auto size = static_cast<std::size_t>(
        put_cell(cell, distance, done.count, done.sum, with_sum) - cell);
    const std::size_t start = header_bytes(head->form());
    const std::size_t used = head->body_bytes();
    if (start + used + size > capacity) return false;
    auto* body = reinterpret_cast<std::uint8_t*>(head) + start;
    std::memmove(body + size, body, used);
    std::memcpy(body, cell, size);
    head->set(head->head(), head->form(), used + size);
    return true;
}

/// Starts a new minute: the finished one moves from the header to the cells.
bool start_minute(BlockHead* head, std::size_t capacity, std::uint64_t distance) {
    if (head->form() == BlockForm::kUnit) {
        auto* h = static_cast<UnitHead*>(head);
        if (h->older_count > std::numeric_limits<std::uint32_t>::max() - h->minute_count) return false;
        if (!push_minute(head, capacity, distance, {h->minute_count, unit_sum(h->minute_count)}))
            return false;
        h->older_count += h->minute_count;
        h->minute_count = 0;
        return true;
    }
    auto* h = static_cast<WideHead*>(head);
    if (!push_minute(head, capacity, distance, {h->minute_count, h->minute_sum})) return false;
    h->older_count = wrap_add(h->older_count, h->minute_count);
    h->older_sum = wrap_add(h->older_sum, h->minute_sum);
    h->minute_count = h->minute_sum = 0;
    return true;
}

void add_decayed(const DecayRule& rule, const LedgerEvent& event, UnixMillis at, UnixMillis newest,
                 BlockHead* head) {
    if (rule.kind == schema::DecayKind::kExponential) {
        const std::int64_t landmark = rule.landmark_of(newest);
        double a = head->a();
        if (newest != head->head()) a = DecayRule::rescale(a, landmark - rule.landmark_of(head->head()));
        head->set_a(flush_decayed(a + rule.contribution(event.weight, at, landmark)));
    } else if (rule.kind == schema::DecayKind::kLinear) {
        head->decayed += static_cast<std::uint64_t>(event.weight);
    }
}

}  // namespace

bool apply_in_place(const DecayRule& rule, const LedgerEvent& event, std::byte* block,
                    std::size_t capacity) {
    auto* head = reinterpret_cast<BlockHead*>(block);
    const UnixMillis at = clamp_time(event.at_ms);
    const std::int64_t distance = minute_of(at) - minute_of(head->head());
    if (distance < 0) return false;
    if (rule.kind == schema::DecayKind::kLinear && rule.bucket_of(at) != rule.bucket_of(head->head()))
        return false;
    const bool unit_form = head->form() == BlockForm::kUnit;
    if (unit_form) {
        // Also refuses what would overflow or fall below zero.
        if (!is_unit(event.count, event.weight)) return false;
        const std::int64_t now = distance > 0 ? 0 : static_cast<UnitHead*>(head)->minute_count;
        if (!fits_u32(now + event.count)) return false;
    }
    if (distance > 0 && !start_minute(head, capacity, static_cast<std::uint64_t>(distance)))
        return false;
    const UnixMillis newest = std::max(at, head->head());
    add_decayed(rule, event, at, newest, head);
    head->set_head(newest);
    if (unit_form) {
        static_cast<UnitHead*>(head)->minute_count += static_cast<std::uint32_t>(event.count);
    } else {
        auto* h = static_cast<WideHead*>(head);
        h->minute_count = wrap_add(h->minute_count, event.count);
        h->minute_sum = wrap_add(h->minute_sum, event.weight);
    }
    return true;
}

bool well_formed(const std::byte* block, std::size_t size) {
    if (size < sizeof(UnitHead)) return false;
    const BlockView view(block);
    const BlockForm form = view.head().form();
    if (form != BlockForm::kUnit && form != BlockForm::kWide) return false;
    return size >= header_bytes(form) && view.bytes() == size;
}

}  // namespace tidal::signal
