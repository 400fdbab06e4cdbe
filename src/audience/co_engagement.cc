#include "audience/co_engagement.h"

#include <algorithm>
#include <cmath>

#include "base/codec.h"
#include "base/detmath.h"
#include "base/hash.h"
#include "record/id_codec.h"

namespace tidal::audience {
namespace {

constexpr std::string_view kNeighboursPrefix = "a/c/";
constexpr std::uint8_t kNeighboursVersion = 1;

std::string neighbours_row_key(Slot slot) {
    std::string key(kNeighboursPrefix);
    for (int shift = 24; shift >= 0; shift -= 8)
        key.push_back(static_cast<char>(slot.value() >> shift));
    return key;
}

Result<Slot> read_neighbours_row_key(std::string_view key) {
    key.remove_prefix(kNeighboursPrefix.size());
    if (key.size() != 4) return Error(ErrorCode::kCorruption, "bad key of co-engagement");
    std::uint32_t slot = 0;
    for (const char c : key) slot = slot << 8 | static_cast<unsigned char>(c);
    return Slot(slot);
}

double halved(UnixMillis span_ms) {
    return detmath::exp2(-static_cast<double>(span_ms) /
                         static_cast<double>(Neighbours::kHalfLifeMs));
}

void add(const EntityId& other, double weight, std::vector<Neighbour>* items) {
    const auto found = std::ranges::lower_bound(*items, other, {}, &Neighbour::item);
    if (found != items->end() && found->item == other) {
        found->weight += weight;
        return;
    }
    items->insert(found, {other, weight});
    if (items->size() > Neighbours::kEach)
        items->erase(std::ranges::min_element(*items, {}, &Neighbour::weight));
}

}  // namespace

double Neighbours::decay_to(UnixMillis now_ms) const {
    return now_ms <= at_ms ? 1 : halved(now_ms - at_ms);
}

void Neighbours::count(std::span<const EntityId> others, double likes, UnixMillis now_ms) {
    if (events == 0 && items.empty()) at_ms = now_ms;
    double weight = 1;
    if (now_ms > at_ms) {
        const double factor = decay_to(now_ms);
        events *= factor;
        for (Neighbour& item : items) item.weight *= factor;
        at_ms = now_ms;
    } else if (now_ms < at_ms) {
        weight = halved(at_ms - now_ms);
    }
    events += likes * weight;
    for (const EntityId& other : others) add(other, weight, &items);
}

std::string encode_neighbours(const Neighbours& neighbours) {
    Encoder out;
    out.u8(kNeighboursVersion);
    out.svarint(neighbours.at_ms);
    out.f64(neighbours.events);
    out.varint(neighbours.items.size());
    for (const Neighbour& item : neighbours.items) {
        record::encode_optional_id(item.item, &out);
        out.f64(item.weight);
    }
    return out.take();
}

Result<Neighbours> decode_neighbours(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kNeighboursVersion)
        return Error(ErrorCode::kCorruption, "co-engagement: unknown version");
    Neighbours out;
    out.at_ms = in.svarint();
    out.events = in.f64();
    const std::size_t count = in.count(10);
    if (count > Neighbours::kEach) in.fail();
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        auto id = record::decode_optional_id(&in);
        if (!id) in.fail();
        Neighbour& item = out.items.emplace_back();
        item.item = std::move(id).value_or(EntityId());
        item.weight = in.f64();
        if (!(item.weight >= 0 && std::isfinite(item.weight))) in.fail();
        if (i > 0 && out.items[i - 1].item >= item.item) in.fail();
    }
    if (!(out.events >= 0 && std::isfinite(out.events))) in.fail();
    TIDAL_TRY(in.finish("co-engagement"));
    if (encode_neighbours(out) != bytes)
        return Error(ErrorCode::kCorruption, "co-engagement: not as it is written");
    return out;
}

Result<std::unique_ptr<CoEngagement>> CoEngagement::open(const Options& options,
                                                         storage::ShardStore& store) {
    std::unique_ptr<CoEngagement> out(new CoEngagement(options, store));
    Result<void> outcome;
    TIDAL_TRY(store.scan(kNeighboursPrefix, [&](std::string_view key, std::string_view value) {
        auto slot = read_neighbours_row_key(key);
        auto neighbours =
            slot.ok() ? decode_neighbours(value) : Result<Neighbours>(slot.take_error());
        if (!neighbours.ok()) {
            outcome = neighbours.take_error();
            return false;
        }
        out->pairs_ += neighbours->items.size();
        out->items_[*slot].neighbours = std::move(*neighbours);
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    return out;
}

void CoEngagement::count(Slot slot, std::span<const EntityId> others, double likes,
                         UnixMillis at_ms) {
    if (!others.empty() && stats().bytes >= options_.bytes_max) {
        refused_ += others.size();
        others = {};
    }
    Item& item = items_[slot];
    pairs_ -= item.neighbours.items.size();
    item.neighbours.count(others, likes, at_ms);
    pairs_ += item.neighbours.items.size();
    if (item.unwritten) return;
    item.unwritten = true;
    unwritten_.push_back(slot);
}

void CoEngagement::drop_item(Slot slot) {
    const auto found = items_.find(slot);
    if (found == items_.end()) return;
    pairs_ -= found->second.neighbours.items.size();
    items_.erase(found);
    store_.erase(neighbours_row_key(slot));
}

const Neighbours* CoEngagement::find(Slot slot) const {
    const auto found = items_.find(slot);
    return found == items_.end() ? nullptr : &found->second.neighbours;
}

void CoEngagement::write_rows(std::size_t left) {
    while (unwritten_.size() > left) {
        const Slot slot = unwritten_.front();
        unwritten_.pop_front();
        const auto found = items_.find(slot);
        if (found == items_.end() || !found->second.unwritten) continue;
        store_.put(neighbours_row_key(slot), encode_neighbours(found->second.neighbours));
        found->second.unwritten = false;
    }
}

std::uint64_t CoEngagement::content_hash(Slot slot) const {
    const Neighbours* const found = find(slot);
    return found == nullptr ? 0 : hash64(encode_neighbours(*found));
}

CoEngagement::Stats CoEngagement::stats() const {
    constexpr std::uint64_t kItemBytes = 96, kPairBytes = sizeof(Neighbour);
    return {items_.size(), pairs_, items_.size() * kItemBytes + pairs_ * kPairBytes, refused_};
}

}  // namespace tidal::audience
