#include "audience/taste.h"

#include <algorithm>
#include <cmath>

#include "base/codec.h"
#include "base/detmath.h"
#include "record/id_codec.h"

namespace tidal::audience {
namespace {

bool is_newer(const RingEntry& a, const RingEntry& b) {
    return a.at_ms != b.at_ms ? a.at_ms > b.at_ms : a.item > b.item;
}

void take_back(const TasteEvent& event, std::vector<RingEntry>* ring) {
    const auto found = std::ranges::find(*ring, event.item, &RingEntry::item);
    if (found == ring->end() || event.stamp < found->first) return;
    if (--found->signals == 0) ring->erase(found);
}

/// @return  Whether the item is new in the ring.
bool note(const TasteEvent& event, std::size_t entries_max, std::vector<RingEntry>* ring) {
    RingEntry entry{event.item, event.at_ms, 1, event.stamp};
    const auto found = std::ranges::find(*ring, event.item, &RingEntry::item);
    const bool is_new = found == ring->end();
    if (!is_new) {
        entry.at_ms = std::max(entry.at_ms, found->at_ms);
        entry.signals = found->signals == UINT32_MAX ? UINT32_MAX : found->signals + 1;
        entry.first = std::min(entry.first, found->first);
        ring->erase(found);
    }
    ring->insert(std::ranges::lower_bound(*ring, entry, is_newer), std::move(entry));
    if (ring->size() <= entries_max) return is_new;
    const bool kept = ring->back().item != event.item;
    ring->pop_back();
    return is_new && kept;
}

double halved(double weight, UnixMillis span_ms) {
    return weight * detmath::exp2(-static_cast<double>(span_ms) /
                                  static_cast<double>(Taste::kAffinityHalfLifeMs));
}

double weight_at(const Affinity& affinity, UnixMillis at_ms) {
    return halved(affinity.weight, at_ms - affinity.at_ms);
}

void add_weight(const EntityId& creator, double weight, UnixMillis at_ms,
                std::vector<Affinity>* creators) {
    auto found = std::ranges::lower_bound(*creators, creator, {}, &Affinity::creator);
    if (found == creators->end() || found->creator != creator)
        found = creators->insert(found, {creator, 0, at_ms});
    if (at_ms >= found->at_ms) {
        found->weight = weight_at(*found, at_ms) + weight;
        found->at_ms = at_ms;
    } else {
        found->weight += halved(weight, found->at_ms - at_ms);
    }
    // A factor of 2^(months apart) may leave what a double holds.
    if (!std::isfinite(found->weight)) found->weight = 0;
    if (creators->size() <= Taste::kCreatorsMax) return;
    const auto magnitude = [&](const Affinity& one) { return std::abs(weight_at(one, at_ms)); };
    creators->erase(std::ranges::min_element(*creators, {}, magnitude));
}

constexpr std::uint8_t kTasteVersion = 1;

void encode_ring(const std::vector<RingEntry>& ring, Encoder* out) {
    out->varint(ring.size());
    for (const RingEntry& entry : ring) {
        record::encode_optional_id(entry.item, out);
        out->svarint(entry.at_ms);
        out->varint(entry.signals);
        out->u64(entry.first.bits());
    }
}

EntityId decode_id(Decoder* in) {
    auto id = record::decode_optional_id(in);
    if (!id) in->fail();
    return std::move(id).value_or(EntityId());
}

void decode_ring(std::size_t entries_max, Decoder* in, std::vector<RingEntry>* ring) {
    const std::size_t count = in->count(12);
    if (count > entries_max) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        RingEntry& entry = ring->emplace_back();
        entry.item = decode_id(in);
        entry.at_ms = in->svarint();
        const std::uint64_t signals = in->varint();
        if (signals == 0 || signals > UINT32_MAX) return in->fail();
        entry.signals = static_cast<std::uint32_t>(signals);
        entry.first = HybridTime::from_bits(in->u64());
        if (i > 0 && !is_newer((*ring)[i - 1], entry)) in->fail();
    }
}

}  // namespace

bool Taste::apply(const TasteEvent& event) {
    if (event.stamp <= erased) return false;
    if (event.creator)
        add_weight(*event.creator, event.positive ? event.weight : -event.weight, event.at_ms,
                   &creators);
    std::vector<RingEntry>& ring = event.positive ? positives : negatives;
    if (event.taken_back) {
        take_back(event, &ring);
        return false;
    }
    return note(event, event.positive ? kPositivesMax : kNegativesMax, &ring) && event.positive;
}

std::vector<EntityId> Taste::liked_before(const EntityId& item, std::size_t most) const {
    std::vector<EntityId> out;
    auto at = std::ranges::find(positives, item, &RingEntry::item);
    if (at == positives.end()) return out;
    while (++at != positives.end() && out.size() < most) out.push_back(at->item);
    return out;
}

double Taste::affinity(const EntityId& creator, UnixMillis now_ms) const {
    const auto found = std::ranges::lower_bound(creators, creator, {}, &Affinity::creator);
    if (found == creators.end() || found->creator != creator) return 0;
    return weight_at(*found, std::max(now_ms, found->at_ms));
}

std::string encode_taste(const Taste& taste) {
    Encoder out;
    out.u8(kTasteVersion);
    out.u64(taste.erased.bits());
    encode_ring(taste.positives, &out);
    encode_ring(taste.negatives, &out);
    out.varint(taste.creators.size());
    for (const Affinity& affinity : taste.creators) {
        record::encode_optional_id(affinity.creator, &out);
        out.f64(affinity.weight);
        out.svarint(affinity.at_ms);
    }
    return out.take();
}

Result<HybridTime> decode_erased(std::string_view bytes) {
    Decoder in(bytes);
    const bool known = in.u8() == kVersion;
    const HybridTime erased = HybridTime::from_bits(in.u64());
    if (known && !in.failed()) return erased;
    return Error(ErrorCode::kCorruption, "taste: unknown version");
}

Result<Taste> decode_taste(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kTasteVersion) return Error(ErrorCode::kCorruption, "taste: unknown version");
    Taste taste;
    taste.erased = HybridTime::from_bits(in.u64());
    decode_ring(Taste::kPositivesMax, &in, &taste.positives);
    decode_ring(Taste::kNegativesMax, &in, &taste.negatives);
    const std::size_t creators = in.count(11);
    if (creators > Taste::kCreatorsMax) in.fail();
    for (std::size_t i = 0; i < creators && !in.failed(); ++i) {
        Affinity& affinity = taste.creators.emplace_back();
        affinity.creator = decode_id(&in);
        affinity.weight = in.f64();
        affinity.at_ms = in.svarint();
        if (!std::isfinite(affinity.weight)) in.fail();
        if (i > 0 && taste.creators[i - 1].creator >= affinity.creator) in.fail();
    }
    TIDAL_TRY(in.finish("taste"));
    if (encode_taste(taste) != bytes)
        return Error(ErrorCode::kCorruption, "taste: not as it is written");
    return taste;
}

}  // namespace tidal::audience
