#include "shard/outcome.h"

#include <cassert>

namespace tidal::shard {

void encode_outcome(const Outcome& outcome, Encoder* out) {
    assert(outcome.ok());
    out->u8(outcome.created ? 1 : 0);
    out->varint(outcome.index.value());
    out->u64(outcome.version.bits());
    out->varint(outcome.relayed.size());
    for (const StreamPosition& position : outcome.relayed) {
        out->varint(position.source.value());
        out->varint(position.source_incarnation.value());
        out->varint(position.target.value());
        out->varint(position.sequence);
    }
}

Outcome decode_outcome(Decoder* in) {
    Outcome outcome;
    outcome.created = in->u8() != 0;
    outcome.index = LogIndex(in->varint());
    outcome.version = HybridTime::from_bits(in->u64());
    const std::size_t count = in->count(4);
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        StreamPosition position;
        position.source = ShardId(static_cast<std::uint16_t>(in->varint()));
        position.source_incarnation = Incarnation(static_cast<std::uint32_t>(in->varint()));
        position.target = VShard(static_cast<std::uint16_t>(in->varint()));
        position.sequence = in->varint();
        outcome.relayed.push_back(position);
    }
    return outcome;
}

}  // namespace tidal::shard
