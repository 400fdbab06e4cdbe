#include "audience/taste.h"

#include <cmath>

#include "base/codec.h"
#include "record/id_codec.h"

namespace tidal::audience {
namespace {

constexpr std::uint8_t kTasteVersion = 1;

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

Taste::Taste(const TasteParts& parts)
    : erased_(parts.erased),
      positives_(kPositivesMax, parts.positives),
      negatives_(kNegativesMax, parts.negatives),
      creators_(parts.creators) {}

TasteParts Taste::parts() const {
    return {erased_, positives_.entries(), negatives_.entries(), creators_.by_id()};
}

bool Taste::apply(const TasteEvent& event) {
    if (event.stamp <= erased_) return false;
    TasteRing& ring = event.positive ? positives_ : negatives_;
    const bool held = !event.taken_back || ring.take_back(event.item, event.stamp);
    const double weight = event.positive ? event.weight : -event.weight;
    if (event.creator && held) creators_.add(*event.creator, weight, event.at_ms);
    if (event.creator && !held) creators_.take_back(*event.creator, weight, event.at_ms);
    if (event.taken_back) return false;
    return ring.note(event.item, event.at_ms, event.stamp) && event.positive;
}

TasteHour Taste::newest_hour() const {
    const auto hour = [](std::optional<UnixMillis> at_ms) {
        return at_ms ? hour_of_taste(*at_ms) : TasteHour{0};
    };
    return std::max(hour(positives_.newest_ms()), hour(negatives_.newest_ms()));
}

void Taste::erase(HybridTime stamp) {
    erased_ = stamp;
    positives_.clear();
    negatives_.clear();
    creators_.clear();
}

std::string encode_taste(const Taste& taste) {
    Encoder out;
    out.u8(kTasteVersion);
    out.u64(taste.erased_.bits());
    taste.positives_.encode(&out);
    taste.negatives_.encode(&out);
    taste.creators_.encode(&out);
    return out.take();
}

Result<Taste> decode_taste(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kTasteVersion) return Error(ErrorCode::kCorruption, "taste: unknown version");
    TasteParts parts;
    parts.erased = HybridTime::from_bits(in.u64());
    decode_ring(Taste::kPositivesMax, &in, &parts.positives);
    decode_ring(Taste::kNegativesMax, &in, &parts.negatives);
    const std::size_t creators = in.count(11);
    if (creators > Taste::kCreatorsMax) in.fail();
    for (std::size_t i = 0; i < creators && !in.failed(); ++i) {
        Affinity& affinity = parts.creators.emplace_back();
        affinity.creator = decode_id(&in);
        affinity.weight = in.f64();
        affinity.at_ms = in.svarint();
        if (!std::isfinite(affinity.weight)) in.fail();
        if (i > 0 && parts.creators[i - 1].creator >= affinity.creator) in.fail();
    }
    TIDAL_TRY(in.finish("taste"));
    Taste taste(parts);
    if (encode_taste(taste) != bytes)
        return Error(ErrorCode::kCorruption, "taste: not as it is written");
    return taste;
}

}  // namespace tidal::audience
