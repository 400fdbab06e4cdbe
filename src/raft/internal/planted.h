// raft/internal/planted.h: bugs that tests plant to see that tests find them.
//
// In every build but that of raft_planted_test, planted() is constant false and costs nothing.
#pragma once

#include <cstdint>

namespace tidal::raft {

enum class Bug : std::uint8_t {
    kNone,
    kCountOlderTerms,          ///< 3.6.2: entries of older terms commit by counting replicas.
    kAcknowledgeReceived,      ///< A follower acknowledges what is not durable.
    kLeaderCountsUnsynced,     ///< A leader counts its own entries before they are durable.
    kAnswerBeforeVoteDurable,  ///< Answers leave before term and vote are on disk.
    kSkipJoint,                ///< New voters at once, without the joint configuration.
    kReadWithoutQuorum,        ///< A leader answers reads without asking anybody.
    kVoteForShorterLog,        ///< 3.6.1 left out.
};

#ifdef TIDAL_RAFT_PLANTED
Bug planted_bug();  // chosen by the test
inline bool planted(Bug bug) {
    return planted_bug() == bug;
}
#else
constexpr bool planted(Bug) {
    return false;
}
#endif

}  // namespace tidal::raft
