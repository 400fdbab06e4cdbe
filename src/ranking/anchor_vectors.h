// ranking/anchor_vectors.h: what the similarities of one request are measured from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "ranking/candidate_source.h"
#include "vector/probe.h"

namespace tidal::ranking {

/// By embedding slot. `ann(slot, item)` names the anchor it wants; `similarity(slot)` takes the
/// first there is of: the request's vector, the vector of its item, what its user prefers.
/// Threads: immutable once a query runs.
class AnchorVectors {
public:
    /// @param probe  Made for that slot (vector::make_probe). What a user prefers goes in here as
    ///               Anchor::kUser.
    void set(EmbeddingSlotId slot, Anchor anchor, vector::Probe probe) {
        probes_.insert_or_assign(std::pair(slot, anchor), std::move(probe));
    }
    /// nullptr = the request gives none, or its item has no vector there.
    const vector::Probe* find(EmbeddingSlotId slot, std::optional<Anchor> anchor) const {
        if (anchor) {
            const auto found = probes_.find(std::pair(slot, *anchor));
            return found == probes_.end() ? nullptr : &found->second;
        }
        for (const Anchor each : {Anchor::kVector, Anchor::kItem, Anchor::kUser})
            if (const auto* probe = find(slot, each)) return probe;
        return nullptr;
    }

    /// So many of a user's newest negative items count.
    static constexpr std::uint32_t kDislikedMax = 20;
    /// @param probe  Of one item that the user disliked; kDislikedMax at most.
    void add_disliked(EmbeddingSlotId slot, vector::Probe probe) {
        disliked_[slot].push_back(std::move(probe));
    }
    std::span<const vector::Probe> disliked(EmbeddingSlotId slot) const {
        const auto found = disliked_.find(slot);
        return found == disliked_.end() ? std::span<const vector::Probe>() : found->second;
    }

private:
    std::map<std::pair<EmbeddingSlotId, Anchor>, vector::Probe> probes_;
    std::map<EmbeddingSlotId, std::vector<vector::Probe>> disliked_;
};

}  // namespace tidal::ranking
