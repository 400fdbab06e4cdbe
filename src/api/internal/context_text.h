// api/internal/context_text.h: what the context of an impression says, of those that are JSON.
#pragma once

#include <optional>
#include <string_view>

namespace tidal::api {

/// The text that is a member of a JSON object, with its escapes as they stand. nullopt where the
/// context has none, is no object, or is not written as contexts are kept, without blanks.
std::optional<std::string_view> context_text(std::string_view context, std::string_view member);

}  // namespace tidal::api
