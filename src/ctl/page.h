// ctl/page.h: a ranked page for people.
#pragma once

#include <string>

#include "base/result.h"

namespace tidal::ctl {

/// A reply of /feed, /query or a saved search: the JSON as it came, or tables.
Result<void> print_page(const std::string& reply, bool as_json);

}  // namespace tidal::ctl
