#include "api/tests/personal_model.h"

#include <algorithm>

namespace tidal::api {
namespace {

using audience::RingEntry;
using record::RelationshipKind;

/// How many items liked before one it is paired with.
constexpr std::size_t kPairs = 5;

/// Of what is taken back and may not be in a sum.
template <typename Weights>
void bring_nearer_to_zero(Weights* weights, double weight, UnixMillis at_ms) {
    UnixMillis now_ms = at_ms;
    for (const auto& each : *weights) now_ms = std::max(now_ms, each.at_ms);
    const auto sum = [&] {
        double out = 0;
        for (const auto& each : *weights)
            out += PersonalModel::decayed(each.weight, now_ms - each.at_ms,
                                          audience::Taste::kAffinityHalfLifeMs);
        return out;
    };
    const double before = sum();
    if (before == 0 || (before > 0) == (weight > 0)) return;
    weights->push_back({weight, at_ms});
    const double after = sum();
    if ((after > 0) != (before > 0)) weights->push_back({-after, now_ms});
}

}  // namespace

void PersonalModel::take(const InnerView& where, ShardId shard, const record::Record& record) {
    const record::Envelope& envelope = record.envelope;
    newest_ms_ = std::max({newest_ms_, envelope.stamp.wall_ms(), envelope.event_time_ms});
    if (const auto* upsert = std::get_if<record::UpsertBody>(&record.body)) {
        if (upsert->kind == EntityKind::kUser)
            for (const record::FieldChange& change : upsert->fields)
                if (change.value &&
                    schema_->kind(EntityKind::kUser).fields[change.field.value()].name ==
                        "language")
                    languages_of_[upsert->id].insert(std::get<std::string>(*change.value));
        if (upsert->kind != EntityKind::kItem) return;
        std::optional<EntityId>& creator = items_[upsert->id];
        if (upsert->creator) creator = *upsert->creator;
    } else if (const auto* signal = std::get_if<record::SignalBody>(&record.body)) {
        take_signal(where, envelope, shard, *signal);
    } else if (const auto* undo = std::get_if<record::UndoBody>(&record.body)) {
        take_undo(where, envelope, shard, *undo);
    } else if (const auto* relation = std::get_if<record::RelationshipBody>(&record.body)) {
        const Key key(shard, envelope.principal, envelope.idempotency_key);
        if (envelope.idempotency_key.empty() || answered_.insert(key).second)
            take_relationship(envelope, *relation);
    } else if (const auto* rows = std::get_if<record::RelayBody>(&record.body)) {
        take_rows(where, envelope, shard, *rows);
    } else if (const auto* session = std::get_if<record::SessionBody>(&record.body)) {
        take_session(envelope, *session);
    } else if (const auto* sent = std::get_if<record::SessionSignalBody>(&record.body)) {
        take_session_signal(where, envelope, shard, *sent);
    } else if (const auto* under = std::get_if<record::SessionUndoBody>(&record.body)) {
        take_session_undo(where, envelope, shard, *under);
    } else if (const auto* erasure = std::get_if<record::EraseUserBody>(&record.body)) {
        ++erased_;
        erase(where, shard, erasure->user);
        std::erase_if(relationships_,
                      [&](const auto& each) { return std::get<0>(each.first) == erasure->user; });
        std::erase_if(sessions_,
                      [&](const auto& each) { return each.second.user == erasure->user; });
        Taste& taste = tastes_[erasure->user];
        taste.erased = HybridTime::from(envelope.stamp.wall_ms(), UINT16_MAX);
        taste.positives.clear();
        taste.negatives.clear();
        taste.creators.clear();
    }
}

/// What one shard has of a user who is no user of its own.
void PersonalModel::erase(const InnerView& where, ShardId shard, const EntityId& user) {
    const auto is_of_shard = [&](const auto& each) {
        const auto& [whose, state, item] = each.first;
        return whose == user && where.home_of(EntityKind::kItem, item) == shard;
    };
    std::erase_if(states_, is_of_shard);
    std::erase_if(ended_, is_of_shard);
    std::erase_if(relationships_, [&](const auto& each) {
        const auto& [whose, kind, target] = each.first;
        return kind == RelationshipKind::kFriends && target == user &&
               where.home_of(EntityKind::kUser, whose) == shard;
    });
}

void PersonalModel::take_signal(const InnerView& where, const record::Envelope& envelope,
                                ShardId shard, const record::SignalBody& body) {
    const Key key(shard, envelope.principal, envelope.idempotency_key);
    const bool keyed = !envelope.idempotency_key.empty();
    if (keyed && !answered_.insert(key).second) return;
    Sent sent{.body = body,
              .creator = body.creator ? body.creator : items_.at(body.item),
              .at_ms = envelope.event_time_ms,
              .stamp = envelope.stamp,
              .key = envelope.idempotency_key,
              .undone = false,
              .cohorts = envelope.cohorts,
              .arrived = {},
              .session = 0};
    apply(where, shard, sent, false);
    if (keyed) by_key_.emplace(key, std::move(sent));
}

void PersonalModel::take_undo(const InnerView& where, const record::Envelope& envelope,
                              ShardId shard, const record::UndoBody& body) {
    const auto found = by_key_.find({shard, envelope.principal, body.key});
    if (found == by_key_.end() || found->second.undone || found->second.session != 0) return;
    found->second.undone = true;
    ++undone_;
    apply(where, shard, found->second, true);
}

void PersonalModel::apply(const InnerView& where, ShardId shard, const Sent& sent,
                          bool taken_back) {
    count_in_cohorts(sent, taken_back ? -1 : 1);
    if (!sent.body.user) return;
    const EntityId& user = *sent.body.user;
    const schema::SignalSpec& spec = schema_->signals[sent.body.signal.value()];
    users_.insert(user);
    const bool in_session = sent.arrived != HybridTime();
    if (!in_session || !taken_back)
        ++times_[{user, sent.body.item,
                  taken_back ? "undo " + sent.key : (in_session ? "in session " : "") + spec.name}];
    if (in_session)
        ++(taken_back ? undone_here_ : arrived_)[{user, sent.body.item, sent.body.signal}];
    mark(sent, taken_back);
    if (spec.polarity == schema::Polarity::kNeutral) return;
    const double weight = record::weight_to_double(sent.body.weight);
    const Event event{.stamp = sent.stamp,
                      .taken_back = taken_back,
                      .item = sent.body.item,
                      .creator = sent.creator,
                      .positive = spec.polarity == schema::Polarity::kPositive,
                      .weight = taken_back ? -weight : weight,
                      .at_ms = sent.at_ms};
    sent_[user].push_back(event);
    if (where.home_of(EntityKind::kUser, user) == shard) arrive(user, event);
}

void PersonalModel::mark(const Sent& sent, bool taken_back) {
    for (const std::string& state : schema_->signals[sent.body.signal.value()].sets_state) {
        const std::tuple at(*sent.body.user, state, sent.body.item);
        if (taken_back) {
            const auto found = states_.find(at);
            if (found == states_.end() || found->second.for_good) continue;
            found->second.undoable.erase(sent.stamp);
            if (found->second.undoable.empty()) states_.erase(found);
            continue;
        }
        // A hide under a session is stamped where it arrives.
        const bool waits = sent.arrived != HybridTime() && state == "hidden";
        const HybridTime stamp = waits ? sent.arrived : sent.stamp;
        if (const auto ended = ended_.find(at); ended != ended_.end() && stamp < ended->second)
            continue;
        Held& held = states_[at];
        held.newest = std::max(held.newest, stamp);
        if (!sent.key.empty()) {
            held.undoable.insert(sent.stamp);
        } else {
            held.for_good = true;
        }
    }
}

void PersonalModel::take_relationship(const record::Envelope& envelope,
                                      const record::RelationshipBody& body) {
    users_.insert(body.user);
    const std::string name(relationship_name(body.kind));
    ++times_[{body.user, body.target, body.ends ? "no longer " + name : name}];
    if (!record::is_of_items(body.kind)) {
        const std::tuple at(body.user, body.kind, body.target);
        if (body.ends) {
            relationships_.erase(at);
        } else {
            relationships_[at] = envelope.stamp;
        }
        return;
    }
    const std::string state = body.kind == RelationshipKind::kHides ? "hidden" : "saved";
    const std::tuple at(body.user, state, body.target);
    const auto held = states_.find(at);
    if (!body.ends) {
        const HybridTime newest = held == states_.end() ? HybridTime() : held->second.newest;
        states_[at] = {
            .for_good = true, .undoable = {}, .newest = std::max(newest, envelope.stamp)};
        return;
    }
    ended_[at] = envelope.stamp;
    if (held == states_.end()) return;
    // A session's shard may be ahead.
    if (held->second.newest < envelope.stamp) {
        states_.erase(held);
    } else {
        held->second = {.for_good = true, .undoable = {}, .newest = held->second.newest};
    }
}

void PersonalModel::take_session(const record::Envelope& envelope,
                                 const record::SessionBody& body) {
    const UnixMillis at_ms = envelope.stamp.wall_ms();
    const auto found = sessions_.find(body.session);
    if (body.act == record::SessionAct::kClose && found != sessions_.end())
        found->second.closed = found->second.closed || at_ms < found->second.expires_ms;
    if (body.act != record::SessionAct::kOpen || found != sessions_.end()) return;
    users_.insert(*body.user);
    opened_.insert(body.session);
    Session& session = sessions_[body.session];
    session.user = *body.user;
    session.limits = body.limits;
    session.expires_ms = at_ms + static_cast<UnixMillis>(body.limits.duration_ms);
    session.units = body.limits.burst * std::uint64_t{60'000};
    session.filled_ms = at_ms;
}

void PersonalModel::Session::refill(UnixMillis at_ms) {
    for (; filled_ms < at_ms && units < limits.burst * std::uint64_t{60'000}; ++filled_ms)
        units = std::min(units + limits.per_minute, limits.burst * std::uint64_t{60'000});
    filled_ms = std::max(filled_ms, at_ms);
}

/// The oldest goes where a newer one has no room.
void PersonalModel::Session::like(const EntityId& item, UnixMillis at_ms, HybridTime stamp) {
    Liked& liked = likes[item];
    liked.newest_ms = std::max(liked.newest_ms, at_ms);
    liked.signals.insert(stamp);
    if (likes.size() <= audience::Session::kLikesMax) return;
    likes.erase(std::ranges::min_element(likes, [](const auto& a, const auto& b) {
        return std::pair(a.second.newest_ms, a.first) < std::pair(b.second.newest_ms, b.first);
    }));
}

/// Whether the user's shard takes it, and its token.
bool PersonalModel::counts_in_session(const record::Envelope& envelope, Session& session) const {
    const UnixMillis at_ms = envelope.stamp.wall_ms();
    if (session.closed || at_ms >= session.expires_ms) return false;
    session.refill(at_ms);
    if (session.units < 60'000) return false;
    session.units -= 60'000;
    if (envelope.session_sequence != 0) session.last_sequence = envelope.session_sequence;
    return true;
}

/// In the shard of the user, which judges it.
void PersonalModel::take_session_signal(const InnerView& where, const record::Envelope& envelope,
                                        ShardId shard, const record::SessionSignalBody& body) {
    const auto found = sessions_.find(body.session);
    if (found == sessions_.end()) return;
    Session& session = found->second;
    const Key key(shard, envelope.principal, envelope.idempotency_key);
    const bool keyed = !envelope.idempotency_key.empty();
    if (keyed && answered_.contains(key)) return;
    const std::uint64_t sequence = envelope.session_sequence;  // 0 = not numbered.
    const bool known = sequence != 0 && sequence <= session.last_sequence;
    if (!known && !counts_in_session(envelope, session)) return;
    if (keyed) answered_.insert(key);
    if (known) return;
    const record::SignalBody& signal = body.signal;
    ++session.counts[signal.signal];
    ++accepted_[{session.user, signal.item, signal.signal}];
    const schema::Polarity polarity = schema_->signals[signal.signal.value()].polarity;
    if (polarity == schema::Polarity::kPositive) {
        session.reward += signal.weight;
        session.like(signal.item, envelope.event_time_ms, envelope.stamp);
    } else if (polarity == schema::Polarity::kNegative) {
        session.reward -= signal.weight;
    }
    Sent sent{.body = signal,
              .creator = signal.creator,
              .at_ms = envelope.event_time_ms,
              .stamp = envelope.stamp,
              .key = envelope.idempotency_key,
              .undone = false,
              .cohorts = envelope.cohorts,
              .arrived = envelope.stamp,
              .session = body.session};
    sent.body.user = session.user;
    if (keyed) by_key_.emplace(key, sent);
    // Another shard's log may not have been read yet, and its items are not known then.
    if (where.home_of(EntityKind::kItem, signal.item) != shard) return;
    if (!sent.creator) sent.creator = items_.at(signal.item);
    arrive_of_session(where, shard, std::move(sent), keyed);
}

/// In the shard of the item, as the signal itself would have come.
void PersonalModel::arrive_of_session(const InnerView& where, ShardId shard, Sent sent,
                                      bool keyed) {
    sent.key = keyed ? "of a session" : "";
    apply(where, shard, sent, false);
    if (keyed) by_stamp_.emplace(std::pair(*sent.body.user, sent.stamp), std::move(sent));
}

/// In the shard of the user, which judges it by what was counted under the key; one that nothing
/// was counted under costs a token, where there is one.
void PersonalModel::take_session_undo(const InnerView& where, const record::Envelope& envelope,
                                      ShardId shard, const record::SessionUndoBody& body) {
    const auto found = sessions_.find(body.session);
    const auto sent = by_key_.find({shard, envelope.principal, body.key});
    if (found == sessions_.end()) return;
    if (sent == by_key_.end() || sent->second.session != body.session ||
        sent->second.body.item != body.item) {
        found->second.refill(envelope.stamp.wall_ms());
        if (found->second.units >= 60'000) found->second.units -= 60'000;
        return;
    }
    if (sent->second.undone) return;
    sent->second.undone = true;
    const record::SignalBody& signal = sent->second.body;
    const HybridTime stamp = sent->second.stamp;
    Session& session = found->second;
    ++times_[{session.user, body.item, "undo " + body.key}];
    ++undone_there_[{session.user, signal.item, signal.signal}];
    if (--session.counts[signal.signal] == 0) session.counts.erase(signal.signal);
    const schema::Polarity polarity = schema_->signals[signal.signal.value()].polarity;
    if (polarity == schema::Polarity::kNegative) session.reward += signal.weight;
    if (polarity == schema::Polarity::kPositive) {
        session.reward -= signal.weight;
        const auto liked = session.likes.find(signal.item);
        if (liked != session.likes.end() && liked->second.signals.erase(stamp) > 0 &&
            liked->second.signals.empty())
            session.likes.erase(liked);
    }
    if (where.home_of(EntityKind::kItem, signal.item) == shard)
        undo_of_session(where, shard, session.user, stamp);
}

void PersonalModel::undo_of_session(const InnerView& where, ShardId shard, const EntityId& user,
                                    HybridTime stamp) {
    const auto sent = by_stamp_.find({user, stamp});
    if (sent != by_stamp_.end()) apply(where, shard, sent->second, true);
}

void PersonalModel::count_in_cohorts(const Sent& sent, std::int64_t count) {
    for (const CohortId cohort : sent.cohorts) {
        Counted& cell = cohorts_[{sent.body.item, cohort, sent.body.signal}][hour_of(sent.at_ms)];
        cell.count += count;
        cell.sum += count * sent.body.weight;
        if (!sent.body.user) continue;
        cohorts_of_[*sent.body.user].insert(cohort);
        if (count > 0 && schema_->signals[sent.body.signal.value()].unique)
            users_of_cohorts_[{sent.body.item, cohort, sent.body.signal}].emplace_back(
                *sent.body.user, sent.at_ms);
    }
}

/// Each row once, in the order of its stream.
void PersonalModel::take_rows(const InnerView& where, const record::Envelope& envelope,
                              ShardId shard, const record::RelayBody& body) {
    std::uint64_t& mark = marks_[{shard, body.source, body.source_incarnation, body.target}];
    for (const record::RelayRow& row : body.rows) {
        if (row.sequence != mark + 1) continue;
        mark = row.sequence;
        if (row.effect == record::RelayEffect::kErasure) erase(where, shard, row.target);
        const bool keyed = row.effect == record::RelayEffect::kKeyedSignal;
        if (keyed && row.count < 0) {
            undo_of_session(where, shard, *row.user, row.stamp);
        } else if (record::is_of_session(row.effect)) {
            record::SignalBody body_of_row;
            body_of_row.signal = row.signal;
            body_of_row.item = row.target;
            body_of_row.weight = row.weight;
            body_of_row.user = row.user;
            arrive_of_session(where, shard,
                              {.body = std::move(body_of_row),
                               .creator = row.creator ? row.creator : items_.at(row.target),
                               .at_ms = row.event_time_ms,
                               .stamp = row.stamp,
                               .key = {},
                               .undone = false,
                               .cohorts = row.cohorts,
                               .arrived = envelope.stamp,
                               .session = 0},
                              keyed);
        }
        if (row.effect != record::RelayEffect::kTaste) continue;
        arrive(row.target, {.stamp = row.stamp,
                            .taken_back = row.count < 0,
                            .item = *row.item,
                            .creator = row.creator,
                            .positive = schema_->signals[row.signal.value()].polarity ==
                                        schema::Polarity::kPositive,
                            .weight = record::weight_to_double(row.weight),
                            .at_ms = row.event_time_ms});
    }
}

void PersonalModel::arrive(const EntityId& user, const Event& event) {
    Taste& taste = tastes_[user];
    taste.events.push_back(event);
    if (event.stamp <= taste.erased) return;
    Ring& ring = event.positive ? taste.positives : taste.negatives;
    const auto found = ring.find(event.item);
    // Older signals were forgotten with the entry that they held.
    const bool held =
        !event.taken_back || (found != ring.end() && event.stamp >= found->second.first);
    const double weight = event.positive ? event.weight : -event.weight;
    if (event.creator && held) taste.creators[*event.creator].push_back({weight, event.at_ms});
    if (event.creator && !held && taste.creators.contains(*event.creator))
        bring_nearer_to_zero(&taste.creators[*event.creator], weight, event.at_ms);
    if (event.taken_back) {
        if (held && --found->second.signals == 0) ring.erase(found);
        return;
    }
    const std::size_t most =
        event.positive ? audience::Taste::kPositivesMax : audience::Taste::kNegativesMax;
    if (note(event, most, &ring) && event.positive) pair(event, ring);
}

/// @return whether the item is new in the ring.
bool PersonalModel::note(const Event& event, std::size_t most, Ring* ring) {
    const auto [place, added] =
        ring->try_emplace(event.item, RingEntry{event.item, event.at_ms, 1, event.stamp});
    if (!added) {
        RingEntry& entry = place->second;
        entry.at_ms = std::max(entry.at_ms, event.at_ms);
        entry.first = std::min(entry.first, event.stamp);
        ++entry.signals;
        return false;
    }
    if (ring->size() <= most) return true;
    const EntityId oldest = newest_first(*ring).back().item;
    ring->erase(oldest);
    ++dropped_;
    return oldest != event.item;
}

std::vector<RingEntry> PersonalModel::newest_first(const Ring& ring) {
    std::vector<RingEntry> out;
    for (const auto& [item, entry] : ring) out.push_back(entry);
    std::ranges::sort(out, [](const RingEntry& a, const RingEntry& b) {
        return std::tuple(a.at_ms, a.item) > std::tuple(b.at_ms, b.item);
    });
    return out;
}

void PersonalModel::pair(const Event& event, const Ring& ring) {
    const auto liked = newest_first(ring);
    const auto found = std::ranges::find(liked, event.item, &RingEntry::item);
    Together& of_item = together_[event.item];
    of_item.likes.push_back({1, event.at_ms});
    std::size_t left = kPairs;
    for (auto before = found + 1; before != liked.end() && left > 0; ++before, --left) {
        of_item.others[before->item].push_back({1, event.at_ms});
        together_[before->item].others[event.item].push_back({1, event.at_ms});
    }
}

std::int64_t PersonalModel::times(const EntityId& user, const EntityId& target,
                                  const std::string& what) const {
    const auto found = times_.find({user, target, what});
    return found == times_.end() ? 0 : found->second;
}

PersonalModel::Sizes PersonalModel::sizes() const {
    Sizes out{.states = states_.size(),
              .relationships = relationships_.size(),
              .positives = 0,
              .negatives = 0,
              .pairs = 0,
              .undone = undone_,
              .dropped = dropped_,
              .undone_in_sessions = undone_here_.size(),
              .sessions = sessions_.size(),
              .in_sessions = arrived_.size(),
              .erased = erased_,
              .cohort_cells = cohorts_.size(),
              .cohort_users = users_of_cohorts_.size()};
    for (const auto& [user, taste] : tastes_) {
        out.positives += taste.positives.size();
        out.negatives += taste.negatives.size();
    }
    for (const auto& [item, together] : together_) out.pairs += together.others.size();
    return out;
}

}  // namespace tidal::api
