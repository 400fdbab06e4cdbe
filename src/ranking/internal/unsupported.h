// ranking/internal/unsupported.h: what a profile may say and a query does not do yet.
#pragma once

#include <optional>
#include <string>

#include "ranking/profile.h"

namespace tidal::ranking {

/// Why no request can be answered with this profile; nullopt when one can. A statement that is
/// executed has no line here: nothing of a profile is ever left out silently.
std::optional<std::string> unsupported(const Profile& profile);

}  // namespace tidal::ranking
