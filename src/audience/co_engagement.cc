#include "audience/co_engagement.h"

#include <cmath>

#include "base/codec.h"
#include "base/hash.h"
#include "record/id_codec.h"

namespace tidal::audience {
namespace {

constexpr std::string_view kNeighboursPrefix = "a/c/";

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

}  // namespace

std::string encode_neighbours(const Neighbours& neighbours) {
    return NeighbourList(neighbours).encode();
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
        Item& item = out->items_[*slot];
        item.is_there = true;
        item.neighbours = NeighbourList(*neighbours);
        out->tally(item, 1);
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    return out;
}

CoEngagement::Item* CoEngagement::find_item(Slot slot) {
    Item* const item = items_.find(slot);
    return item == nullptr || !item->is_there ? nullptr : item;
}

void CoEngagement::tally(const Item& item, int sign) {
    const auto by = static_cast<std::uint64_t>(sign);
    item_count_ += by;
    pairs_ += by * item.neighbours.size();
    list_bytes_ += by * (kItemBytes + item.neighbours.bytes());
}

void CoEngagement::count(Slot slot, std::span<const EntityId> others, double likes,
                         UnixMillis at_ms) {
    if (!others.empty() && stats().bytes >= options_.bytes_max) {
        refused_ += others.size();
        others = {};
    }
    Item& item = items_[slot];
    if (backlog_.touch(slot, &item.mark)) write(slot, item);
    if (item.is_there) tally(item, -1);
    item.is_there = true;
    item.neighbours.count(others, likes, at_ms);
    tally(item, 1);
}

void CoEngagement::drop_item(Slot slot) {
    Item* const item = find_item(slot);
    if (item == nullptr) return;
    if (backlog_.is_frozen(item->mark)) write(slot, *item);
    tally(*item, -1);
    *item = Item();
    store_.erase(neighbours_row_key(slot));
}

const NeighbourList* CoEngagement::find(Slot slot) const {
    const Item* const item = items_.find(slot);
    return item == nullptr || !item->is_there ? nullptr : &item->neighbours;
}

std::size_t CoEngagement::write(Slot slot, const Item& item) {
    const std::string row = item.neighbours.encode();
    store_.put_frozen(neighbours_row_key(slot), row);
    return row.size();
}

bool CoEngagement::write_frozen_rows(std::size_t cost_max) {
    return backlog_.write_frozen(cost_max, [&](Slot slot) -> std::size_t {
        Item* const item = find_item(slot);
        return item != nullptr && backlog_.settle(&item->mark) ? write(slot, *item) : 0;
    });
}

std::uint64_t CoEngagement::content_hash(Slot slot) const {
    const NeighbourList* const found = find(slot);
    return found == nullptr ? 0 : hash64(found->encode());
}

CoEngagement::Stats CoEngagement::stats() const {
    constexpr std::uint64_t kPlaceBytes = 32;
    return {item_count_, pairs_, list_bytes_ + item_count_ * kPlaceBytes, refused_};
}

}  // namespace tidal::audience
