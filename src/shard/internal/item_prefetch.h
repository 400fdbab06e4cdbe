// shard/internal/item_prefetch.h: asks the memory for what stamping signals reads.
#pragma once

#include <algorithm>
#include <span>

#include "shard/state.h"

namespace tidal::shard {

/// The items of signals, looked for together: a core waits for one place in memory as long as for
/// ten. Changes nothing. Inside the monitor, right before the records are stamped.
inline void prefetch_items(ShardState& state, std::span<const record::Record> records) {
    if (state.schema() == nullptr) return;
    const auto& signals = state.schema()->signals;
    const auto each_item = [&](auto ask) {
        for (const record::Record& record :
             records.first(std::min<std::size_t>(records.size(), ShardState::kPrefetched))) {
            const auto* signal = std::get_if<record::SignalBody>(&record.body);
            if (signal == nullptr || signal->signal.value() >= signals.size()) continue;
            ask(state.entities(signals[signal->signal.value()].target), signal->item);
        }
    };
    each_item([](const entity::EntityTable& table, const EntityId& id) { table.prefetch_id(id); });
    each_item([](const entity::EntityTable& table, const EntityId& id) {
        (void)table.prefetch_slot(id);
    });
}

}  // namespace tidal::shard
