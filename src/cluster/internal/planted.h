// cluster/internal/planted.h: bugs that tests plant to see that the simulations find them.
//
// In every build but those of cluster_planted_test and api_planted_test, planted() is constant
// false and costs nothing.
#pragma once

#include <cstdint>

namespace tidal::cluster {

enum class Bug : std::uint8_t {
    kNone,
    kTellDurableEarly,  ///< What was handed to the log counts as synced.
    kForgetVote,        ///< Term and vote are not read back at a start.
    kDecideByIndex,  ///< A proposal is done when its index is committed, whoever's record that is.
    kNoBaseMark,     ///< The log is not told that a snapshot takes the place of what it holds.
    kCompactBeyondCheckpoint,  ///< The log is cut off at what is applied, checkpoint or not.
    kFetchIgnoresTerm,         ///< Entries are read back without a look at their term.
};

#ifdef TIDAL_CLUSTER_PLANTED
Bug planted_bug();  // chosen by the test
inline bool planted(Bug bug) {
    return planted_bug() == bug;
}
#else
constexpr bool planted(Bug) {
    return false;
}
#endif

}  // namespace tidal::cluster
