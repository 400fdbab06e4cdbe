#include "transfer/import_row.h"

#include <algorithm>

namespace tidal::transfer {
namespace {

void shift(record::Change<UnixMillis>* time, std::int64_t delta_ms) {
    if (*time && **time) ***time += delta_ms;
}

}  // namespace

void shift_times(ImportRow* row, std::int64_t delta_ms) {
    if (auto* signal = std::get_if<SignalRow>(row)) {
        if (signal->at_ms) *signal->at_ms += delta_ms;
        return;
    }
    auto* const upsert = std::get_if<record::UpsertBody>(row);
    if (upsert == nullptr) return;
    shift(&upsert->created_at, delta_ms);
    shift(&upsert->publish_at, delta_ms);
    shift(&upsert->expires_at, delta_ms);
}

void FirstSignals::note(const ImportRow& row) {
    const auto* signal = std::get_if<SignalRow>(&row);
    if (signal != nullptr && signal->at_ms) note(signal->body.item, *signal->at_ms);
}

void FirstSignals::note(const EntityId& item, UnixMillis at_ms) {
    const auto [at, fresh] = first_.try_emplace(item, at_ms);
    if (!fresh) at->second = std::min(at->second, at_ms);
    oldest_ = std::min(oldest_.value_or(at_ms), at_ms);
    newest_ = std::max(newest_.value_or(at_ms), at_ms);
}

std::optional<UnixMillis> FirstSignals::created_at(const EntityId& item) const {
    if (const auto at = first_.find(item); at != first_.end()) return at->second;
    if (!oldest_) return std::nullopt;
    return *oldest_ - 1;
}

}  // namespace tidal::transfer
