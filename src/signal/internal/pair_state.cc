#include "signal/internal/pair_state.h"

#include <algorithm>

namespace tidal::signal {

void PairState::clear() {
    a = 0;
    head = 0;
    total = minute = {};
    bucket = 0;
    cells.clear();
    buckets.clear();
}

void PairState::apply(const DecayRule& rule, const LedgerEvent& event, bool first) {
    const UnixMillis at = clamp_time(event.at_ms);
    if (first) head = at;
    if (at > head) {
        advance(rule, at);
    } else {
        fold(rule);
    }
    add_to(total, event.count, event.weight);
    if (minute_of(at) == minute_of(head)) {
        add_to(minute, event.count, event.weight);
    } else {
        add_cell(at, event.count, event.weight);
    }
    if (rule.kind == schema::DecayKind::kExponential) {
        a = flush_decayed(a + rule.contribution(event.weight, at, rule.landmark_of(head)));
    } else if (rule.kind == schema::DecayKind::kLinear) {
        add_bucket(rule, at, event.weight);
    }
}

void PairState::advance(const DecayRule& rule, UnixMillis at) {
    if (minute_of(at) != minute_of(head)) {
        const Cell done{{Tier::kMinute, minute_of(head)}, minute.count, minute.sum};
        if (!done.empty()) cells.insert(cells.begin(), done);
        minute = {};
    }
    if (rule.kind == schema::DecayKind::kExponential) {
        a = DecayRule::rescale(a, rule.landmark_of(at) - rule.landmark_of(head));
    } else if (rule.kind == schema::DecayKind::kLinear &&
               rule.bucket_of(at) != rule.bucket_of(head)) {
        const Cell done{{Tier::kGone, rule.bucket_of(head)}, 0, bucket};
        if (bucket != 0) buckets.insert(buckets.begin(), done);
        bucket = 0;
    }
    head = at;
    fold(rule);
}

void PairState::fold(const DecayRule& rule) {
    const CellIndex now(head);
    auto out = cells.begin();
    for (const Cell& cell : cells) {
        const CellPlace place = place_of(cell.place, now);
        if (place.tier == Tier::kGone) break;  // And so is everything older.
        if (out != cells.begin() && std::prev(out)->place == place) {
            std::prev(out)->count = wrap_add(std::prev(out)->count, cell.count);
            std::prev(out)->sum = wrap_add(std::prev(out)->sum, cell.sum);
        } else {
            if (out != cells.begin() && std::prev(out)->empty()) --out;
            *out++ = Cell{place, cell.count, cell.sum};
        }
    }
    if (out != cells.begin() && std::prev(out)->empty()) --out;
    cells.erase(out, cells.end());
    std::erase_if(buckets, [&](const Cell& b) { return rule.bucket_spent(b.place.index, head); });
}

namespace {

/// Adds to the cell of `place`, made or removed as needed; `cells` are newest first.
void add_at(std::vector<Cell>& cells, CellPlace place, std::int64_t count,
            record::FixedWeight sum) {
    const auto newer = [](const Cell& cell, const CellPlace& than) {
        if (cell.place.tier != than.tier) return cell.place.tier < than.tier;
        return cell.place.index > than.index;
    };
    auto at = std::lower_bound(cells.begin(), cells.end(), place, newer);
    if (at == cells.end() || at->place != place) at = cells.insert(at, Cell{place, 0, 0});
    at->count = wrap_add(at->count, count);
    at->sum = wrap_add(at->sum, sum);
    if (at->empty()) cells.erase(at);
}

}  // namespace

void PairState::add_cell(UnixMillis at, std::int64_t count, record::FixedWeight sum) {
    const CellPlace place = place_of({Tier::kMinute, minute_of(at)}, CellIndex(head));
    if (place.tier != Tier::kGone) add_at(cells, place, count, sum);
}

void PairState::add_bucket(const DecayRule& rule, UnixMillis at, record::FixedWeight sum) {
    const std::int64_t index = rule.bucket_of(at);
    if (index == rule.bucket_of(head)) {
        bucket = wrap_add(bucket, sum);
        return;
    }
    if (rule.bucket_spent(index, head)) return;
    add_at(buckets, {Tier::kGone, index}, 0, sum);
}

}  // namespace tidal::signal
