#include "raft/configuration.h"

#include <algorithm>

#include "base/codec.h"

namespace tidal::raft {
namespace {

constexpr std::uint8_t kConfigurationVersion = 1;

bool has(const std::vector<PeerId>& peers, PeerId peer) {
    return std::binary_search(peers.begin(), peers.end(), peer);
}

std::uint64_t majority_value(const std::vector<PeerId>& voters,
                             const std::function<std::uint64_t(PeerId)>& value_of) {
    std::vector<std::uint64_t> values;
    values.reserve(voters.size());
    for (const PeerId voter : voters) values.push_back(value_of(voter));
    std::sort(values.begin(), values.end(), std::greater<>());
    return values[values.size() / 2];
}

VoteResult majority_vote(const std::vector<PeerId>& voters,
                         const std::function<int(PeerId)>& vote_of) {
    std::size_t yes = 0, no = 0;
    for (const PeerId voter : voters) {
        const int vote = vote_of(voter);
        yes += vote == 1;
        no += vote == 0;
    }
    const std::size_t quorum = voters.size() / 2 + 1;
    if (yes >= quorum) return VoteResult::kWon;
    return voters.size() - no < quorum ? VoteResult::kLost : VoteResult::kPending;
}

Result<std::vector<PeerId>> sorted_peers(std::vector<PeerId> peers, std::string_view what) {
    std::sort(peers.begin(), peers.end());
    if (!peers.empty() && peers.front() == kNobody)
        return Error(ErrorCode::kInvalidArgument, "0 is not a peer").with_field(what);
    const auto repeat = std::adjacent_find(peers.begin(), peers.end());
    if (repeat != peers.end())
        return Error(ErrorCode::kInvalidArgument, "a peer is named twice")
            .with_field(what)
            .with("peer", repeat->value());
    return peers;
}

bool well_formed(const std::vector<PeerId>& peers) {
    return (peers.empty() || peers.front() != kNobody) &&
           std::adjacent_find(peers.begin(), peers.end(), std::greater_equal<>()) == peers.end();
}

bool well_formed(const Configuration& c) {
    if (!well_formed(c.voters) || !well_formed(c.outgoing) || !well_formed(c.learners) ||
        !well_formed(c.learners_next))
        return false;
    if (c.voters.empty() && c.joint()) return false;
    for (const PeerId peer : c.learners)
        if (c.is_voter(peer)) return false;
    for (const PeerId peer : c.learners_next)
        if (!has(c.outgoing, peer) || has(c.voters, peer)) return false;
    return true;
}

void append_list(std::string* text, std::string_view name, const std::vector<PeerId>& peers) {
    if (peers.empty()) return;
    if (!text->empty()) text->push_back(' ');
    text->append(name);
    char separator = '=';
    for (const PeerId peer : peers) {
        text->push_back(separator);
        text->append(std::to_string(peer.value()));
        separator = ',';
    }
}

}  // namespace

std::string_view role_name(Role role) {
    constexpr std::string_view names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return names[static_cast<std::size_t>(role)];
}

bool Configuration::is_voter(PeerId peer) const {
    return has(voters, peer) || has(outgoing, peer);
}

bool Configuration::contains(PeerId peer) const {
    return is_voter(peer) || has(learners, peer);
}

std::vector<PeerId> Configuration::all() const {
    std::vector<PeerId> peers = voters;
    peers.insert(peers.end(), outgoing.begin(), outgoing.end());
    peers.insert(peers.end(), learners.begin(), learners.end());
    std::sort(peers.begin(), peers.end());
    peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
    return peers;
}

std::uint64_t Configuration::quorum_value(
    const std::function<std::uint64_t(PeerId)>& value_of) const {
    if (voters.empty()) return 0;
    const std::uint64_t value = majority_value(voters, value_of);
    return joint() ? std::min(value, majority_value(outgoing, value_of)) : value;
}

VoteResult Configuration::vote_result(const std::function<int(PeerId)>& vote_of) const {
    if (voters.empty()) return VoteResult::kLost;
    const VoteResult incoming = majority_vote(voters, vote_of);
    if (!joint()) return incoming;
    const VoteResult leaving = majority_vote(outgoing, vote_of);
    if (incoming == leaving) return incoming;
    return incoming == VoteResult::kLost || leaving == VoteResult::kLost ? VoteResult::kLost
                                                                         : VoteResult::kPending;
}

std::string Configuration::to_string() const {
    std::string text;
    append_list(&text, "voters", voters);
    append_list(&text, "outgoing", outgoing);
    append_list(&text, "learners", learners);
    append_list(&text, "learners_next", learners_next);
    return text;
}

Result<Configuration> step_towards(const Configuration& current, const Members& members) {
    Configuration next;
    TIDAL_ASSIGN(next.voters, sorted_peers(members.voters, "voters"));
    TIDAL_ASSIGN(auto learners, sorted_peers(members.learners, "learners"));
    if (next.voters.empty())
        return Error(ErrorCode::kInvalidArgument, "a group has at least one voter")
            .with_field("voters");
    for (const PeerId peer : learners)
        if (has(next.voters, peer))
            return Error(ErrorCode::kInvalidArgument, "a peer is a voter or a learner, not both")
                .with("peer", peer.value());
    if (next.voters == current.voters) {
        next.learners = std::move(learners);
        if (next.learners == current.learners)
            return Error(ErrorCode::kInvalidArgument, "the group has these members already");
        return next;
    }
    next.outgoing = current.voters;
    for (const PeerId peer : learners)
        (has(next.outgoing, peer) ? next.learners_next : next.learners).push_back(peer);
    return next;
}

Configuration leave_joint(const Configuration& joint) {
    Configuration after = joint;
    after.outgoing.clear();
    after.learners_next.clear();
    after.learners.insert(after.learners.end(), joint.learners_next.begin(),
                          joint.learners_next.end());
    std::sort(after.learners.begin(), after.learners.end());
    return after;
}

std::string encode_configuration(const Configuration& configuration) {
    Encoder out;
    out.u8(kConfigurationVersion);
    for (const auto* peers : {&configuration.voters, &configuration.outgoing,
                              &configuration.learners, &configuration.learners_next}) {
        out.varint(peers->size());
        for (const PeerId peer : *peers) out.varint(peer.value());
    }
    return out.take();
}

Result<Configuration> decode_configuration(std::string_view bytes) {
    Decoder in(bytes);
    const std::uint8_t version = in.u8();
    if (!in.failed() && version != kConfigurationVersion)
        return Error(ErrorCode::kIncompatible, "a configuration of another version")
            .with("version", version)
            .with("known", kConfigurationVersion);
    Configuration out;
    for (auto* peers : {&out.voters, &out.outgoing, &out.learners, &out.learners_next}) {
        const std::size_t count = in.count(1);
        for (std::size_t i = 0; i < count; ++i) peers->push_back(PeerId(in.varint()));
    }
    TIDAL_TRY(in.finish("configuration"));
    if (!well_formed(out))
        return Error(ErrorCode::kCorruption,
                     "configuration: a list is out of order, or a peer stands in two of them");
    return out;
}

}  // namespace tidal::raft
