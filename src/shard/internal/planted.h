// shard/internal/planted.h: bugs that tests plant to see that the simulations find them.
//
// In every build but those of cluster_planted_test and api_planted_test, planted() is constant
// false and costs nothing.
#pragma once

#include <cstdint>

namespace tidal::shard {

enum class Bug : std::uint8_t {
    kNone,
    kAnswerBeforeMajority,       ///< A write is answered once it is durable on the leader.
    kAllIsMajority,              ///< w=all is answered by a majority.
    kFirstAppliedTwice,          ///< The first record behind a checkpoint is applied twice.
    kProposeBeforeEmptyApplied,  ///< A new leader writes before it has applied what came before it.
    kKeyNotChecked,              ///< Nobody looks whether an idempotency key was used.
    kMarksNotKept,               ///< Relay marks are not part of checkpoints, nor so of snapshots.
    kSequencesNotKept,           ///< Nor are the sequences of outbox streams.
    kMarkNotChecked,             ///< Rows that come again are applied again.
    kTasteAgain,                 ///< A taste's row that comes again is applied again.
    kStatesNotKept,      ///< New states of users, hides among them, are not part of checkpoints.
    kErasurePassedOver,  ///< A shard that hears of a user's erasure forgets nothing.
    kCohortsNotKept,     ///< What cohorts counted since the start is not part of checkpoints.
    kRestBehindNews,     ///< The rest of a batch is put behind what came between its slices.
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

}  // namespace tidal::shard
