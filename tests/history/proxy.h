// tests/history/proxy.h: the network between nodes of one machine, to be cut.
//
// Each node advertises the proxy's address instead of its own. Who opens a connection is known by
// the process that holds its other end, so that every pair of nodes has links of its own in each
// direction, whoever opened the connection that both use.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/history/links.h"

namespace tidal::history {

struct ProxyNode {
    std::uint16_t listen_port = 0;  ///< Of the proxy, on 127.0.0.1. 0 takes a free one.
    std::uint16_t other_port = 0;   ///< Another one, for a node that moves. 0 = none.
    std::uint16_t target_port = 0;  ///< Of the node, on 127.0.0.1.
    std::function<pid_t()> pid;     ///< The node's process now; 0 = none.
};

struct ProxyStats {
    std::atomic<std::uint64_t> connections{0};  ///< Ever.
    std::atomic<std::uint64_t> bytes{0};        ///< Carried, both directions.
    std::atomic<std::uint64_t> damaged{0};      ///< Bits flipped.
    /// Connections ended because no node's process holds them.
    std::atomic<std::uint64_t> strangers{0};
};

/// Threads: run() blocks its thread; stop() and stats() any.
class Proxy {
public:
    /// Node i + 1 is nodes[i]. Listens. @param links  Outlives it.
    static Result<std::unique_ptr<Proxy>> listen(std::vector<ProxyNode> nodes, const Links& links);
    virtual ~Proxy() = default;

    virtual std::uint16_t listen_port(std::uint32_t node) const = 0;
    /// Carries bytes until stop(). A change of links is seen within some 10 ms.
    virtual void run() = 0;
    virtual void stop() = 0;
    virtual const ProxyStats& stats() const = 0;
    /// Bytes that node `from` has sent to node `to` and the proxy has read.
    virtual std::uint64_t bytes(std::uint32_t from, std::uint32_t to) const = 0;
};

}  // namespace tidal::history
