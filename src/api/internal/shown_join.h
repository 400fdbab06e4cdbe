// api/internal/shown_join.h: the impressions of one shard, joined with what their users then did
// with the items. An impression and the signals on its item lie in one shard, so that one reading
// of its log joins them.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "api/types.h"
#include "record/record.h"
#include "schema/schema.h"

namespace tidal::api {

/// An impression, and what came of it as far as the log was read.
struct JoinedImpression {
    ShownItem item;         ///< Without `position` and `complete`.
    bool positive = false;  ///< One of its signals is of a positive type.
    HybridTime stamp;
    LogIndex next;                     ///< The record behind it.
    UnixMillis until_ms = 0;           ///< What is logged from then on is not counted.
    std::set<std::size_t> taken_back;  ///< Of item.signals; empty once they are gone from there.
};

struct ShownJoinOptions {
    std::int64_t within_ms = 0;
    std::size_t limit = 0;  ///< Of impressions in memory.
    SignalTypeId impression;
    std::shared_ptr<const schema::Schema> schema;
    /// What to keep of an impression's context; nullopt = it is not wanted, and ends the one before
    /// it all the same.
    std::function<std::optional<std::string>(const record::Record&, const record::SignalBody&)>
        keep;
    /// Whether an item's home is the shard that is read.
    std::function<bool(TenantId, const EntityId&)> of_this_shard;
};

/// Threads: one at a time.
class ShownJoin {
public:
    /// @param next  The first record it will be given.
    ShownJoin(ShownJoinOptions options, LogIndex next);

    /// The shard's next record. False = what follows changes nothing: the limit is reached, and the
    /// time of all is over.
    bool take(const record::Record& record);
    /// Where a join of what this one had no room for begins; while it has room, behind the last
    /// record.
    LogIndex next() const { return next_; }
    bool full() const { return full_; }

    /// Those for which nothing counts that is logged at `logged_ms` or later, oldest first. They
    /// leave memory, and make room.
    std::vector<JoinedImpression> settle(UnixMillis logged_ms);
    /// All that are left.
    std::vector<JoinedImpression> finish();

private:
    /// Whose impression of what: of a user, else of a session without one.
    struct Viewing {
        EntityId item;
        std::optional<EntityId> user;
        std::string session;
        bool operator==(const Viewing&) const = default;
        template <typename H>
        friend H AbslHashValue(H h, const Viewing& v) {
            return H::combine(std::move(h), v.item, v.user.value_or(EntityId()), v.session);
        }
    };
    static Viewing viewing_of(const EntityId& item, const std::optional<EntityId>& user,
                              const std::string& session);

    void take_impression(const record::Record& record, const record::SignalBody& body);
    /// A signal that counts: number of the impression, and index into its signals.
    using Place = std::pair<std::uint64_t, std::size_t>;
    /// How an undo names a signal: principal, item, session (0 = none) and idempotency key.
    using KeyOf = std::tuple<std::string, EntityId, std::uint64_t, std::string>;
    /// @param session  Under which it was sent; 0 = none.
    std::optional<Place> take_signal(const record::Envelope& envelope, UnixMillis event_time_ms,
                                     const record::SignalBody& body, std::uint64_t session);
    void take_session_signal(const record::Envelope& envelope,
                             const record::SessionSignalBody& body);
    void take_rows(const record::Envelope& envelope, const record::RelayBody& relay);
    void take_row(const record::Envelope& envelope, const record::RelayRow& row);
    void take_undo(const record::Envelope& envelope, const KeyOf& signal);
    void take_back(const record::Envelope& envelope, const Place& signal);
    JoinedImpression& at(std::uint64_t number) { return shown_[number - gone_]; }
    JoinedImpression pop();
    void value(JoinedImpression* shown) const;
    void forget_gone();

    const ShownJoinOptions options_;
    LogIndex next_;
    bool full_ = false;
    UnixMillis last_logged_ms_ = 0;  ///< Of the newest in shown_.
    std::uint64_t gone_ = 0;         ///< Settled; impressions are numbered from 0.
    std::deque<JoinedImpression> shown_;
    absl::flat_hash_map<Viewing, std::uint64_t> latest_;  ///< Number of the impression.
    absl::flat_hash_map<KeyOf, Place> by_key_;
    /// Of sessions' signals that came by the relay: by user and stamp.
    absl::flat_hash_map<std::pair<EntityId, std::uint64_t>, Place> by_stamp_;
    /// By session and sequence: number of the impression.
    absl::flat_hash_map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> numbers_;
    std::size_t kept_keys_ = 0;  ///< Left when what is gone was last forgotten.
    /// Newest row of each stream.
    absl::flat_hash_map<std::tuple<ShardId, Incarnation, VShard>, std::uint64_t> marks_;
};

}  // namespace tidal::api
