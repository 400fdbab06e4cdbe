// cluster/internal/reassembly.h: pieces of messages of one peer become messages again.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/peer_packet.h"

namespace tidal::cluster::internal {

/// Pieces may come in any order, twice, or not at all. A channel has few messages in pieces under
/// way at once (over TCP: one); the oldest ones beyond that have lost a piece and go.
/// Memory: kOpenMax messages per channel; what arrived of them, not what they promise.
class Reassembly {
public:
    static constexpr std::size_t kOpenMax = 4;

    /// The message that this piece completes. Not for messages of one piece.
    std::optional<std::string> add(const Part& part);
    void clear();
    std::uint64_t given_up() const { return given_up_; }

private:
    struct Open {
        std::vector<std::string> pieces;
        std::vector<bool> there;
        std::uint32_t missing = 0;
        std::uint64_t total_bytes = 0;
    };
    struct Lane {
        std::map<std::uint64_t, Open> open;  ///< By message number.
        std::uint64_t done_up_to = 0;        ///< Lower numbers are done or given up.
    };
    std::array<Lane, kChannelCount> lanes_;
    std::uint64_t given_up_ = 0;
};

}  // namespace tidal::cluster::internal
