// What signals will read, asked for together: a core waits for one place in memory as long as for
// ten, and most of what a signal touches is far from everything else.
#include <array>

#include "shard/state.h"

namespace tidal::shard {
namespace {

struct Ahead {
    const record::SignalBody* signal = nullptr;
    std::size_t at = 0;  ///< Of its record.
    std::optional<Slot> slot;
    const EntityId* creator = nullptr;
    std::span<const audience::StateId> states;  ///< That its user gets.
    bool is_taste = false, is_positive = false, has_cohorts = false;
    bool has_unique = false;  ///< Its user counts in the cohorts, once.
    const audience::Taste* taste = nullptr;
    const audience::UserStates::User* user = nullptr;
    audience::UserStates::Met met;  ///< Of the first state: most signals set one.
};

}  // namespace

/// Each step reads what the one before asked for, and changes nothing.
void ShardState::prefetch(std::span<const record::Record> records, Met* met) const {
    if (schema_ == nullptr) return;
    std::array<Ahead, kPrefetched> all;
    std::size_t count = 0;
    const entity::EntityTable& items = *entities_[static_cast<std::size_t>(EntityKind::kItem)];
    const entity::EntityTable& creators =
        *entities_[static_cast<std::size_t>(EntityKind::kCreator)];
    for (std::size_t at = 0; at < records.size(); ++at) {
        met[at] = {};
        const auto* signal = std::get_if<record::SignalBody>(&records[at].body);
        if (signal == nullptr || signal->signal.value() >= schema_->signals.size()) continue;
        const schema::SignalSpec& spec = schema_->signals[signal->signal.value()];
        if (spec.target != EntityKind::kItem) continue;
        Ahead& ahead = all[count++];
        ahead.signal = signal;
        ahead.at = at;
        ahead.has_cohorts = !records[at].envelope.cohorts.empty();
        items.prefetch_id(signal->item);
        if (!signal->user) continue;
        ahead.has_unique = ahead.has_cohorts && spec.unique.has_value();
        ahead.states = user_states_->names().of(signal->signal);
        ahead.is_taste = spec.polarity != schema::Polarity::kNeutral;
        ahead.is_positive = spec.polarity == schema::Polarity::kPositive;
        if (!ahead.states.empty()) user_states_->prefetch_user(*signal->user);
        if (ahead.is_taste) tastes_->prefetch_place(*signal->user);
    }
    const auto signals = std::span(all).first(count);
    for (Ahead& ahead : signals) {
        ahead.slot = met[ahead.at].slot = items.prefetch_slot(ahead.signal->item);
        if (ahead.is_taste) ahead.taste = tastes_->prefetch_taste(*ahead.signal->user);
        if (!ahead.states.empty()) ahead.user = user_states_->prefetch_states(*ahead.signal->user);
        if (!ahead.slot) continue;
        if (ahead.has_cohorts) cohorts_->prefetch_place(*ahead.slot);
        if (ahead.has_unique) cohort_uniques_->prefetch_place(*ahead.slot);
        if (!ahead.states.empty()) user_states_->prefetch_item(*ahead.slot);
    }
    for (Ahead& ahead : signals) {
        audience::Tastes::prefetch_lists(ahead.taste, ahead.is_positive);
        if (!ahead.states.empty())
            ahead.met = user_states_->prefetch_keys(ahead.user, ahead.states.front());
        if (!ahead.slot) continue;
        if (ahead.has_cohorts) cohorts_->prefetch_cells(*ahead.slot);
        if (ahead.has_unique) cohort_uniques_->prefetch_pairs(*ahead.slot);
        ahead.creator =
            ahead.signal->creator ? &*ahead.signal->creator : items.prefetch_creator(*ahead.slot);
    }
    for (Ahead& ahead : signals) {
        if (ahead.creator != nullptr) creators.prefetch_id(*ahead.creator);
        if (ahead.slot) user_states_->prefetch_container(*ahead.slot, &ahead.met);
    }
    for (const Ahead& ahead : signals)
        if (ahead.slot) user_states_->prefetch_slots(*ahead.slot, ahead.met);
}

}  // namespace tidal::shard
