// http/session_json.h: sessions and their policies as JSON.
#pragma once

#include <string>
#include <vector>

#include "api/session_policy.h"
#include "api/types.h"

namespace tidal::http {

std::string session_json(const api::SessionReply& session);
/// With `status`, `token`, and `repeated` where it is.
std::string written_session_json(const api::SessionReply& session);
std::string sessions_json(const std::vector<api::SessionReply>& sessions);
std::string policies_json(const std::vector<api::StoredPolicy>& policies);
std::string policy_json(const api::StoredPolicy& policy);  ///< With its text.

}  // namespace tidal::http
