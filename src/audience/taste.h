// audience/taste.h: what one user liked and disliked lately, and whose items.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0035-tastes.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::audience {

/// An item of a ring. Signals on it make one entry together.
struct RingEntry {
    EntityId item;
    UnixMillis at_ms = 0;       ///< Of the newest signal.
    std::uint32_t signals = 1;  ///< That hold it; without them it goes.
    HybridTime first;           ///< Stamp of the first of them: older ones are not among them.
    bool operator==(const RingEntry&) const = default;
};

/// Decayed weight of a user's signals on a creator's items: what was liked less what was not.
struct Affinity {
    EntityId creator;
    double weight = 0;  ///< At `at_ms`.
    UnixMillis at_ms = 0;
    bool operator==(const Affinity&) const = default;
};

/// One signal, or one that is taken back.
struct TasteEvent {
    EntityId item;
    std::optional<EntityId> creator;
    bool positive = true;  ///< By the polarity of its type; neutral ones are no events.
    double weight = 1;     ///< Of the signal; negative of one taken back.
    bool taken_back = false;
    UnixMillis at_ms = 0;
    HybridTime stamp;  ///< Of the signal.
};

/// Every change is a function of the value and its arguments. Threads: none of its own.
struct Taste {
    static constexpr std::size_t kPositivesMax = 64, kNegativesMax = 32;
    static constexpr std::size_t kCreatorsMax = 256;
    static constexpr UnixMillis kAffinityHalfLifeMs = 30LL * 24 * 3'600'000;

    HybridTime erased;  ///< Of the user: signals up to then are forgotten, and stay so.
    std::vector<RingEntry> positives, negatives;  ///< The newest first, by (at, item).
    std::vector<Affinity> creators;               ///< By id.

    /// @return  Whether a positive item is new to its ring.
    bool apply(const TasteEvent& event);
    /// The positive items right before one, the newest first; none where the ring has not got it.
    std::vector<EntityId> liked_before(const EntityId& item, std::size_t most) const;
    /// At a moment; 0 = nothing is known.
    double affinity(const EntityId& creator, UnixMillis now_ms) const;
    bool operator==(const Taste&) const = default;
};

std::string encode_taste(const Taste& taste);
/// Taste::erased of encode_taste()'s bytes. kCorruption.
Result<HybridTime> decode_erased(std::string_view bytes);
/// kCorruption for what encode_taste() does not write.
Result<Taste> decode_taste(std::string_view bytes);

}  // namespace tidal::audience
