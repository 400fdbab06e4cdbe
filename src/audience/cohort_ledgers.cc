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
/// A cell with its part of the pair, the item and the maps around it.
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
        Item& read = item(*slot);
        read.pairs = kept(*pairs);
        for (const CohortPair& pair : read.pairs)
            for (const CohortCell& cell : pair.cells) tally(pair.cohort, cell, 1);
        return true;
    }));
    return outcome;
}

CohortLedgers::Item& CohortLedgers::item(Slot slot) {
    const auto [found, added] = places_.try_emplace(slot, items_.size());
    if (added) items_.push_back({.slot = slot, .pairs = {}});
    return items_[found->second];
}

const CohortLedgers::Item* CohortLedgers::find(Slot slot) const {
    const auto found = places_.find(slot);
    return found == places_.end() ? nullptr : &items_[found->second];
}

void CohortLedgers::erase(std::size_t at) {
    store_.erase(cohort_row_key(items_[at].slot));
    places_.erase(items_[at].slot);
    if (at + 1 < items_.size()) {
        items_[at] = std::move(items_.back());
        places_[items_[at].slot] = at;
    }
    items_.pop_back();
}

void CohortLedgers::tally(CohortId cohort, const CohortCell& cell, int sign) {
    if (cell.hour < first_hour_) return;
    if (sign > 0) {
        ++cells_[cell.hour];
        ++cell_count_;
    } else {
        --cell_count_;
        if (--cells_[cell.hour] == 0) cells_.erase(cell.hour);
    }
    Hours& hours = events_[cohort];
    if ((hours[cell.hour] += sign * cell.count) == 0) hours.erase(cell.hour);
    if (hours.empty()) events_.erase(cohort);
}

void CohortLedgers::forget_before(CohortHour hour) {
    if (hour <= first_hour_) return;
    first_hour_ = hour;
    while (!cells_.empty() && cells_.begin()->first < hour) {
        cell_count_ -= cells_.begin()->second;
        cells_.erase(cells_.begin());
    }
    for (auto at = events_.begin(); at != events_.end();) {
        Hours& hours = at->second;
        hours.erase(hours.begin(), hours.lower_bound(hour));
        at = hours.empty() ? events_.erase(at) : std::next(at);
    }
}

bool CohortLedgers::make_room(CohortHour hour) {
    while ((cell_count_ + 1) * kCellBytes > options_.bytes_max) {
        if (cells_.empty() || hour <= cells_.begin()->first) return false;
        forget_before(cells_.begin()->first + 1);
    }
    return true;
}

CohortPairs CohortLedgers::kept(const CohortPairs& pairs) const {
    CohortPairs out;
    for (const CohortPair& pair : pairs) {
        const auto first = std::ranges::lower_bound(pair.cells, first_hour_, {}, &CohortCell::hour);
        if (first != pair.cells.end())
            out.push_back({pair.cohort, pair.signal, {first, pair.cells.end()}});
    }
    return out;
}

void CohortLedgers::sweep() {
    constexpr int kAtOnce = 2;
    for (int i = 0; i < kAtOnce && !items_.empty(); ++i) {
        if (swept_ >= items_.size()) swept_ = 0;
        Item& item = items_[swept_];
        const bool old = std::ranges::any_of(item.pairs, [&](const CohortPair& pair) {
            return pair.cells.front().hour < first_hour_;
        });
        if (old) item.pairs = kept(item.pairs);
        if (item.pairs.empty())
            erase(swept_);
        else
            ++swept_;
    }
}

void CohortLedgers::count(Slot slot, std::span<const CohortId> cohorts, const Event& event,
                          UnixMillis now_ms) {
    if (cohorts.empty()) return;
    forget_before(hour_of(now_ms) - kCohortHours);
    sweep();
    const CohortHour hour = hour_of(event.at_ms);
    if (hour < first_hour_) return;
    Item& changed = item(slot);
    for (const CohortId cohort : cohorts) count_one(changed, cohort, hour, event);
    if (changed.unwritten) return;
    changed.unwritten = true;
    unwritten_.push_back(slot);
}

void CohortLedgers::count_one(Item& item, CohortId cohort, CohortHour hour, const Event& event) {
    const std::pair key(cohort, event.signal);
    auto pair = std::ranges::lower_bound(item.pairs, key, {}, key_of);
    const bool has_pair = pair != item.pairs.end() && key_of(*pair) == key;
    std::size_t at = 0;
    bool has_cell = false;
    if (has_pair) {
        const auto cell = std::ranges::lower_bound(pair->cells, hour, {}, &CohortCell::hour);
        at = static_cast<std::size_t>(cell - pair->cells.begin());
        has_cell = cell != pair->cells.end() && cell->hour == hour;
    }
    if (!has_cell) {
        // An event that was left out is taken back from nothing.
        if (event.count < 0) return;
        if (!make_room(hour)) {
            ++refused_;
            return;
        }
        if (!has_pair) pair = item.pairs.insert(pair, {cohort, event.signal, {}});
        pair->cells.insert(pair->cells.begin() + static_cast<std::ptrdiff_t>(at), {.hour = hour});
    } else {
        tally(cohort, pair->cells[at], -1);
    }
    CohortCell& cell = pair->cells[at];
    cell.count += event.count;
    cell.sum += event.weight;
    if (cell.count != 0 || cell.sum != 0) return tally(cohort, cell, 1);
    pair->cells.erase(pair->cells.begin() + static_cast<std::ptrdiff_t>(at));
    if (pair->cells.empty()) item.pairs.erase(pair);
}

void CohortLedgers::drop_item(Slot slot) {
    const auto found = places_.find(slot);
    if (found == places_.end()) return;
    for (const CohortPair& pair : items_[found->second].pairs)
        for (const CohortCell& cell : pair.cells) tally(pair.cohort, cell, -1);
    erase(found->second);
}

void CohortLedgers::read(CohortId cohort, SignalTypeId signal, schema::Window window,
                         std::span<const Slot> slots, UnixMillis now_ms, std::span<Sum> out) const {
    const CohortHour now = hour_of(now_ms);
    const CohortHour length = window == schema::Window::k24h ? 24 : kCohortHours;
    const CohortHour first = std::max(now - length, first_hour_);
    const std::pair key(cohort, signal);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        out[i] = {};
        const Item* const of = find(slots[i]);
        if (of == nullptr) continue;
        const auto pair = std::ranges::lower_bound(of->pairs, key, {}, key_of);
        if (pair == of->pairs.end() || key_of(*pair) != key) continue;
        for (const CohortCell& cell : pair->cells) {
            if (cell.hour < first || cell.hour > now) continue;
            out[i].count += cell.count;
            out[i].sum += cell.sum;
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

void CohortLedgers::write_rows(std::size_t left) {
    while (unwritten_.size() > left) {
        const auto found = places_.find(unwritten_.front());
        unwritten_.pop_front();
        if (found == places_.end()) continue;
        Item& item = items_[found->second];
        if (!item.unwritten) continue;
        item.unwritten = false;
        if (item.pairs.empty())
            store_.erase(cohort_row_key(item.slot));
        else
            store_.put(cohort_row_key(item.slot), encode_cohort_pairs(item.pairs));
    }
}

void CohortLedgers::prepare_checkpoint() {
    write_rows(0);
    Encoder out;
    out.svarint(first_hour_);
    if (first_hour_ != 0) store_.put(kFirstHourKey, out.view());
}

std::uint64_t CohortLedgers::content_hash(Slot slot) const {
    const Item* const of = find(slot);
    if (of == nullptr) return 0;
    const CohortPairs pairs = kept(of->pairs);
    return pairs.empty() ? 0 : hash64(encode_cohort_pairs(pairs));
}

CohortLedgers::Stats CohortLedgers::stats() const {
    return {items_.size(), cell_count_, cell_count_ * kCellBytes, refused_};
}

}  // namespace tidal::audience
