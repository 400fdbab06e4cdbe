#include "group_checker.h"

#include "raft/wire.h"

namespace tidal::cluster {
namespace {

std::string at(ShardId shard, raft::PeerId node) {
    return "shard " + std::to_string(shard.value()) + " node " + std::to_string(node.value()) +
           ": ";
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    std::uint64_t z = a * 0x9e3779b97f4a7c15ULL + b;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void GroupChecker::leading(ShardId shard, raft::PeerId node, Term term) {
    const auto [leader, first] = group(shard).leaders.try_emplace(term, node);
    if (!first && leader->second != node)
        fail(at(shard, node) + "a second leader of term " + std::to_string(term.value()));
}

std::uint64_t GroupChecker::committed(ShardId shard, raft::PeerId node, LogIndex index, Term term,
                                      const std::string& record, std::uint64_t chain_before) {
    Group& g = group(shard);
    std::uint64_t chain = mix(chain_before, mix(index.value(), term.value()));
    for (const char c : record) chain = mix(chain, static_cast<unsigned char>(c));
    const std::uint64_t i = index.value();
    if (i > g.log.size()) {
        fail(at(shard, node) + "a gap before index " + std::to_string(i));
        return chain;
    }
    if (i == g.log.size()) {
        g.log.push_back({term, chain});
        if (!record.empty() && !g.applied.insert(record).second)
            fail(at(shard, node) + "committed twice: " + record);
        if (g.refused.contains(record))
            fail(at(shard, node) + "refused as superseded, and committed: " + record);
    }
    if (g.log[i].term != term || g.log[i].chain != chain)
        fail(at(shard, node) + "another entry is committed at index " + std::to_string(i));
    return chain;
}

void GroupChecker::installed(ShardId shard, raft::PeerId node, LogIndex index,
                             std::uint64_t chain) {
    Group& g = group(shard);
    if (index.value() >= g.log.size() || g.log[index.value()].chain != chain)
        fail(at(shard, node) + "a snapshot of what was never committed");
}

void GroupChecker::sent(raft::PeerId node, const std::string& packet) {
    const auto messages = raft::decode_packet(packet);
    if (!messages.ok()) return fail("a packet does not decode: " + messages.error().to_string());
    for (const raft::GroupMessage& each : *messages) {
        const raft::Message& m = each.message;
        raft::HardState& said = said_[{each.group.shard, node}];
        if (m.term > said.term) said = {m.term, raft::kNobody};
        const auto* reply = std::get_if<raft::VoteReply>(&m.body);
        const auto* request = std::get_if<raft::VoteRequest>(&m.body);
        raft::PeerId voted;
        if (reply && !reply->pre && reply->granted) voted = m.to;
        if (request && !request->pre) voted = node;
        if (voted == raft::kNobody) continue;
        if (m.term == said.term) said.vote = voted;
        const auto [vote, first] = group(each.group.shard).votes.try_emplace({m.term, node}, voted);
        if (!first && vote->second != voted)
            fail(at(each.group.shard, node) + "two votes in term " +
                 std::to_string(m.term.value()));
    }
}

void GroupChecker::started(ShardId shard, raft::PeerId node, const raft::HardState& hard) {
    const raft::HardState& said = said_[{shard, node}];
    if (hard.term < said.term ||
        (hard.term == said.term && said.vote != raft::kNobody && said.vote != hard.vote))
        fail(at(shard, node) + "a start forgot term " + std::to_string(said.term.value()) +
             " or its vote");
}

void GroupChecker::refused(ShardId shard, const std::vector<raft::Payload>& records) {
    Group& g = group(shard);
    for (const raft::Payload& record : records) {
        if (g.applied.contains(*record))
            fail("refused as superseded, and committed before: " + *record);
        g.refused.insert(*record);
    }
}

void GroupChecker::acknowledged(ShardId shard, LogIndex index) {
    Group& g = group(shard);
    if (index.value() >= g.log.size()) fail("acknowledged, and nobody has committed it");
    g.acknowledged = std::max(g.acknowledged, index);
}

}  // namespace tidal::cluster
