#include "query/pins.h"

#include <string>

namespace tidal::query {
namespace {

Error too_many(std::string_view field) {
    return Error(ErrorCode::kTooLarge, "too many ids")
        .with_field(std::string(field))
        .with_hint("at most " + std::to_string(kPinnedMax));
}

}  // namespace

Result<Pins> Pins::make(std::span<const EntityId> pin, std::span<const EntityId> bury) {
    constexpr double kStep = 1e303;
    Pins out;
    if (pin.size() > kPinnedMax) return too_many("pin");
    if (bury.size() > kPinnedMax) return too_many("bury");
    const auto twice = [](const EntityId& id, std::string_view field, std::size_t index) {
        return Error(ErrorCode::kInvalidArgument, "the id " + id.to_string() + " is placed twice")
            .with_field(std::string(field))
            .with("index", index)
            .with_hint("an entity has one place: pinned or buried, once");
    };
    for (std::size_t i = 0; i < pin.size(); ++i)
        if (!out.keys_.emplace(pin[i], kStep * static_cast<double>(kPinnedMax + 1 - i)).second)
            return twice(pin[i], "pin", i);
    out.pinned_ = pin.size();
    for (std::size_t i = 0; i < bury.size(); ++i)
        if (!out.keys_.emplace(bury[i], -kStep * static_cast<double>(i + 1)).second)
            return twice(bury[i], "bury", i);
    return out;
}

}  // namespace tidal::query
