// api/internal/planted.h: bugs that tests plant to see that the simulations find them.
//
// In every build but those of cluster_planted_test and api_planted_test, planted() is constant
// false and costs nothing.
#pragma once

#include <cstdint>

namespace tidal::api {

enum class Bug : std::uint8_t {
    kNone,
    kReadWithoutIndex,       ///< A strong read asks nobody.
    kTokenForgotten,         ///< A read does not wait for the writes of its token.
    kExportInVain,           ///< An export has what lost leaders wrote.
    kLetInAgain,             ///< Who has left is still a peer.
    kBackupWithoutTail,      ///< A backup has a part of the log only.
    kRestoreLosesStates,     ///< What is restored has no states of users that are in a checkpoint,
    kRestoreLosesTastes,     ///< nor what they like,
    kRestoreLosesCohorts,    ///< nor what cohorts counted,
    kRestoreLosesMarks,      ///< nor which effects have arrived,
    kRestoreLosesDelivered,  ///< nor what users were told of under a daily cap.
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

}  // namespace tidal::api
