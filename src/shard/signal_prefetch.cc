// What signals will read, asked for together: a core waits for one place in memory as long as for
// ten, and most of what a signal touches is far from everything else.
#include <array>

#include "shard/state.h"

namespace tidal::shard {
namespace {

struct Ahead {
    const record::SignalBody* signal = nullptr;
    std::optional<Slot> slot;
    std::span<const audience::StateId> states;  ///< That its user gets.
    bool is_taste = false, has_cohorts = false;
};

}  // namespace

/// Each step reads what the one before asked for, and changes nothing.
void ShardState::prefetch(std::span<const record::Record> records) const {
    if (schema_ == nullptr) return;
    std::array<Ahead, kPrefetched> all;
    std::size_t count = 0;
    const entity::EntityTable& items = *entities_[static_cast<std::size_t>(EntityKind::kItem)];
    for (const record::Record& record : records) {
        const auto* signal = std::get_if<record::SignalBody>(&record.body);
        if (signal == nullptr || signal->signal.value() >= schema_->signals.size()) continue;
        const schema::SignalSpec& spec = schema_->signals[signal->signal.value()];
        if (spec.target != EntityKind::kItem) continue;
        Ahead& ahead = all[count++];
        ahead.signal = signal;
        ahead.has_cohorts = !record.envelope.cohorts.empty();
        items.prefetch_id(signal->item);
        if (!signal->user) continue;
        ahead.states = user_states_->names().of(signal->signal);
        ahead.is_taste = spec.polarity != schema::Polarity::kNeutral;
        if (!ahead.states.empty()) user_states_->prefetch_user(*signal->user);
        if (ahead.is_taste) tastes_->prefetch_place(*signal->user);
    }
    const auto signals = std::span(all).first(count);
    bool more = false;
    for (const Ahead& ahead : signals) {
        items.prefetch_slot(ahead.signal->item);
        if (ahead.is_taste) tastes_->prefetch_taste(*ahead.signal->user);
        more |= ahead.has_cohorts || ahead.is_taste || !ahead.states.empty();
    }
    if (!more) return;
    for (Ahead& ahead : signals) {
        ahead.slot = items.find(ahead.signal->item);
        if (ahead.is_taste) tastes_->prefetch_lists(*ahead.signal->user);
        if (!ahead.slot) continue;
        if (ahead.has_cohorts) cohorts_->prefetch_place(*ahead.slot);
        if (!ahead.states.empty()) user_states_->prefetch_states(*ahead.signal->user, *ahead.slot);
    }
    for (const Ahead& ahead : signals) {
        if (!ahead.slot) continue;
        if (ahead.has_cohorts) cohorts_->prefetch_list(*ahead.slot);
        for (const audience::StateId state : ahead.states)
            user_states_->prefetch_containers(*ahead.signal->user, state, *ahead.slot);
    }
    for (const Ahead& ahead : signals) {
        if (!ahead.slot) continue;
        if (ahead.has_cohorts) cohorts_->prefetch_cells(*ahead.slot);
        for (const audience::StateId state : ahead.states)
            user_states_->prefetch_container(*ahead.signal->user, state, *ahead.slot);
    }
}

}  // namespace tidal::shard
