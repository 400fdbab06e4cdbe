// tests/history/main/proxy_command.h: `tidal-history proxy`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::history {

struct ProxyCommandOptions {
    /// "LISTEN:TARGET:PIDFILE" for node 1, 2, …: ports on 127.0.0.1, and a file with the number of
    /// the node's process, which may change.
    std::vector<std::string> nodes;
    std::uint16_t control_port = 0;  ///< HTTP on 127.0.0.1; 0 takes a free one.
};

/// Prints "proxy on 127.0.0.1:PORT" and serves until SIGINT or SIGTERM. `POST /links` with commands
/// of links.h as the body; `GET /links` has those in force, `GET /stats` counters.
Result<void> run_proxy(const ProxyCommandOptions& options);

}  // namespace tidal::history
