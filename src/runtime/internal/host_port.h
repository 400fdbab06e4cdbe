// runtime/internal/host_port.h: the two halves of an endpoint's address.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::runtime::internal {

struct HostPort {
    std::string host;  ///< Without the brackets of "[::1]:80".
    std::string port;  ///< A number of 0..65535.
};

/// kInvalidArgument when `address` is not host:port.
Result<HostPort> parse_host_port(std::string_view address);

}  // namespace tidal::runtime::internal
