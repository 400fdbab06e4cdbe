// http/json_text.h: a JSON value as text, numbers as people write them.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/ids.h"

namespace tidal::http {

/// JavaScript holds integers exactly up to here; larger ids go out as strings.
inline constexpr std::uint64_t kExactIdMax = std::uint64_t{1} << 53;

/// Shortest form that reads back the same: 12.5, 40.0, 1e-09. Not finite becomes null.
std::string json_text(const boost::json::value& value);
/// A number, or a string where JavaScript would lose digits.
boost::json::value id_value(const EntityId& id);
void append_json_number(double number, std::string* out);
inline constexpr std::size_t kJsonNumberBytesMax = 32;
/// The same to where `to` points; as many bytes have room there.
/// @return  Behind the last of them.
char* write_json_number(double number, char* to);

}  // namespace tidal::http
