// cluster/node.h: the part of a node that speaks with others: its transport, its groups, its calls.
#pragma once

#include <memory>
#include <string>

#include "cluster/group_host.h"
#include "cluster/peer_transport.h"
#include "cluster/rpc.h"

namespace tidal::cluster {

/// Wires GroupHost and Rpc to one PeerTransport: packets of groups travel by the channel of their
/// urgency, and what may be lost with a peer is told to both.
///
/// Threads    start() and stop() one; the parts as they say.
/// Lifetime   Borrows runtime and log, which outlive it. stop() before the sinks go.
class Node {
public:
    struct Options {
        PeerTransportOptions peers;
        GroupTiming timing;
        GroupLog::Options log;
        Rpc::Options rpc;
        Logger logger;
    };

    /// @param  states_index  GroupRecovery::Found's.
    Node(runtime::Runtime& runtime, wal::NodeLog& log, Options options, LogIndex states_index);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    GroupHost& groups();
    PeerTransport& peers();
    Rpc& rpc();
    /// Handlers of the transport, calls' answers and timers run there.
    runtime::Executor& executor();

    /// All groups are open, all methods served, peers known so far set. @return as
    /// PeerTransport::start().
    Result<void> start();
    /// Nobody is called afterwards. Idempotent. Not from a callback.
    void stop();

private:
    class GroupTraffics;

    std::unique_ptr<runtime::Executor> executor_;
    std::unique_ptr<PeerTransport> peers_;
    std::unique_ptr<Rpc> rpc_;
    std::unique_ptr<GroupTransport> traffic_;
    std::unique_ptr<GroupHost> groups_;
    bool stopped_ = false;
};

}  // namespace tidal::cluster
