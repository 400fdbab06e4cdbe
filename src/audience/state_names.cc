#include "audience/state_names.h"

#include <algorithm>

namespace tidal::audience {

StateNames::StateNames(const schema::Schema& schema) : names_{"hidden", "saved"} {
    by_signal_.resize(schema.signals.size());
    for (const schema::SignalSpec& signal : schema.signals) {
        if (signal.target != EntityKind::kItem) continue;
        for (const std::string& name : signal.sets_state) {
            auto state = find(name);
            if (!state) {
                state = StateId(static_cast<std::uint16_t>(names_.size()));
                names_.push_back(name);
            }
            by_signal_[signal.id.value()].push_back(*state);
        }
    }
}

std::optional<StateId> StateNames::find(std::string_view name) const {
    const auto found = std::ranges::find(names_, name);
    if (found == names_.end()) return std::nullopt;
    return StateId(static_cast<std::uint16_t>(found - names_.begin()));
}

}  // namespace tidal::audience
