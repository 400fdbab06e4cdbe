// ranking/shard_view.h: what a query reads of one shard.
#pragma once

#include <span>

#include "entity/entity_table.h"
#include "schema/schema.h"
#include "signal/cohort_unique_table.h"
#include "signal/ledger_table.h"
#include "signal/unique_table.h"
#include "text/text_index.h"
#include "vector/shard_vectors.h"

namespace tidal::audience {
class CoEngagement;
class CohortLedgers;
class Collections;
class UserStates;
}  // namespace tidal::audience

namespace tidal::ranking {

/// The state of one kind of entity in one shard. Lifetime and threads: borrowed for one query, from
/// inside the shard's monitor. Reading a ledger may fold a cold pair, so the tables are not const.
struct ShardView {
    const schema::Schema& schema;
    EntityKind kind = EntityKind::kItem;
    entity::EntityTable& entities;
    /// One per origin region, by rising region id; what they hold is added in this order.
    std::span<signal::LedgerTable* const> ledgers;
    signal::UniqueTable* uniques = nullptr;         ///< nullptr = no distinct users are kept.
    const text::TextIndex* texts = nullptr;         ///< nullptr = no texts are indexed.
    const vector::ShardVectors* vectors = nullptr;  ///< nullptr = none.
    /// What users did; nullptr = nothing is kept of this kind.
    const audience::UserStates* user_states = nullptr;
    const audience::CoEngagement* co_engagement = nullptr;      ///< nullptr = nothing is kept.
    const audience::CohortLedgers* cohorts = nullptr;           ///< Likewise.
    const audience::Collections* collections = nullptr;         ///< Likewise.
    const signal::CohortUniqueTable* cohort_uniques = nullptr;  ///< Likewise.
};

}  // namespace tidal::ranking
