// http/json_text.h: a JSON value as text, numbers as people write them.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

namespace tidal::http {

/// Shortest form that reads back the same: 12.5, 40.0, 1e-09. Not finite becomes null.
std::string json_text(const boost::json::value& value);

}  // namespace tidal::http
