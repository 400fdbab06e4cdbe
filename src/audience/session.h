// audience/session.h: what one session is: whose, what it may do, what it did.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0041-sessions.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/record.h"
#include "schema/schema.h"

namespace tidal::audience {

enum class SessionEnd : std::uint8_t { kOpen, kClosed, kExpired };

/// An item that got positive signals under a session.
struct SessionLike {
    EntityId item;
    UnixMillis at_ms = 0;       ///< Of the newest one.
    std::uint64_t signals = 1;  ///< That hold it; without them it goes.
    HybridTime first = {};      ///< Stamp of the first of them.
    bool operator==(const SessionLike&) const = default;
};

/// Every change is a function of the value and its arguments; all times are those of commit stamps
/// but for those of likes. Threads: none of its own.
struct Session {
    static constexpr std::size_t kLikesMax = 20;
    /// A token is so many units: one comes back each millisecond at one token a minute.
    static constexpr std::uint64_t kTokenUnits = 60'000;

    EntityId user;
    std::string agent;  ///< Empty = the user themselves.
    record::SessionLimits limits;
    HybridTime opened;
    UnixMillis expires_ms = 0;
    SessionEnd end = SessionEnd::kOpen;
    UnixMillis ended_ms = 0;          ///< Of one that is not open.
    std::uint64_t last_sequence = 0;  ///< Of the writes that were accepted; 0 = none had one.
    std::uint64_t units = 0;          ///< In the bucket at `filled_ms`.
    UnixMillis filled_ms = 0;
    record::FixedWeight reward = 0;  ///< Weights of positive signals less those of negative ones.
    std::vector<std::pair<SignalTypeId, std::uint64_t>> counts;  ///< By signal.
    record::Annotations annotations;
    std::vector<SessionLike> likes;  ///< The newest first, by (at, item).

    static Session begin(const record::SessionBody& body, HybridTime stamp);
    /// Also of one that is overdue and that nobody has closed yet.
    SessionEnd end_at(UnixMillis at_ms) const;
    std::uint64_t units_at(UnixMillis at_ms) const;
    double tokens_at(UnixMillis at_ms) const {
        return static_cast<double>(units_at(at_ms)) / kTokenUnits;
    }

    /// Whether a write counts: false of a number that is not above `last_sequence`, which changes
    /// nothing, also once the session has ended. 0 = it has no number.
    /// @return kGone, reason "session_closed" or "session_expired".
    Result<bool> admits(std::uint64_t sequence, UnixMillis at_ms) const;
    /// Likewise of a signal.
    /// @return kInvalidArgument, field "user_id" (another user); kForbidden, reason
    ///         "signal_not_allowed"; kOverloaded, reason "session_rate", with `retry_after_ms`.
    Result<bool> admits(const record::SignalBody& signal, std::uint64_t sequence,
                        UnixMillis at_ms) const;
    /// Takes a token. @return as admits(signal): kOverloaded.
    Result<void> spend(UnixMillis at_ms);
    /// Whether there is one.
    Result<void> check_rate(UnixMillis at_ms) const;
    /// A signal that is admitted.
    /// @param stamp     Of its record.
    /// @param event_ms  When it happened.
    void count(const record::SignalBody& signal, const schema::SignalSpec& spec,
               std::uint64_t sequence, HybridTime stamp, UnixMillis event_ms);
    /// A signal that was counted no longer is; its token and its number stay spent.
    /// @param stamp  Of its record.
    void take_back(const record::SignalBody& signal, const schema::SignalSpec& spec,
                   HybridTime stamp);
    /// An empty value ends its key. kInvalidArgument, field "annotations", above the limits.
    Result<void> annotate(const record::Annotations& changes);
    void close(UnixMillis at_ms);
    bool operator==(const Session&) const = default;
};

std::string encode_session(const Session& session);
/// kCorruption for what encode_session() does not write.
Result<Session> decode_session(std::string_view bytes);

/// Ids in the order shown, and the same without the oldest above record::kShownMax and kShownBytes.
inline constexpr std::size_t kShownBytes = 16 * 1024;
std::string encode_shown(const std::vector<EntityId>& shown);
Result<std::vector<EntityId>> decode_shown(std::string_view bytes);
/// Adds what is shown now; an id that is there moves to the end.
void add_shown(const std::vector<EntityId>& now, std::vector<EntityId>* shown);

}  // namespace tidal::audience
