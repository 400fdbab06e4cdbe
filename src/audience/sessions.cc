#include "audience/sessions.h"

#include <algorithm>

#include "audience/internal/hold_row.h"

namespace tidal::audience {
namespace {

std::string session_row_key(std::string_view prefix, std::uint64_t id) {
    std::string key(prefix);
    for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(id >> shift));
    return key;
}

Result<std::uint64_t> read_session_row_key(std::string_view key) {
    std::uint64_t id = 0;
    if (key.size() != kSessionPrefix.size() + sizeof id)
        return Error(ErrorCode::kCorruption, "session: not a key of one");
    for (const char byte : key.substr(kSessionPrefix.size()))
        id = id << 8 | static_cast<unsigned char>(byte);
    return id;
}

Error no_room(std::string_view whose, std::size_t most) {
    return Error(ErrorCode::kOverloaded, std::string(whose) + " has as many sessions as it may")
        .with_reason("too_many_sessions")
        .with("most", most)
        .with_hint("one that ended counts for another 24 hours");
}

}  // namespace

Error unknown_session(std::uint64_t id) {
    return Error(ErrorCode::kNotFound, "no session with this id")
        .with_reason("unknown_session")
        .with_field("session_id")
        .with("session_id", std::to_string(id))
        .with_hint("open one with POST /sessions; one that ended is kept for 24 hours");
}

Result<std::unique_ptr<Sessions>> Sessions::open(const Options& options,
                                                 storage::ShardStore& store) {
    std::unique_ptr<Sessions> out(new Sessions(options, store));
    Result<void> outcome;
    TIDAL_TRY(store.scan(kSessionPrefix, [&](std::string_view key, std::string_view value) {
        auto id = read_session_row_key(key);
        auto session = id.ok() ? decode_session(value) : Result<Session>(id.take_error());
        if (session.ok())
            out->place(*id, *session);
        else
            outcome = session.take_error();
        return outcome.ok();
    }));
    TIDAL_TRY(std::move(outcome));
    return out;
}

void Sessions::place(std::uint64_t id, const Session& session) {
    const bool open = session.end == SessionEnd::kOpen;
    Place& place = places_[id];
    if (place.due_ms == 0) {
        place.user = session.user;
        std::vector<std::uint64_t>& ids = of_users_[session.user];
        ids.insert(std::ranges::lower_bound(ids, id), id);
    } else {
        due_.erase({place.due_ms, id});
    }
    if (open && !place.open) ++open_;
    if (!open && place.open) --open_;
    place.open = open;
    place.due_ms = open ? session.expires_ms : session.ended_ms + kKeepMs;
    due_.emplace(place.due_ms, id);
}

void Sessions::forget(std::uint64_t id) {
    const auto found = places_.find(id);
    const auto of_user = of_users_.find(found->second.user);
    std::erase(of_user->second, id);
    if (of_user->second.empty()) of_users_.erase(of_user);
    due_.erase({found->second.due_ms, id});
    if (found->second.open) --open_;
    places_.erase(found);
    store_.erase(session_row_key(kSessionPrefix, id));
    store_.erase(session_row_key(kShownPrefix, id));
}

Result<std::optional<Session>> Sessions::find(std::uint64_t id) const {
    if (!places_.contains(id)) return std::optional<Session>();
    TIDAL_ASSIGN(const auto row, store_.get(session_row_key(kSessionPrefix, id)));
    if (!row) return Error(ErrorCode::kCorruption, "a session has no row").with("session_id", id);
    TIDAL_ASSIGN(Session session, decode_session(*row));
    return std::optional(std::move(session));
}

Result<Session> Sessions::get(std::uint64_t id) const {
    TIDAL_ASSIGN(auto session, find(id));
    if (!session) return unknown_session(id);
    return std::move(*session);
}

Result<std::vector<EntityId>> Sessions::shown(std::uint64_t id) const {
    TIDAL_ASSIGN(const auto row, store_.get(session_row_key(kShownPrefix, id)));
    if (!row) return std::vector<EntityId>();
    return decode_shown(*row);
}

std::vector<std::uint64_t> Sessions::of(const EntityId& user) const {
    const auto found = of_users_.find(user);
    return found == of_users_.end() ? std::vector<std::uint64_t>() : found->second;
}

void Sessions::put(std::uint64_t id, const Session& session) {
    store_.put(session_row_key(kSessionPrefix, id), encode_session(session));
}

Result<bool> Sessions::begin(const record::SessionBody& body, HybridTime stamp) {
    TIDAL_ASSIGN(const auto known, find(body.session));
    // Ids are drawn from 2^43: the same one of the same user is the same call, come twice.
    if (known && known->user == *body.user && known->agent == body.agent &&
        known->limits == body.limits)
        return true;
    if (known)
        return Error(ErrorCode::kConflict, "another session has this id")
            .with_reason("session_id_taken")
            .with_field("session_id")
            .with_hint("try again: another id is drawn");
    if (of(*body.user).size() >= kEachMax) return no_room("the user", kEachMax);
    if (places_.size() >= options_.sessions_max)
        return no_room("the user's shard", options_.sessions_max);
    const Session session = Session::begin(body, stamp);
    put(body.session, session);
    place(body.session, session);
    return false;
}

void Sessions::end(std::uint64_t id, Session* session, UnixMillis at_ms) {
    session->close(at_ms);
    put(id, *session);
    place(id, *session);
}

Result<void> Sessions::show(const record::SessionBody& body) {
    TIDAL_ASSIGN(auto all, shown(body.session));
    add_shown(body.shown, &all);
    store_.put(session_row_key(kShownPrefix, body.session), encode_shown(all));
    return {};
}

Result<bool> Sessions::apply(const record::SessionBody& body, std::uint64_t sequence,
                             HybridTime stamp) {
    const UnixMillis at_ms = stamp.wall_ms();
    if (body.act == record::SessionAct::kOpen) return begin(body, stamp);
    TIDAL_ASSIGN(Session session, get(body.session));
    if (body.act == record::SessionAct::kClose) {
        if (session.end != SessionEnd::kOpen) return true;
        end(body.session, &session, at_ms);
        return false;
    }
    if (body.act == record::SessionAct::kShow) {
        if (session.end_at(at_ms) != SessionEnd::kOpen) return true;
        TIDAL_TRY(show(body));
        return false;
    }
    TIDAL_ASSIGN(const bool fresh, session.admits(sequence, at_ms));
    if (!fresh) return true;
    TIDAL_TRY(session.annotate(body.annotations));
    session.last_sequence = std::max(session.last_sequence, sequence);
    put(body.session, session);
    return false;
}

Result<void> Sessions::sweep(UnixMillis now_ms) {
    for (std::size_t swept = 0; swept < kSweptMax && due(now_ms); ++swept) {
        const std::uint64_t id = due_.begin()->second;
        TIDAL_ASSIGN(Session session, get(id));
        if (session.end == SessionEnd::kOpen)
            end(id, &session, now_ms);
        else
            forget(id);
    }
    return {};
}

Result<void> Sessions::erase_user(const EntityId& user) {
    for (const std::uint64_t id : of(user)) forget(id);
    return {};
}

}  // namespace tidal::audience
