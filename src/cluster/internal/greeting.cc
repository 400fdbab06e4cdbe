#include "cluster/internal/greeting.h"

#include <algorithm>

namespace tidal::cluster::internal {
namespace {

std::string number(NodeId node) {
    return std::to_string(node.value());
}
std::string versions(const Introduction& of) {
    const std::string newest = std::to_string(of.version_max);
    return of.version_min == of.version_max ? newest
                                            : std::to_string(of.version_min) + " to " + newest;
}

}  // namespace

std::uint16_t common_version(const Introduction& a, const Introduction& b) {
    const std::uint16_t newest = std::min(a.version_max, b.version_max);
    return newest >= std::max(a.version_min, b.version_min) ? newest : 0;
}

std::optional<Refusal> judge(const Introduction& peer, std::uint64_t nonce,
                             const GreetingRules& rules) {
    const NodeIdentity& self = rules.self.identity;
    const NodeIdentity& other = peer.identity;
    const auto refuse = [&](RefusalCode code, std::string text) {
        return Refusal{code, nonce, std::move(text)};
    };
    if (other.cluster_id != self.cluster_id)
        return refuse(RefusalCode::kWrongCluster, "wrong cluster: node " + number(self.node) +
                                                      " belongs to cluster " + self.cluster_id +
                                                      ", node " + number(other.node) +
                                                      " to cluster " + other.cluster_id);
    if (rules.expected != kNoNode && other.node != rules.expected)
        return refuse(RefusalCode::kWrongNode, "wrong node: expected node " +
                                                   number(rules.expected) + " there, found node " +
                                                   number(other.node));
    if (rules.authenticated && rules.certificate_name != certificate_name(other))
        return refuse(RefusalCode::kWrongNode,
                      "wrong certificate: it names `" + std::string(rules.certificate_name) +
                          "`, the greeting `" + certificate_name(other) + "`");
    if (other.node == self.node)
        return refuse(RefusalCode::kWrongNode,
                      "node " + number(self.node) + " is this node: two have the same number");
    if (!rules.instance.empty() && other.instance_id != rules.instance)
        return refuse(RefusalCode::kWrongInstance,
                      "node " + number(other.node) + " is instance " + std::string(rules.instance) +
                          ", not " + other.instance_id +
                          ": a node that lost its disk has to join as a new one");
    if (rules.removed)
        return refuse(RefusalCode::kNotAdmitted,
                      "node " + number(other.node) + " has left the cluster");
    if (common_version(rules.self, peer) == 0)
        return refuse(RefusalCode::kNoCommonVersion,
                      "no common version: node " + number(self.node) + " has protocol version " +
                          versions(rules.self) + ", node " + number(other.node) + " version " +
                          versions(peer) +
                          "; builds of both versions do not run in one cluster: stop all nodes "
                          "and start each with the newer build");
    return std::nullopt;
}

}  // namespace tidal::cluster::internal
