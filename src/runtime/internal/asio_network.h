// runtime/internal/asio_network.h: Network over TCP.
#pragma once

#include <memory>

#include "runtime/network.h"

namespace tidal::runtime::internal {

/// Each endpoint has one thread for its sockets; none before the first listen().
std::unique_ptr<Network> make_asio_network();

}  // namespace tidal::runtime::internal
