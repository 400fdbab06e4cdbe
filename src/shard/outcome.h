// shard/outcome.h: what apply says about one record.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/codec.h"
#include "base/error.h"
#include "base/hlc.h"
#include "base/ids.h"

namespace tidal::shard {

/// A row that left `source` for a vshard of another shard: a reader who wants to see its effect
/// waits until the target's mark of this stream reaches `sequence`.
struct StreamPosition {
    ShardId source;
    Incarnation source_incarnation;
    VShard target;
    std::uint64_t sequence = 0;

    /// For a write answered before it was applied, whose rows are not known yet: sequence 0 stands
    /// for whatever rows the source has under way once the write is applied.
    static StreamPosition all_of(ShardId source, Incarnation incarnation) {
        return {source, incarnation, VShard(0), 0};
    }
    bool is_all() const { return sequence == 0; }
};

/// What a shard says of items that are about to be shown under a daily cap.
struct Delivered {
    std::uint32_t granted = 0;  ///< Of the page that asks.
    std::uint32_t today = 0;    ///< All, with these, of the profile and the UTC day.
    std::uint64_t bits() const { return std::uint64_t{today} << 32 | granted; }
    static Delivered from_bits(std::uint64_t bits) {
        return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
    }
};

/// A pure function of the state and the record: every replica computes the same one.
struct Outcome {
    /// Why the record changed nothing; null when it was accepted.
    std::shared_ptr<const Error> refused;
    /// The idempotency key was seen before; everything else is the first answer.
    bool repeated = false;
    bool created = false;  ///< An upsert made the entity.
    LogIndex index;        ///< Of the record that took effect.
    HybridTime version;    ///< Of the entity after an upsert; else the record's stamp.
    std::vector<StreamPosition> relayed;
    /// Relay: the stream's mark afterwards. Dropping a collection: how many items are left in it
    /// here. Delivery: Delivered::bits().
    std::uint64_t mark = 0;

    // Of the answer, not of the state.
    /// Answered before it was applied: may be lost, or be refused after all.
    bool promised = false;
    /// Voters of a replicated shard that have it durably, at least; 0 = alone, or not known.
    std::uint32_t replicas = 0;

    bool ok() const { return refused == nullptr; }
    static Outcome refuse(Error error) {
        Outcome outcome;
        outcome.refused = std::make_shared<const Error>(std::move(error));
        return outcome;
    }
};

/// Accepted outcomes only: refusals are not remembered under an idempotency key, so that a client
/// may mend the cause and retry with the same key.
void encode_outcome(const Outcome& outcome, Encoder* out);
Outcome decode_outcome(Decoder* in);

}  // namespace tidal::shard
