#include "audience/cohort_ledgers.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/codec.h"
#include "base/hash.h"

namespace tidal::audience {
namespace {

constexpr std::string_view kCohortPrefix = "a/o/";
constexpr std::string_view kFirstHourKey = "a/o-first";
constexpr std::uint8_t kCohortRowVersion = 1;
/// A cell with its part of the item, of what is free beside it and of the maps around.
constexpr std::uint64_t kCellBytes = 96;

std::string cohort_row_key(Slot slot) {
    std::string key(kCohortPrefix);
    for (int shift = 24; shift >= 0; shift -= 8)
        key.push_back(static_cast<char>(slot.value() >> shift));
    return key;
}

Result<Slot> read_cohort_row_key(std::string_view key) {
    key.remove_prefix(kCohortPrefix.size());
    if (key.size() != 4) return Error(ErrorCode::kCorruption, "bad key of a cohort's ledgers");
    std::uint32_t slot = 0;
    for (const char c : key) slot = slot << 8 | static_cast<unsigned char>(c);
    return Slot(slot);
}

CohortHour hour_of(UnixMillis at_ms) {
    return at_ms / kCohortHourMs - (at_ms % kCohortHourMs < 0 ? 1 : 0);
}

std::pair<CohortId, SignalTypeId> key_of(const CohortPair& pair) {
    return {pair.cohort, pair.signal};
}

bool decode_cells(Decoder* in, std::vector<CohortCell>* out) {
    const std::size_t count = in->count(3);
    if (count == 0) return false;
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        CohortCell& cell = out->emplace_back();
        cell.hour = in->svarint();
        cell.count = in->svarint();
        cell.sum = in->svarint();
        if (cell.count == 0 && cell.sum == 0) return false;
        if (i > 0 && (*out)[i - 1].hour >= cell.hour) return false;
    }
    return true;
}

}  // namespace

std::string encode_cohort_pairs(const CohortPairs& pairs) {
    Encoder out;
    out.u8(kCohortRowVersion);
    out.varint(pairs.size());
    for (const CohortPair& pair : pairs) {
        out.varint(pair.cohort.value());
        out.varint(pair.signal.value());
        out.varint(pair.cells.size());
        for (const CohortCell& cell : pair.cells) {
            out.svarint(cell.hour);
            out.svarint(cell.count);
            out.svarint(cell.sum);
        }
    }
    return out.take();
}

Result<CohortPairs> decode_cohort_pairs(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kCohortRowVersion)
        return Error(ErrorCode::kCorruption, "cohorts: unknown version");
    CohortPairs out;
    const std::size_t count = in.count(6);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        CohortPair& pair = out.emplace_back();
        const std::uint64_t cohort = in.varint(), signal = in.varint();
        if (cohort > std::numeric_limits<std::uint32_t>::max() ||
            signal > std::numeric_limits<std::uint16_t>::max())
            in.fail();
        pair.cohort = CohortId(static_cast<std::uint32_t>(cohort));
        pair.signal = SignalTypeId(static_cast<std::uint16_t>(signal));
        if (!decode_cells(&in, &pair.cells)) in.fail();
        if (i > 0 && key_of(out[i - 1]) >= key_of(pair)) in.fail();
    }
    TIDAL_TRY(in.finish("cohorts of an item"));
    if (encode_cohort_pairs(out) != bytes)
        return Error(ErrorCode::kCorruption, "cohorts of an item: not as they are written");
    return out;
}

Result<std::unique_ptr<CohortLedgers>> CohortLedgers::open(const Options& options,
                                                           storage::ShardStore& store) {
    std::unique_ptr<CohortLedgers> out(new CohortLedgers(options, store));
    TIDAL_TRY(out->load());
    return out;
}

Result<void> CohortLedgers::load() {
    TIDAL_ASSIGN(const auto first, store_.get(kFirstHourKey));
    if (first) {
        Decoder in(*first);
        first_hour_ = in.svarint();
        TIDAL_TRY(in.finish("first hour of cohorts"));
    }
    Result<void> outcome;
    TIDAL_TRY(store_.scan(kCohortPrefix, [&](std::string_view key, std::string_view value) {
        auto slot = read_cohort_row_key(key);
        auto pairs =
            slot.ok() ? decode_cohort_pairs(value) : Result<CohortPairs>(slot.take_error());
        if (!pairs.ok()) {
            outcome = pairs.take_error();
            return false;
        }
        load_item(*slot, *pairs);
        return true;
    }));
    to_sweep_ = items_.size();
    return outcome;
}

void CohortLedgers::load_item(Slot slot, const CohortPairs& pairs) {
    std::vector<Cell>& cells = item(slot).cells;
    for (const CohortPair& pair : pairs) {
        for (const CohortCell& cell : pair.cells) {
            if (cell.hour < first_hour_) continue;
            cells.push_back({pair.cohort, pair.signal, cell.hour, cell.count, cell.sum});
            tally_cell(cell.hour, 1);
            tally_events(pair.cohort, cell.hour, cell.count);
        }
    }
}

CohortLedgers::Item& CohortLedgers::item(Slot slot) {
    Item& place = items_[slot];
    if (!place.is_there) {
        place.is_there = true;
        ++item_count_;
    }
    return place;
}

CohortLedgers::Item* CohortLedgers::find(Slot slot) {
    Item* const place = items_.find(slot);
    return place == nullptr || !place->is_there ? nullptr : place;
}

void CohortLedgers::touch(Slot slot, Item* item) {
    if (backlog_.touch(slot, &item->mark)) write(slot, *item);
}

void CohortLedgers::erase(Slot slot) {
    Item& item = items_[slot];
    if (backlog_.is_frozen(item.mark)) write(slot, item);
    item = Item();
    --item_count_;
    store_.erase(cohort_row_key(slot));
}

void CohortLedgers::tally_cell(CohortHour hour, int sign) {
    if (hour < first_hour_) return;
    const auto by = static_cast<std::uint64_t>(sign);
    cell_count_ += by;
    if ((cells_[hour] += by) == 0) cells_.erase(hour);
}

void CohortLedgers::tally_events(CohortId cohort, CohortHour hour, std::int64_t count) {
    if (hour < first_hour_) return;
    Hours& hours = events_[cohort];
    if ((hours[hour] += count) == 0) hours.erase(hour);
    if (hours.empty()) events_.erase(cohort);
}

void CohortLedgers::forget_before(CohortHour hour) {
    if (hour <= first_hour_) return;
    first_hour_ = hour;
    to_sweep_ = items_.size();
    while (!cells_.empty() && cells_.begin()->first < hour) {
        cell_count_ -= cells_.begin()->second;
        cells_.erase(cells_.begin());
    }
    for (auto at = events_.begin(); at != events_.end();) {
        Hours& hours = at->second;
        hours.erase(hours.begin(), hours.lower_bound(hour));
        const auto checked = at++;
        if (hours.empty()) events_.erase(checked);
    }
}

bool CohortLedgers::make_room(CohortHour hour) {
    while ((cell_count_ + 1) * kCellBytes > options_.bytes_max) {
        if (cells_.empty() || hour <= cells_.begin()->first) return false;
        forget_before(cells_.begin()->first + 1);
    }
    return true;
}

CohortPairs CohortLedgers::pairs_of(const Item& item, CohortHour first) {
    CohortPairs out;
    for (const Cell& cell : item.cells) {
        if (cell.hour < first) continue;
        if (out.empty() || out.back().cohort != cell.cohort || out.back().signal != cell.signal)
            out.push_back({cell.cohort, cell.signal, {}});
        out.back().cells.push_back({cell.hour, cell.count, cell.sum});
    }
    return out;
}

void CohortLedgers::sweep() {
    constexpr int kItemsAtOnce = 2, kPlacesAtOnce = 16;
    for (int items = 0, places = 0; to_sweep_ > 0 && items < kItemsAtOnce && places < kPlacesAtOnce;
         ++places, --to_sweep_) {
        if (swept_ >= items_.size()) swept_ = 0;
        const Slot slot(static_cast<std::uint32_t>(swept_++));
        Item* const item = find(slot);
        if (item == nullptr) continue;
        ++items;
        const auto is_gone = [&](const Cell& cell) { return cell.hour < first_hour_; };
        if (!item->cells.empty() && std::ranges::none_of(item->cells, is_gone)) continue;
        touch(slot, item);
        std::erase_if(item->cells, is_gone);
        if (item->cells.empty()) erase(slot);
    }
}

void CohortLedgers::count(Slot slot, std::span<const CohortId> cohorts, const Event& event,
                          UnixMillis now_ms) {
    if (cohorts.empty()) return;
    forget_before(hour_of(now_ms) - kCohortHours);
    sweep();
    const CohortHour hour = hour_of(event.at_ms);
    if (hour < first_hour_) return;
    // Where nothing is counted, nothing is made and dropped again.
    if (find(slot) == nullptr && (event.count < 0 || !make_room(hour))) {
        if (event.count > 0) refused_ += cohorts.size();
        return;
    }
    Item& changed = item(slot);
    touch(slot, &changed);
    for (const CohortId cohort : cohorts) count_one(changed, {cohort, event.signal, hour}, event);
    if (changed.cells.empty()) erase(slot);
}

void CohortLedgers::count_one(Item& item, const Key& key, const Event& event) {
    const auto [cohort, signal, hour] = key;
    auto cell = std::ranges::lower_bound(item.cells, key, {}, key_of);
    if (cell == item.cells.end() || key_of(*cell) != key) {
        // An event that was left out is taken back from nothing.
        if (event.count < 0) return;
        if (!make_room(hour)) {
            ++refused_;
            return;
        }
        cell = item.cells.insert(cell, {cohort, signal, hour, 0, 0});
        tally_cell(hour, 1);
    }
    cell->count += event.count;
    cell->sum += event.weight;
    tally_events(cohort, hour, event.count);
    if (cell->count != 0 || cell->sum != 0) return;
    item.cells.erase(cell);
    tally_cell(hour, -1);
}

void CohortLedgers::drop_item(Slot slot) {
    const Item* const item = find(slot);
    if (item == nullptr) return;
    for (const Cell& cell : item->cells) {
        tally_cell(cell.hour, -1);
        tally_events(cell.cohort, cell.hour, -cell.count);
    }
    erase(slot);
}

void CohortLedgers::read(CohortId cohort, SignalTypeId signal, schema::Window window,
                         std::span<const Slot> slots, UnixMillis now_ms, std::span<Sum> out) const {
    const CohortHour now = hour_of(now_ms);
    const CohortHour length = window == schema::Window::k24h ? 24 : kCohortHours;
    const CohortHour first = std::max(now - length, first_hour_);
    const Key begin{cohort, signal, first}, end{cohort, signal, now};
    for (std::size_t i = 0; i < slots.size(); ++i) {
        out[i] = {};
        const Item* const of = find(slots[i]);
        if (of == nullptr) continue;
        auto cell = std::ranges::lower_bound(of->cells, begin, {}, key_of);
        for (; cell != of->cells.end() && key_of(*cell) <= end; ++cell) {
            out[i].count += cell->count;
            out[i].sum += cell->sum;
        }
    }
}

std::int64_t CohortLedgers::events(CohortId cohort, UnixMillis now_ms) const {
    const auto found = events_.find(cohort);
    if (found == events_.end()) return 0;
    const CohortHour now = hour_of(now_ms);
    std::int64_t out = 0;
    for (const auto& [hour, count] : found->second)
        if (hour >= std::max(now - kCohortHours, first_hour_) && hour <= now) out += count;
    return out;
}

std::size_t CohortLedgers::write(Slot slot, const Item& item) {
    // Also hours that went since the checkpoint began: it does not know that.
    const CohortPairs pairs = pairs_of(item, std::numeric_limits<CohortHour>::min());
    const std::string row = encode_cohort_pairs(pairs);
    store_.put_frozen(cohort_row_key(slot), row);
    return row.size();
}

bool CohortLedgers::write_frozen_rows(std::size_t cost_max) {
    return backlog_.write_frozen(cost_max, [&](Slot slot) -> std::size_t {
        Item* const item = find(slot);
        return item != nullptr && backlog_.settle(&item->mark) ? write(slot, *item) : 0;
    });
}

void CohortLedgers::prepare_checkpoint() {
    Encoder out;
    out.svarint(first_hour_);
    if (first_hour_ != 0) store_.put(kFirstHourKey, out.view());
}

std::uint64_t CohortLedgers::content_hash(Slot slot) const {
    const Item* const of = find(slot);
    if (of == nullptr) return 0;
    const CohortPairs pairs = pairs_of(*of, first_hour_);
    return pairs.empty() ? 0 : hash64(encode_cohort_pairs(pairs));
}

CohortLedgers::Stats CohortLedgers::stats() const {
    return {item_count_, cell_count_, cell_count_ * kCellBytes, refused_};
}

}  // namespace tidal::audience
