// audience/taste.h: what one user liked and disliked lately, and whose items.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0035-tastes.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audience/internal/affinities.h"
#include "audience/internal/taste_ring.h"
#include "base/result.h"

namespace tidal::audience {

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

/// Hours since 1970, from 1 on; 0 = none.
using TasteHour = std::uint32_t;
constexpr TasteHour hour_of_taste(UnixMillis at_ms) {
    constexpr UnixMillis kHourMs = 3'600'000;
    return at_ms < 0
               ? 1
               : static_cast<TasteHour>(std::min(at_ms / kHourMs + 1, UnixMillis{UINT32_MAX}));
}

/// What a taste says, for readers and rows.
struct TasteParts {
    HybridTime erased;  ///< Of the user: signals up to then are forgotten, and stay so.
    std::vector<RingEntry> positives, negatives;  ///< The newest first, by (at, item).
    std::vector<Affinity> creators;               ///< By id.
    bool operator==(const TasteParts&) const = default;
};

/// As it lies in memory. Every change is a function of the value and its arguments. Threads: none
/// of its own.
class Taste {
public:
    static constexpr std::size_t kPositivesMax = 64, kNegativesMax = 32;
    static constexpr std::size_t kCreatorsMax = Affinities::kMax;
    static constexpr UnixMillis kAffinityHalfLifeMs = Affinity::kHalfLifeMs;

    Taste() = default;
    explicit Taste(const TasteParts& parts);
    TasteParts parts() const;

    /// @return  Whether a positive item is new to its ring.
    bool apply(const TasteEvent& event);
    /// Forgets everything up to a stamp, also what arrives later.
    void erase(HybridTime stamp);
    HybridTime erased() const { return erased_; }
    /// Of the newest signal on what the rings have.
    TasteHour newest_hour() const;
    /// The positive items right before one, the newest first; none where the ring has not got it.
    std::vector<EntityId> liked_before(const EntityId& item, std::size_t most) const {
        return positives_.before(item, most);
    }
    /// At a moment; 0 = nothing is known.
    double affinity(const EntityId& creator, UnixMillis now_ms) const {
        return creators_.weight(creator, now_ms);
    }
    /// A function of what it says alone.
    std::uint64_t bytes() const {
        return sizeof(Taste) + positives_.bytes() + negatives_.bytes() + creators_.bytes();
    }
    TIDAL_PREFETCHES void prefetch(bool positive) const {
        (positive ? positives_ : negatives_).prefetch();
        creators_.prefetch();
    }

private:
    friend std::string encode_taste(const Taste& taste);
    HybridTime erased_;
    TasteRing positives_{kPositivesMax}, negatives_{kNegativesMax};
    Affinities creators_;
};

std::string encode_taste(const Taste& taste);
/// kCorruption for what encode_taste() does not write.
Result<Taste> decode_taste(std::string_view bytes);

}  // namespace tidal::audience
