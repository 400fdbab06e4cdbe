// audience/internal/affinities.h: whose items a user likes, and how much.
#pragma once

#include <cstdint>
#include <vector>

#include "audience/internal/id_list.h"
#include "base/codec.h"
#include "base/hlc.h"
#include "base/ids.h"

namespace tidal::audience {

/// Decayed weight of a user's signals on a creator's items: what was liked less what was not.
struct Affinity {
    static constexpr UnixMillis kHalfLifeMs = 30LL * 24 * 3'600'000;

    EntityId creator;
    double weight = 0;  ///< At `at_ms`.
    UnixMillis at_ms = 0;

    /// What it is later; earlier it is what it was.
    double weight_at(UnixMillis now_ms) const;
    bool operator==(const Affinity&) const = default;
};

/// Those of one user, in no order.
class Affinities {
public:
    static constexpr std::size_t kMax = 256;  ///< Beyond them the one that weighs least goes.

    Affinities() = default;
    explicit Affinities(const std::vector<Affinity>& each);
    /// By id.
    std::vector<Affinity> by_id() const;

    void add(const EntityId& creator, double weight, UnixMillis at_ms);
    /// Takes back what may not be in it, such as a signal of before others took the user's place:
    /// nearer to zero, never past it.
    void take_back(const EntityId& creator, double weight, UnixMillis at_ms);
    void clear();
    /// At a moment, as Affinity::weight_at(); 0 = nothing is known.
    double weight(const EntityId& creator, UnixMillis now_ms) const;

    void encode(Encoder* out) const;
    std::uint64_t bytes() const { return creators_.bytes(); }
    TIDAL_PREFETCHES void prefetch() const { creators_.prefetch(creators_.size()); }

private:
    struct Weight {
        double weight = 0;
        UnixMillis at_ms = 0;
    };
    void drop_lightest(UnixMillis at_ms);

    IdList<Weight> creators_;
};

}  // namespace tidal::audience
