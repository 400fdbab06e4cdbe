#include "audience/session.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cassert>
#include <limits>

namespace tidal::audience {
namespace {

bool is_newer_like(const SessionLike& a, const SessionLike& b) {
    return a.at_ms != b.at_ms ? a.at_ms > b.at_ms : a.item > b.item;
}

void note(SessionLike like, std::vector<SessionLike>* likes) {
    const auto found = std::ranges::find(*likes, like.item, &SessionLike::item);
    if (found != likes->end()) {
        like.at_ms = std::max(like.at_ms, found->at_ms);
        like.signals += found->signals;
        like.first = found->first;
        likes->erase(found);
    }
    likes->insert(std::ranges::lower_bound(*likes, like, is_newer_like), std::move(like));
    if (likes->size() > Session::kLikesMax) likes->pop_back();
}

/// Sums of weights end at the ends of their type.
record::FixedWeight add(record::FixedWeight sum, record::FixedWeight weight) {
    constexpr auto kMost = std::numeric_limits<record::FixedWeight>::max();
    if (weight > 0 && sum > kMost - weight) return kMost;
    if (weight < 0 && sum < -kMost - weight) return -kMost;
    return sum + weight;
}

Error over(SessionEnd end) {
    const bool expired = end == SessionEnd::kExpired;
    return Error(ErrorCode::kGone,
                 expired ? "the session is over: its time is up" : "the session was closed")
        .with_reason(expired ? "session_expired" : "session_closed")
        .with_field("session_id")
        .with_hint("open another one");
}

}  // namespace

Session Session::begin(const record::SessionBody& body, HybridTime stamp) {
    Session out;
    out.user = *body.user;
    out.agent = body.agent;
    out.limits = body.limits;
    out.opened = stamp;
    out.expires_ms = stamp.wall_ms() + static_cast<UnixMillis>(body.limits.duration_ms);
    out.units = body.limits.burst * kTokenUnits;
    out.filled_ms = stamp.wall_ms();
    for (const auto& [key, value] : body.annotations)
        if (!value.empty()) out.annotations.emplace_back(key, value);
    return out;
}

SessionEnd Session::end_at(UnixMillis at_ms) const {
    if (end == SessionEnd::kOpen && at_ms >= expires_ms) return SessionEnd::kExpired;
    return end;
}

std::uint64_t Session::units_at(UnixMillis at_ms) const {
    if (at_ms <= filled_ms) return units;
    const std::uint64_t most = limits.burst * kTokenUnits;
    // A bucket is full after burst / per_minute minutes: longer spans need not be multiplied.
    const auto span_ms = static_cast<std::uint64_t>(at_ms - filled_ms);
    if (span_ms >= most / limits.per_minute + 1) return most;
    return std::min(most, units + span_ms * limits.per_minute);
}

Result<bool> Session::admits(std::uint64_t sequence, UnixMillis at_ms) const {
    if (sequence != 0 && sequence <= last_sequence) return false;
    const SessionEnd now = end_at(at_ms);
    if (now != SessionEnd::kOpen) return over(now);
    return true;
}

Result<bool> Session::admits(const record::SignalBody& signal, std::uint64_t sequence,
                             UnixMillis at_ms) const {
    if (signal.user && *signal.user != user)
        return Error(ErrorCode::kInvalidArgument, "the session is another user's")
            .with_reason("foreign_session")
            .with_field("user_id")
            .with_hint("leave user_id out, or name the session's");
    TIDAL_ASSIGN(const bool fresh, admits(sequence, at_ms));
    if (!fresh) return false;
    if (!limits.signals.empty() && !std::ranges::binary_search(limits.signals, signal.signal))
        return Error(ErrorCode::kForbidden,
                     "the session's policy `" + limits.policy + "` does not allow this signal")
            .with_reason("signal_not_allowed")
            .with_field("signal")
            .with("policy", limits.policy);
    TIDAL_TRY(check_rate(at_ms));
    return true;
}

Result<void> Session::check_rate(UnixMillis at_ms) const {
    const std::uint64_t there = units_at(at_ms);
    if (there >= kTokenUnits) return {};
    const std::uint64_t per_ms = limits.per_minute;
    return Error(ErrorCode::kOverloaded, "the session's policy `" + limits.policy + "` allows " +
                                             std::to_string(limits.per_minute) +
                                             " signals a minute")
        .with_reason("session_rate")
        .with("policy", limits.policy)
        .with("retry_after_ms", (kTokenUnits - there + per_ms - 1) / per_ms);
}

Result<void> Session::spend(UnixMillis at_ms) {
    TIDAL_TRY(check_rate(at_ms));
    units = units_at(at_ms) - kTokenUnits;
    filled_ms = std::max(filled_ms, at_ms);
    return {};
}

void Session::count(const record::SignalBody& signal, const schema::SignalSpec& spec,
                    std::uint64_t sequence, HybridTime stamp, UnixMillis event_ms) {
    [[maybe_unused]] const auto spent = spend(stamp.wall_ms());
    assert(spent.ok());
    last_sequence = std::max(last_sequence, sequence);
    auto found = std::ranges::lower_bound(counts, signal.signal, {},
                                          &std::pair<SignalTypeId, std::uint64_t>::first);
    if (found == counts.end() || found->first != signal.signal)
        found = counts.insert(found, {signal.signal, 0});
    ++found->second;
    if (spec.polarity == schema::Polarity::kNeutral) return;
    const bool positive = spec.polarity == schema::Polarity::kPositive;
    reward = add(reward, positive ? signal.weight : -signal.weight);
    if (positive && spec.target == EntityKind::kItem)
        note({signal.item, event_ms, 1, stamp}, &likes);
}

void Session::take_back(const record::SignalBody& signal, const schema::SignalSpec& spec,
                        HybridTime stamp) {
    const auto counted = std::ranges::lower_bound(counts, signal.signal, {},
                                                  &std::pair<SignalTypeId, std::uint64_t>::first);
    if (counted != counts.end() && counted->first == signal.signal && --counted->second == 0)
        counts.erase(counted);
    if (spec.polarity == schema::Polarity::kNeutral) return;
    const bool positive = spec.polarity == schema::Polarity::kPositive;
    reward = add(reward, positive ? -signal.weight : signal.weight);
    if (!positive || spec.target != EntityKind::kItem) return;
    const auto like = std::ranges::find(likes, signal.item, &SessionLike::item);
    // One that was dropped for newer items, and liked again since, does not hold it.
    if (like == likes.end() || stamp < like->first) return;
    if (--like->signals == 0) likes.erase(like);
}

Result<void> Session::annotate(const record::Annotations& changes) {
    record::Annotations next = annotations;
    for (const auto& [key, value] : changes) {
        auto at =
            std::ranges::lower_bound(next, key, {}, &std::pair<std::string, std::string>::first);
        const bool known = at != next.end() && at->first == key;
        if (value.empty()) {
            if (known) next.erase(at);
        } else if (known) {
            at->second = value;
        } else {
            next.insert(at, {key, value});
        }
    }
    std::size_t bytes = 0;
    for (const auto& [key, value] : next) bytes += key.size() + value.size();
    if (next.size() > record::kAnnotationsMax || bytes > record::kAnnotationBytesMax)
        return Error(ErrorCode::kInvalidArgument, "the session has no room for these annotations")
            .with_reason("too_many_annotations")
            .with_field("annotations")
            .with_hint("at most 32, with 1 KiB of keys and values; an empty value ends one");
    annotations = std::move(next);
    return {};
}

void Session::close(UnixMillis at_ms) {
    end = end_at(at_ms) == SessionEnd::kExpired ? SessionEnd::kExpired : SessionEnd::kClosed;
    ended_ms = end == SessionEnd::kExpired ? expires_ms : at_ms;
}

void add_shown(const std::vector<EntityId>& now, std::vector<EntityId>* shown) {
    const absl::flat_hash_set<EntityId> again(now.begin(), now.end());
    std::erase_if(*shown, [&](const EntityId& id) { return again.contains(id); });
    absl::flat_hash_set<EntityId> added;
    for (const EntityId& id : now)
        if (added.insert(id).second) shown->push_back(id);
    std::size_t kept = 0, bytes = 0;
    while (kept < std::min(shown->size(), record::kShownMax)) {
        const EntityId& id = (*shown)[shown->size() - 1 - kept];
        bytes += 10 + (id.is_text() ? id.text().size() : 0);
        if (bytes > kShownBytes) break;
        ++kept;
    }
    shown->erase(shown->begin(), shown->end() - static_cast<std::ptrdiff_t>(kept));
}

}  // namespace tidal::audience
