// runtime/internal/sim_node_network.h: the Network one simulated node sees.
#pragma once

#include <memory>

#include "runtime/internal/sim_executor.h"
#include "runtime/network.h"

namespace tidal::runtime {

class SimNetwork;

class SimNodeNetwork final : public Network {
public:
    /// Borrows both; the node owns this.
    SimNodeNetwork(SimNetwork& network, internal::SimNodeState& node)
        : network_(network), node_(node) {}
    Result<std::unique_ptr<Endpoint>> listen(const EndpointOptions& options, Executor& executor,
                                             OnMessage on_message) override;

private:
    SimNetwork& network_;
    internal::SimNodeState& node_;
};

}  // namespace tidal::runtime
