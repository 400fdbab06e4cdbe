#include "cluster/node.h"

#include <utility>

#include "cluster/membership.h"
#include "runtime/io_executor.h"

namespace tidal::cluster {
namespace {

constexpr Channel channel_of(GroupTraffic traffic) {
    switch (traffic) {
        case GroupTraffic::kUrgent:
            return Channel::kHeartbeat;
        case GroupTraffic::kLog:
            return Channel::kRaft;
        case GroupTraffic::kSnapshot:
            return Channel::kSnapshot;
    }
    return Channel::kHeartbeat;
}

}  // namespace

class Node::GroupTraffics final : public GroupTransport {
public:
    explicit GroupTraffics(PeerTransport& peers) : peers_(peers) {}
    Result<void> send(raft::PeerId to, GroupTraffic traffic, std::string packet) override {
        return peers_.send(NodeId(static_cast<std::uint32_t>(to.value())), channel_of(traffic),
                           std::move(packet));
    }

private:
    PeerTransport& peers_;
};

Node::Node(runtime::Runtime& runtime, wal::NodeLog& log, Options options, LogIndex states_index)
    : executor_(runtime::create_io_executor(runtime.executors(), "peers")) {
    const raft::PeerId self = peer_of(options.peers.self.node);
    peers_ = std::make_unique<PeerTransport>(std::move(options.peers), runtime, *executor_,
                                             std::move(options.logger));
    rpc_ = std::make_unique<Rpc>(*peers_, runtime, *executor_, options.rpc);
    traffic_ = std::make_unique<GroupTraffics>(*peers_);
    groups_ = std::make_unique<GroupHost>(runtime, log, *traffic_,
                                          GroupHost::Options{.self = self,
                                                             .timing = options.timing,
                                                             .log = std::move(options.log),
                                                             .loop = executor_.get()},
                                          states_index);
    for (const Channel channel : {Channel::kHeartbeat, Channel::kRaft, Channel::kSnapshot})
        peers_->subscribe(channel, [this](NodeId from, std::string bytes) {
            groups_->receive(peer_of(from), std::move(bytes));
        });
    peers_->subscribe(Channel::kRpc, [this](NodeId from, std::string bytes) {
        rpc_->receive(from, std::move(bytes));
    });
    peers_->set_on_down([this](NodeId node, const Error&) {
        groups_->unreachable(peer_of(node));
        rpc_->peer_down(node);
    });
}

Node::~Node() {
    stop();
}

GroupHost& Node::groups() {
    return *groups_;
}
PeerTransport& Node::peers() {
    return *peers_;
}
Rpc& Node::rpc() {
    return *rpc_;
}
runtime::Executor& Node::executor() {
    return *executor_;
}

Result<void> Node::start() {
    TIDAL_TRY(peers_->start());
    groups_->start();
    return {};
}

void Node::stop() {
    if (std::exchange(stopped_, true)) return;
    rpc_->stop();
    executor_->stop();  // nothing arrives any more
    groups_->stop();
}

}  // namespace tidal::cluster
