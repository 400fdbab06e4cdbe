// audience/state_names.h: which states of users there are, and which of them a signal sets.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "schema/schema.h"

namespace tidal::audience {

using StateId = Id<struct StateTag, std::uint16_t>;  ///< Dense, never reused.

/// Known without a schema: relationships write them, and the first is a hard negative.
inline constexpr StateId kHidden{0}, kSaved{1};
inline constexpr std::string_view kHiddenName = "hidden", kSavedName = "saved";

/// "hidden", "saved", then what the schema's signals on items set, in the order of the signals and
/// of their lists. A schema is only added to, so a number keeps its meaning. Immutable.
class StateNames {
public:
    explicit StateNames(const schema::Schema& schema);

    std::optional<StateId> find(std::string_view name) const;
    std::string_view name(StateId state) const { return names_[state.value()]; }
    std::size_t size() const { return names_.size(); }
    /// What a signal sets; empty for one that is not on items.
    std::span<const StateId> of(SignalTypeId signal) const {
        if (signal.value() >= by_signal_.size()) return {};
        return by_signal_[signal.value()];
    }

    /// The states that tell who gave `signal`: those that it sets and no other. Without a signal,
    /// who gave any but those that speak against an item: states that such signals do not set.
    std::vector<StateId> of_engagement(const schema::Schema& schema,
                                       std::optional<SignalTypeId> signal) const;
    /// Where no state tells: what the schema lacks.
    std::string lacks_for_engagement(const schema::Schema& schema,
                                     std::optional<SignalTypeId> signal) const;

private:
    std::vector<std::string> names_;
    std::vector<std::vector<StateId>> by_signal_;
};

}  // namespace tidal::audience
