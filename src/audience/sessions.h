// audience/sessions.h: the sessions of the users whose home a shard is, as rows.
// Format: docs/formats/audience_rows.md.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "audience/session.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Rows are the truth; where each session is due, and whose it is, is in memory besides, some 200
/// bytes each. One that ended is kept for kKeepMs. Errors are the store's unless said otherwise.
/// Threads: one at a time.
class Sessions {
public:
    static constexpr UnixMillis kKeepMs = 24LL * 3'600'000;
    static constexpr std::size_t kEachMax = 100;      ///< Of one user, ended ones too.
    static constexpr std::size_t kSweptMax = 10'000;  ///< By one sweep.

    struct Options {
        std::size_t sessions_max = 100'000;  ///< Of the shard, ended ones too.
    };
    static Result<std::unique_ptr<Sessions>> open(const Options& options,
                                                  storage::ShardStore& store);

    Result<std::optional<Session>> find(std::uint64_t id) const;
    /// As find(); kNotFound, reason "unknown_session".
    Result<Session> get(std::uint64_t id) const;
    /// In the order shown; empty of a session that is not known.
    Result<std::vector<EntityId>> shown(std::uint64_t id) const;
    /// Ids of a user's sessions, rising.
    std::vector<std::uint64_t> of(const EntityId& user) const;

    /// @return  Whether it changed nothing because it was there: a number that is not new, a second
    ///          close, a page shown after the end. Or what the client did wrong: kNotFound;
    ///          kConflict, reason "session_id_taken"; kOverloaded, reason "too_many_sessions";
    ///          kGone and kInvalidArgument as Session says.
    Result<bool> apply(const record::SessionBody& body, std::uint64_t sequence, HybridTime stamp);
    /// Writes a session that is known and changed otherwise than by ending.
    void put(std::uint64_t id, const Session& session);
    /// Closes what is overdue at `now_ms`, and forgets what ended kKeepMs ago; kSweptMax at most.
    Result<void> sweep(UnixMillis now_ms);
    /// Whether a sweep would do something.
    bool due(UnixMillis now_ms) const { return !due_.empty() && due_.begin()->first <= now_ms; }
    Result<void> erase_user(const EntityId& user);
    std::size_t size() const { return places_.size(); }
    /// Those that nobody has closed, nor a sweep.
    std::size_t open_count() const { return open_; }

private:
    struct Place {
        EntityId user;
        UnixMillis due_ms = 0;  ///< To be closed, or forgotten.
        bool open = false;
    };
    Sessions(const Options& options, storage::ShardStore& store)
        : options_(options), store_(store) {}
    void place(std::uint64_t id, const Session& session);
    void forget(std::uint64_t id);
    Result<bool> begin(const record::SessionBody& body, HybridTime stamp);
    void end(std::uint64_t id, Session* session, UnixMillis at_ms);
    Result<void> show(const record::SessionBody& body);

    const Options options_;
    storage::ShardStore& store_;
    absl::flat_hash_map<std::uint64_t, Place> places_;
    absl::flat_hash_map<EntityId, std::vector<std::uint64_t>> of_users_;
    std::set<std::pair<UnixMillis, std::uint64_t>> due_;
    std::size_t open_ = 0;
};

/// "no session with this id", for replies.
Error unknown_session(std::uint64_t id);

}  // namespace tidal::audience
