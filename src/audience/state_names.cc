#include "audience/state_names.h"

#include <algorithm>

namespace tidal::audience {

StateNames::StateNames(const schema::Schema& schema)
    : names_{std::string(kHiddenName), std::string(kSavedName)} {
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

std::vector<StateId> StateNames::of_engagement(const schema::Schema& schema,
                                               std::optional<SignalTypeId> signal) const {
    const auto counts = [&](std::size_t at) {
        return signal ? SignalTypeId(static_cast<std::uint16_t>(at)) == *signal
                      : schema.signals[at].polarity != schema::Polarity::kNegative;
    };
    std::vector<StateId> out;
    for (std::uint16_t id = 0; id < size(); ++id) {
        bool wanted = false, others = false;
        for (std::size_t at = 0; at < by_signal_.size(); ++at) {
            if (std::ranges::find(by_signal_[at], StateId(id)) == by_signal_[at].end()) continue;
            (counts(at) ? wanted : others) = true;
        }
        if (wanted && !others) out.emplace_back(id);
    }
    return out;
}

std::string StateNames::lacks_for_engagement(const schema::Schema& schema,
                                             std::optional<SignalTypeId> signal) const {
    if (!signal) return "the schema has no signal with a state that only such signals set";
    const std::string& name = schema.signals[signal->value()].name;
    const std::string add = "; declare it with one of its own in a new schema, `" + name +
                            ": {..., sets: [gave_" + name +
                            "]}`: a signal that is stored does not change";
    if (of(*signal).empty()) return "`" + name + "` sets no state" + add;
    std::string others;
    for (std::size_t at = 0; at < by_signal_.size(); ++at) {
        const auto shares = [&](StateId state) {
            return std::ranges::find(by_signal_[at], state) != by_signal_[at].end();
        };
        if (at == signal->value() || std::ranges::none_of(of(*signal), shares)) continue;
        others += (others.empty() ? "`" : ", `") + schema.signals[at].name + "`";
    }
    return "each state that `" + name + "` sets is set by " + others + " too" + add;
}

}  // namespace tidal::audience
