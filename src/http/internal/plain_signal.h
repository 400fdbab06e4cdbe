// http/internal/plain_signal.h: signals as nearly all of them are sent, read without a tree.
#pragma once

#include <string_view>

#include "api/types.h"

namespace tidal::http {

/// Reads one flat object of a signal's members, each once, whose values are texts of ASCII without
/// escapes or whole numbers without a sign: letter by letter, in a third of the time that the
/// parser of all JSON takes for such a short text (decision 82).
/// @return false: not one of those, right or wrong; the other parser tells. `out` is anything then.
bool read_plain_signal(std::string_view json, api::Write* out);

}  // namespace tidal::http
