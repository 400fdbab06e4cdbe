#include "signal/internal/pair_block.h"

#include <bit>
#include <cassert>
#include <limits>
#include <utility>

namespace tidal::signal {

namespace {

/// Form and shift for a state.
std::pair<BlockForm, Counters> form_of(const PairState& state) {
    Counters counters{state.minute, state.total, 0};
    add_to(counters.older, wrap_sub(0, state.minute.count), wrap_sub(0, state.minute.sum));
    const auto excess = [](std::int64_t count, record::FixedWeight sum) {
        return static_cast<std::uint64_t>(wrap_sub(sum, unit_sum(count)));
    };
    std::uint64_t bits = excess(state.minute.count, state.minute.sum);
    for (const Cell& cell : state.cells) bits |= excess(cell.count, cell.sum);
    for (const Cell& cell : state.buckets) bits |= excess(cell.sum >> 20, cell.sum);
    if (bits == 0 && fits_unit(counters)) return {BlockForm::kUnit, counters};
    counters.shift = bits == 0 ? 20 : static_cast<unsigned>(std::countr_zero(bits));
    if (fits_wide(counters)) return {BlockForm::kWide, counters};
    counters.shift = 0;
    return {BlockForm::kHuge, counters};
}

std::uint8_t* put_cells(std::uint8_t* out, const PairState& state, CellSums sums) {
    CellPlace at{Tier::kMinute, minute_of(state.head)};
    for (const Cell& cell : state.cells) {
        if (cell.place.tier != at.tier) out = put_tier(out, cell.place.tier);
        while (cell.place.tier != at.tier) {
            at.index = parent_of(at.tier, at.index);
            at.tier = static_cast<Tier>(static_cast<int>(at.tier) + 1);
        }
        const auto distance = static_cast<std::uint64_t>(wrap_sub(at.index, cell.place.index));
        out = put_cell(out, distance, cell.count, cell.sum, sums);
        at = cell.place;
    }
    return out;
}

std::uint8_t* put_buckets(std::uint8_t* out, const DecayRule& rule, const PairState& state,
                          CellSums sums) {
    if (state.buckets.empty()) return out;
    out = put_tier(out, Tier::kGone);
    std::int64_t at = rule.bucket_of(state.head);
    for (const Cell& cell : state.buckets) {
        const auto distance = static_cast<std::uint64_t>(wrap_sub(at, cell.place.index));
        out = put_cell(out, distance, cell.sum >> 20, cell.sum, sums);
        at = cell.place.index;
    }
    return out;
}

}  // namespace

WindowValue BlockView::total() const {
    const Counters counters = load_counters(head());
    WindowValue total = counters.older;
    add_to(total, counters.minute.count, counters.minute.sum);
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
            if (WindowRange(w, index).covers(place))
                add_to(out[static_cast<std::size_t>(w)], count, sum);
        }
    };
    const CellPlace newest{Tier::kMinute, minute_of(head().head())};
    const WindowValue current = load_counters(head()).minute;
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

WindowValue BlockView::in_window(const WindowRange& range) const {
    WindowValue out;
    const WindowValue current = load_counters(head()).minute;
    if (range.covers({Tier::kMinute, minute_of(head().head())})) out = current;
    if (head().body_bytes() == 0) return out;
    CellReader reader = cells(0);
    while (reader.read()) {
        const Cell& cell = reader.cell();
        if (cell.place.tier == Tier::kGone || cell.place.tier > range.tier) break;
        if (cell.place.tier == range.tier && cell.place.index < range.first) break;
        if (range.covers(cell.place)) add_to(out, cell.count, cell.sum);
    }
    return out;
}

double BlockView::decayed(const DecayRule& rule, const DecayReader& reader, UnixMillis now) const {
    if (rule.kind == schema::DecayKind::kExponential)
        return reader.value(head().a(), head().head());
    if (rule.kind == schema::DecayKind::kPermanent) return record::weight_to_double(total().sum);
    const std::int64_t newest = rule.bucket_of(head().head());
    double value = rule.linear_value(static_cast<std::int64_t>(head().decayed), newest, now);
    CellReader walk = cells(newest);
    while (walk.read())
        if (walk.cell().place.tier == Tier::kGone)
            value += rule.linear_value(walk.cell().sum, walk.cell().place.index, now);
    return value;
}

bool BlockView::has_cell_below_0(const WindowRange& range) const {
    // Finer cells leave the window together with what lies in the same cell of its tier.
    std::int64_t index = std::numeric_limits<std::int64_t>::max();
    record::FixedWeight sum = 0;
    const auto passes_below_0 = [&](CellPlace place, record::FixedWeight of_cell) {
        for (; place.tier != range.tier;
             place.tier = static_cast<Tier>(static_cast<int>(place.tier) + 1))
            place.index = parent_of(place.tier, place.index);
        const bool was_below = place.index != index && sum < 0;
        if (place.index != index) sum = 0;
        index = place.index;
        if (index >= range.first) sum = wrap_add(sum, of_cell);
        return was_below;
    };
    const WindowValue current = load_counters(head()).minute;
    passes_below_0({Tier::kMinute, minute_of(head().head())}, current.sum);
    CellReader reader = cells(0);
    while (reader.read()) {
        const Cell& cell = reader.cell();
        if (cell.place.tier == Tier::kGone || cell.place.tier > range.tier) break;
        if (passes_below_0(cell.place, cell.sum)) return true;
    }
    return sum < 0;
}

bool BlockView::decays_from_below_0(const DecayRule& rule, UnixMillis now) const {
    if (rule.kind == schema::DecayKind::kExponential) return head().a() < 0;
    if (rule.kind == schema::DecayKind::kPermanent) return total().sum < 0;
    const auto is_below = [&](record::FixedWeight sum, std::int64_t bucket) {
        return sum < 0 && bucket * rule.bucket_ms + rule.lifetime_ms > now;
    };
    const std::int64_t newest = rule.bucket_of(head().head());
    if (is_below(static_cast<std::int64_t>(head().decayed), newest)) return true;
    CellReader walk = cells(newest);
    while (walk.read())
        if (walk.cell().place.tier == Tier::kGone &&
            is_below(walk.cell().sum, walk.cell().place.index))
            return true;
    return false;
}

Result<void> BlockView::decode(const DecayRule& rule, PairState* state) const {
    state->clear();
    state->head = head().head();
    state->minute = load_counters(head()).minute;
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
    if (reader.damaged() || state->buckets.size() > kBucketsMax)
        return Error(ErrorCode::kCorruption, "a ledger block does not parse");
    return {};
}

std::size_t encoded_bytes_max(const PairState& state) {
    return sizeof(HugeHead) + (state.cells.size() + state.buckets.size() + 1) * kCellBytesMax;
}

std::size_t encode_block(const DecayRule& rule, const PairState& state, std::byte* out) {
    const auto [form, counters] = form_of(state);
    const CellSums sums{form != BlockForm::kUnit, counters.shift};
    auto* body = reinterpret_cast<std::uint8_t*>(out) + header_bytes(form);
    auto* end = put_cells(body, state, sums);
    end = put_buckets(end, rule, state, sums);

    auto* head = reinterpret_cast<BlockHead*>(out);
    head->set(state.head, form, static_cast<std::size_t>(end - body));
    if (rule.kind == schema::DecayKind::kLinear) {
        head->decayed = static_cast<std::uint64_t>(state.bucket);
    } else {
        head->set_a(state.a);
    }
    [[maybe_unused]] const bool stored = store_counters(counters, head);
    assert(stored);
    return static_cast<std::size_t>(end - reinterpret_cast<std::uint8_t*>(out));
}

namespace {

/// The finished minute as a cell in front of the others; the minute after it is `distance` later.
struct FinishedMinute {
    std::uint8_t bytes[kCellBytesMax];
    std::size_t size = 0;
};

/// False when the block cannot take it in place.
bool finish_minute(const BlockHead& head, std::size_t capacity, std::uint64_t distance,
                   Counters* counters, FinishedMinute* cell) {
    const WindowValue done = counters->minute;
    // An empty minute leaves no cell, and the distance of the next one would have to be written
    // anew.
    if (done.count == 0 && done.sum == 0) return head.body_bytes() == 0;
    const CellSums sums{head.form() != BlockForm::kUnit, counters->shift};
    if (!sums.hold(done.count, done.sum)) return false;
    cell->size = static_cast<std::size_t>(
        put_cell(cell->bytes, distance, done.count, done.sum, sums) - cell->bytes);
    add_to(counters->older, done.count, done.sum);
    counters->minute = {};
    return header_bytes(head.form()) + head.body_bytes() + cell->size <= capacity;
}

void push_front(const FinishedMinute& cell, BlockHead* head) {
    if (cell.size == 0) return;
    auto* body = reinterpret_cast<std::uint8_t*>(head) + header_bytes(head->form());
    std::memmove(body + cell.size, body, head->body_bytes());
    std::memcpy(body, cell.bytes, cell.size);
    head->set(head->head(), head->form(), head->body_bytes() + cell.size);
}

void add_decayed(const DecayRule& rule, const LedgerEvent& event, UnixMillis at, UnixMillis newest,
                 BlockHead* head) {
    if (rule.kind == schema::DecayKind::kExponential) {
        const std::int64_t landmark = rule.landmark_of(newest);
        double a = head->a();
        if (newest != head->head())
            a = DecayRule::rescale(a, landmark - rule.landmark_of(head->head()));
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
    if (rule.kind == schema::DecayKind::kLinear &&
        rule.bucket_of(at) != rule.bucket_of(head->head()))
        return false;
    Counters counters = load_counters(*head);
    FinishedMinute cell;
    if (distance > 0 &&
        !finish_minute(*head, capacity, static_cast<std::uint64_t>(distance), &counters, &cell))
        return false;
    add_to(counters.minute, event.count, event.weight);
    if (!store_counters(counters, head)) return false;
    push_front(cell, head);
    const UnixMillis newest = std::max(at, head->head());
    add_decayed(rule, event, at, newest, head);
    head->set_head(newest);
    return true;
}

bool well_formed(const std::byte* block, std::size_t size) {
    if (size < sizeof(UnitHead)) return false;
    const BlockView view(block);
    const BlockForm form = view.head().form();
    return form != BlockForm::kPending && size >= header_bytes(form) && view.bytes() == size;
}

}  // namespace tidal::signal
