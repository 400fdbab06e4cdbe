// ctl/table.h: replies as tables for people.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::ctl {

/// kInternal unless the reply is one JSON object.
Result<boost::json::object> parse_reply(const std::string& reply);

/// A string without its quotes, "-" for null, anything else as JSON.
std::string shown(const boost::json::value& value);

using Row = std::vector<std::string>;
/// Columns as wide as their widest cell; the first row names them.
void print_table(const std::vector<Row>& rows);

}  // namespace tidal::ctl
