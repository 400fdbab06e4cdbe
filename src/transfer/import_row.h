// transfer/import_row.h: what an import writes, names already resolved against the schema.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <optional>
#include <variant>

#include "base/hlc.h"
#include "record/record.h"

namespace tidal::transfer {

struct SignalRow {
    record::SignalBody body;
    std::optional<UnixMillis> at_ms;  ///< nullopt = when it is committed.
};

using ImportRow = std::variant<record::UpsertBody, SignalRow, record::EmbeddingBody>;

/// Moves every time that is given (a signal's `at`; created, publish and expiry times) by
/// `delta_ms`: `time_shift=end:now` moves the newest signal to now. Fields are left alone.
void shift_times(ImportRow* row, std::int64_t delta_ms);

/// When each item was first signalled, from one reading of the signals ahead of the items.
/// Memory: some 80 bytes an item. Not thread-safe.
class FirstSignals {
public:
    void note(const ImportRow& row);
    void note(const EntityId& item, UnixMillis at_ms);

    /// The item's first signal; for an item without one, 1 ms before the oldest of all, so that it
    /// sorts as the oldest. nullopt when there are no signals at all.
    std::optional<UnixMillis> created_at(const EntityId& item) const;
    std::optional<UnixMillis> oldest() const { return oldest_; }
    std::optional<UnixMillis> newest() const { return newest_; }

private:
    absl::flat_hash_map<EntityId, UnixMillis> first_;
    std::optional<UnixMillis> oldest_, newest_;
};

}  // namespace tidal::transfer
