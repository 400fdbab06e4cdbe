// http/access.h: who may do what, by route. docs/reference/http.md#keys.
#pragma once

#include <optional>
#include <string_view>

#include "api/api_keys.h"
#include "http/message.h"

namespace tidal::http {

/// What a route asks of who calls it. `pattern` as in the routing table.
Access access_for(Method method, std::string_view pattern);

Access access_of(api::KeyRole role);

/// @return kUnauthenticated (no key, and from afar) or kForbidden when the request may do less.
Result<void> check_access(const Request& request, Access needed);

/// Whether it is answered to everyone, with or without keys: what load balancers ask.
bool is_open_to_all(const Request& request);

/// The key of `Authorization: Bearer KEY`; nullopt when there is no such header. kUnauthenticated
/// for another scheme.
Result<std::optional<std::string_view>> bearer_key(const Request& request);

}  // namespace tidal::http
