// Personal state by brute force: what every user did, from the records of all shards as they were
// logged, and what must have come of it. Knows nothing of how the shards keep it.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "api/tests/inner_view.h"
#include "audience/session.h"
#include "audience/taste.h"

namespace tidal::api {

/// Of logs without annotations of sessions, whose items all exist, and whose cohorts ask for the
/// language that is their name.
class PersonalModel {
public:
    explicit PersonalModel(std::shared_ptr<const schema::Schema> schema)
        : schema_(std::move(schema)) {}

    /// The next record of a shard. Where users and items live is as `where` says.
    void take(const InnerView& where, ShardId shard, const record::Record& record);
    /// How often a user did something to an item, a creator or a friend: the name of a signal,
    /// whether or not it was taken back, that of one of a session behind "in session", "undo" and a
    /// key, the name of a relationship, or of one behind "no longer".
    std::int64_t times(const EntityId& user, const EntityId& target, const std::string& what) const;
    bool hides(const EntityId& user, const EntityId& item) const {
        return states_.contains({user, "hidden", item});
    }

    /// Whether a session was ever opened.
    bool opened(std::uint64_t session) const { return opened_.contains(session); }

    /// The first thing of which a database says otherwise; empty = none. It must be at rest.
    std::string difference(Database& database) const;
    /// How much there is to differ in.
    struct Sizes {
        std::uint64_t states = 0, relationships = 0, positives = 0, negatives = 0, pairs = 0;
        std::uint64_t undone = 0, dropped = 0;  ///< Dropped from a full ring.
        std::uint64_t undone_in_sessions = 0;
        std::uint64_t sessions = 0, in_sessions = 0, erased = 0, cohort_cells = 0;
        std::uint64_t cohort_users = 0;  ///< In how many ledgers.
    };
    Sizes sizes() const;

    static std::int64_t hour_of(UnixMillis at_ms) { return at_ms / 3'600'000; }
    static double decayed(double weight, UnixMillis span_ms, UnixMillis half_life_ms) {
        return weight *
               std::exp2(-static_cast<double>(span_ms) / static_cast<double>(half_life_ms));
    }

private:
    struct Sent {
        record::SignalBody body;
        std::optional<EntityId> creator;
        UnixMillis at_ms = 0;
        HybridTime stamp;
        std::string key;
        bool undone = false;
        std::vector<CohortId> cohorts;
        HybridTime arrived;  ///< Of a session's: as a row of the item's shard. 0 = it is of none.
        std::uint64_t session = 0;  ///< In its user's shard; 0 = it is of none.
    };
    /// By how many signals an item is liked in a session.
    struct Liked {
        UnixMillis newest_ms = 0;
        std::set<HybridTime> signals;
    };
    /// What is kept of a session that its user's shard knows.
    struct Session {
        EntityId user;
        record::SessionLimits limits;
        UnixMillis expires_ms = 0;
        bool closed = false;  ///< Before it expired.
        std::uint64_t last_sequence = 0;
        std::uint64_t units = 0;  ///< A token is 60,000.
        UnixMillis filled_ms = 0;
        record::FixedWeight reward = 0;
        std::map<SignalTypeId, std::uint64_t> counts;
        std::map<EntityId, Liked> likes;  ///< The newest.

        void refill(UnixMillis at_ms);
        void like(const EntityId& item, UnixMillis at_ms, HybridTime stamp);
    };
    struct Counted {
        std::int64_t count = 0;
        record::FixedWeight sum = 0;
    };
    /// What a signal, or one that is taken back, is to its user's taste.
    struct Event {
        HybridTime stamp;
        bool taken_back = false;
        EntityId item;
        std::optional<EntityId> creator;
        bool positive = true;
        double weight = 0;
        UnixMillis at_ms = 0;
        auto operator<=>(const Event&) const = default;
    };
    struct Held {
        bool for_good = false;
        std::set<HybridTime> undoable;
        HybridTime newest;
    };
    struct Weight {
        double weight = 1;
        UnixMillis at_ms = 0;
    };
    using Weights = std::vector<Weight>;
    using Ring = std::map<EntityId, audience::RingEntry>;
    struct Taste {
        std::vector<Event> events;  ///< In the order they came.
        Ring positives, negatives;
        std::map<EntityId, Weights> creators;
        HybridTime erased;  ///< What was committed until then is forgotten.
    };
    struct Together {
        Weights likes;
        std::map<EntityId, Weights> others;
    };
    using Key = std::tuple<ShardId, std::string, std::string>;

    void take_signal(const InnerView& where, const record::Envelope& envelope, ShardId shard,
                     const record::SignalBody& body);
    void take_undo(const InnerView& where, const record::Envelope& envelope, ShardId shard,
                   const record::UndoBody& body);
    void take_relationship(const record::Envelope& envelope, const record::RelationshipBody& body);
    void take_rows(const InnerView& where, const record::Envelope& envelope, ShardId shard,
                   const record::RelayBody& body);
    void take_session(const record::Envelope& envelope, const record::SessionBody& body);
    void take_session_signal(const InnerView& where, const record::Envelope& envelope,
                             ShardId shard, const record::SessionSignalBody& body);
    void take_session_undo(const InnerView& where, const record::Envelope& envelope, ShardId shard,
                           const record::SessionUndoBody& body);
    bool counts_in_session(const record::Envelope& envelope, Session& session) const;
    void arrive_of_session(const InnerView& where, ShardId shard, Sent sent, bool keyed);
    void undo_of_session(const InnerView& where, ShardId shard, const EntityId& user,
                         HybridTime stamp);
    void erase(const InnerView& where, ShardId shard, const EntityId& user);
    void count_in_cohorts(const Sent& sent, std::int64_t count);
    void apply(const InnerView& where, ShardId shard, const Sent& sent, bool taken_back);
    void mark(const Sent& sent, bool taken_back);
    void arrive(const EntityId& user, const Event& event);
    bool note(const Event& event, std::size_t most, Ring* ring);
    void pair(const Event& event, const Ring& ring);
    static std::vector<audience::RingEntry> newest_first(const Ring& ring);

    std::string unlike_effects() const;
    std::string unlike_sessions(InnerView view, const EntityId& user) const;
    std::string unlike_session(const audience::Session& seen, const Session& expected) const;
    std::string unlike_cohorts(InnerView view) const;
    std::string unlike_users_of_cohorts(InnerView view) const;
    std::string not_of_cohort(Database& database) const;
    std::string unlike_states(InnerView view) const;
    std::string unlike_relationships(Database& database) const;
    std::string unlike_taste(InnerView view, const EntityId& user) const;
    std::string unlike_pairs(InnerView view, const EntityId& item) const;
    std::string unlike_page(Database& database, const EntityId& user) const;

    const std::shared_ptr<const schema::Schema> schema_;
    std::map<EntityId, std::optional<EntityId>> items_;  ///< And their creators.
    std::set<EntityId> users_;
    std::map<Key, Sent> by_key_;
    std::map<std::pair<EntityId, HybridTime>, Sent> by_stamp_;  ///< Of sessions, where they came.
    std::set<Key> answered_;
    std::map<std::tuple<EntityId, EntityId, std::string>, std::int64_t> times_;
    std::map<std::tuple<EntityId, std::string, EntityId>, Held> states_;
    std::map<std::tuple<EntityId, std::string, EntityId>, HybridTime> ended_;
    std::map<std::tuple<EntityId, record::RelationshipKind, EntityId>, HybridTime> relationships_;
    std::map<std::tuple<ShardId, ShardId, Incarnation, VShard>, std::uint64_t> marks_;
    std::map<EntityId, std::vector<Event>> sent_;  ///< By user: what has to come to their taste.
    std::map<EntityId, Taste> tastes_;
    std::map<EntityId, Together> together_;
    std::map<std::uint64_t, Session> sessions_;
    std::set<std::uint64_t> opened_;
    using Numbers = std::map<std::tuple<EntityId, EntityId, SignalTypeId>, std::uint64_t>;
    Numbers accepted_, arrived_;  ///< Signals of sessions: in the user's shard, in the item's.
    Numbers undone_there_, undone_here_;  ///< Those that were taken back, likewise.
    using Hours = std::map<std::int64_t, Counted>;
    using Views = std::vector<std::pair<EntityId, UnixMillis>>;  ///< Whose, and when.
    std::map<std::tuple<EntityId, CohortId, SignalTypeId>, Hours> cohorts_;
    /// Of signals with `unique`; undos take nobody back.
    std::map<std::tuple<EntityId, CohortId, SignalTypeId>, Views> users_of_cohorts_;
    std::map<EntityId, std::set<CohortId>> cohorts_of_;       ///< As whose member one counted.
    std::map<EntityId, std::set<std::string>> languages_of_;  ///< Of a user, at any time.
    std::uint64_t erased_ = 0;
    UnixMillis newest_ms_ = 0;
    std::uint64_t undone_ = 0, dropped_ = 0;
};

}  // namespace tidal::api
