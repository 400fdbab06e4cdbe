// http/openapi.h: the OpenAPI 3.1 description of the routes: openapi.json, embedded at build time.
#pragma once

#include <string_view>

namespace tidal::http {

std::string_view openapi_json();

}  // namespace tidal::http
