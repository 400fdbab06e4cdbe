// What a database has that the model of its logs has not, or the other way round.
#include <algorithm>
#include <cmath>

#include "api/tests/personal_model.h"
#include "audience/co_engagement.h"
#include "query/cohort.h"

namespace tidal::api {
namespace {

using audience::RingEntry;
using record::RelationshipKind;

constexpr double kRelative = 1e-9;

/// Whether `seen` is the sum of weights as they are now; which may cancel each other.
template <typename Weights>
bool is_sum(double seen, const Weights& weights, UnixMillis now_ms, UnixMillis half_life_ms) {
    double sum = 0, magnitude = 0;
    for (const auto& each : weights) {
        sum += PersonalModel::decayed(each.weight, now_ms - each.at_ms, half_life_ms);
        magnitude +=
            PersonalModel::decayed(std::abs(each.weight), now_ms - each.at_ms, half_life_ms);
    }
    return std::abs(seen - sum) <= kRelative * magnitude;
}

std::string of(const EntityId& user, const EntityId& item) {
    return " of user " + user.to_string() + " and " + item.to_string();
}

}  // namespace

std::string PersonalModel::difference(Database& database) const {
    const InnerView view(database);
    std::string out = unlike_effects();
    if (out.empty()) out = unlike_states(view);
    if (out.empty()) out = unlike_relationships(database);
    if (out.empty()) out = unlike_cohorts(view);
    if (out.empty()) out = unlike_users_of_cohorts(view);
    if (out.empty()) out = not_of_cohort(database);
    for (const EntityId& user : users_) {
        if (out.empty()) out = unlike_sessions(view, user);
        if (out.empty()) out = unlike_taste(view, user);
        if (out.empty()) out = unlike_page(database, user);
    }
    for (const auto& [item, creator] : items_)
        if (out.empty()) out = unlike_pairs(view, item);
    return out;
}

/// Every signal came to its user's taste once.
std::string PersonalModel::unlike_effects() const {
    if (accepted_ != arrived_) return "signals of sessions did not arrive, or more did";
    if (undone_there_ != undone_here_)
        return "what was taken back in sessions was not where it had arrived, or more was";
    for (const EntityId& user : users_) {
        const auto sent_to = sent_.find(user);
        const auto come_to = tastes_.find(user);
        std::vector<Event> sent, come;
        if (sent_to != sent_.end()) sent = sent_to->second;
        if (come_to != tastes_.end()) come = come_to->second.events;
        std::ranges::sort(sent);
        std::ranges::sort(come);
        if (sent != come)
            return "to the taste of user " + user.to_string() + " came " +
                   std::to_string(come.size()) + " signals of " + std::to_string(sent.size()) +
                   ", or others";
    }
    return {};
}

std::string PersonalModel::unlike_sessions(InnerView view, const EntityId& user) const {
    return view.with_state(view.home_of(EntityKind::kUser, user), [&](shard::ShardState& state) {
        std::set<std::uint64_t> expected;
        for (const auto& [id, session] : sessions_)
            if (session.user == user) expected.insert(id);
        const auto known = state.sessions().of(user);
        if (!std::ranges::equal(known, expected))
            return "user " + user.to_string() + " has " + std::to_string(known.size()) +
                   " sessions of " + std::to_string(expected.size()) + ", or others";
        for (const std::uint64_t id : known) {
            const auto seen = state.sessions().find(id);
            if (!seen.ok() || !*seen) return "no session " + std::to_string(id);
            const std::string unlike = unlike_session(**seen, sessions_.at(id));
            if (!unlike.empty()) return unlike + " of session " + std::to_string(id);
        }
        return std::string();
    });
}

std::string PersonalModel::unlike_session(const audience::Session& seen,
                                          const Session& expected) const {
    using audience::SessionEnd;
    if (seen.user != expected.user) return "the user";
    const bool expired = newest_ms_ >= expected.expires_ms;
    const SessionEnd end = expected.closed ? SessionEnd::kClosed
                           : expired       ? SessionEnd::kExpired
                                           : SessionEnd::kOpen;
    if (seen.end_at(newest_ms_) != end) return "the end";
    if (seen.last_sequence != expected.last_sequence) return "the last sequence";
    if (seen.reward != expected.reward) return "the reward";
    if (!std::ranges::equal(seen.counts, expected.counts, [](const auto& a, const auto& b) {
            return a.first == b.first && a.second == b.second;
        }))
        return "the counts";
    Session full = expected;
    full.refill(newest_ms_);
    if (seen.units_at(newest_ms_) != full.units) return "the tokens";
    std::vector<std::pair<UnixMillis, EntityId>> likes;
    for (const auto& [item, liked] : expected.likes) likes.emplace_back(liked.newest_ms, item);
    std::ranges::sort(likes, std::greater<>());
    if (!std::ranges::equal(likes, seen.likes, [](const auto& a, const auto& b) {
            return a.first == b.at_ms && a.second == b.item;
        }))
        return "what was liked";
    return {};
}

/// Of each item, for every cohort anybody counted in, in both windows.
std::string PersonalModel::unlike_cohorts(InnerView view) const {
    std::set<CohortId> cohorts;
    for (const auto& [user, of] : cohorts_of_) cohorts.insert(of.begin(), of.end());
    for (const auto& known : items_) {
        const EntityId& item = known.first;
        const std::string unlike =
            view.with_state(view.home_of(EntityKind::kItem, item), [&](shard::ShardState& state) {
                const auto slot = state.entities(EntityKind::kItem).find(item);
                if (!slot) return "no item " + item.to_string();
                for (const CohortId cohort : cohorts)
                    for (std::uint16_t id = 0; id < schema_->signals.size(); ++id)
                        for (const std::int64_t hours : {24, 168}) {
                            Counted sum;
                            const auto of = cohorts_.find({item, cohort, SignalTypeId(id)});
                            const std::int64_t now = hour_of(newest_ms_);
                            if (of != cohorts_.end())
                                for (const auto& [hour, cell] : of->second)
                                    if (hour >= now - hours && hour <= now) {
                                        sum.count += cell.count;
                                        sum.sum += cell.sum;
                                    }
                            audience::CohortLedgers::Sum seen;
                            state.cohorts().read(
                                cohort, SignalTypeId(id),
                                hours == 24 ? schema::Window::k24h : schema::Window::k7d,
                                {&*slot, 1}, newest_ms_, {&seen, 1});
                            if (seen.count != sum.count || seen.sum != sum.sum)
                                return "cohort " + std::to_string(cohort.value()) + " has " +
                                       std::to_string(seen.count) + " of " +
                                       std::to_string(sum.count) + " `" +
                                       schema_->signals[id].name + "` of item " + item.to_string();
                        }
                return std::string();
            });
        if (!unlike.empty()) return unlike;
    }
    return {};
}

/// Those seen in the eighth of the window at hand or one of the 8 before it.
std::string PersonalModel::unlike_users_of_cohorts(InnerView view) const {
    for (const auto& [key, views] : users_of_cohorts_) {
        const auto& [item, cohort, signal] = key;
        const schema::Window window = schema_->signals[signal.value()].unique->window;
        const std::int64_t eighth_ms = window == schema::Window::k24h ? 10'800'000 : 75'600'000;
        std::set<EntityId> users;
        for (const auto& [user, at_ms] : views) {
            const std::int64_t age = newest_ms_ / eighth_ms - at_ms / eighth_ms;
            if (age >= 0 && age <= 8) users.insert(user);
        }
        const CohortId of = cohort;
        const SignalTypeId of_signal = signal;
        const auto seen = view.with_state(view.home_of(EntityKind::kItem, item),
                                          [&, name = item](shard::ShardState& state) {
                                              return state.cohort_uniques().estimate(
                                                  *state.entities(EntityKind::kItem).find(name), of,
                                                  of_signal, window, newest_ms_);
                                          });
        if (seen != static_cast<double>(users.size()))
            return "cohort " + std::to_string(of.value()) + " has " + std::to_string(seen) +
                   " users, not " + std::to_string(users.size()) + ", of item " + item.to_string();
    }
    return {};
}

/// Nobody counts as a member of a cohort whose language was never theirs.
std::string PersonalModel::not_of_cohort(Database& database) const {
    for (const query::BoundCohort& cohort : database.cohorts()->all())
        for (const auto& [user, of] : cohorts_of_) {
            if (!of.contains(cohort.id)) continue;
            const auto languages = languages_of_.find(user);
            if (languages == languages_of_.end() || !languages->second.contains(cohort.cohort.name))
                return "user " + user.to_string() + " counts in cohort " + cohort.cohort.name;
        }
    return {};
}

std::string PersonalModel::unlike_states(InnerView view) const {
    for (const auto& each : items_) {
        const EntityId& item = each.first;
        const std::string unlike =
            view.with_state(view.home_of(EntityKind::kItem, item), [&](shard::ShardState& state) {
                const auto slot = state.entities(EntityKind::kItem).find(item);
                if (!slot) return "no item " + item.to_string();
                const audience::UserStates& states = state.user_states();
                for (const EntityId& user : users_)
                    for (std::uint16_t id = 0; id < states.names().size(); ++id) {
                        const std::string name(states.names().name(audience::StateId(id)));
                        const bool holds = states.holds(user, audience::StateId(id), *slot);
                        if (holds != states_.contains({user, name, item}))
                            return "state " + name + of(user, item) +
                                   (holds ? " holds" : " does not hold");
                    }
                return std::string();
            });
        if (!unlike.empty()) return unlike;
    }
    return {};
}

/// Also since when.
std::string PersonalModel::unlike_relationships(Database& database) const {
    using All = std::map<std::tuple<EntityId, RelationshipKind, EntityId>, UnixMillis>;
    All expected, seen;
    for (const auto& [at, since] : relationships_) expected[at] = since.wall_ms();
    for (const auto& [at, held] : states_) {
        const auto& [user, state, item] = at;
        if (state == "hidden")
            expected[{user, RelationshipKind::kHides, item}] = held.newest.wall_ms();
        if (state == "saved")
            expected[{user, RelationshipKind::kSaves, item}] = held.newest.wall_ms();
    }
    for (const EntityId& user : users_) {
        const auto reply = database.relationships({.user_id = user.number(), .kind = {}});
        if (!reply.ok()) return reply.error().to_string();
        for (const auto& one : reply->relationships)
            seen[{user, one.kind, one.target}] = one.since_ms;
    }
    for (const All* const all : {&expected, &seen})
        for (const auto& [at, since_ms] : *all) {
            const auto found = seen.find(at), wanted = expected.find(at);
            const auto& [user, kind, target] = at;
            const std::string what = std::string(relationship_name(kind)) + of(user, target);
            if (found == seen.end()) return what + " is lost";
            if (wanted == expected.end()) return what + " was never begun, or has ended";
            if (found->second != wanted->second)
                return what + " is since " + std::to_string(found->second) + ", not " +
                       std::to_string(wanted->second);
        }
    return {};
}

std::string PersonalModel::unlike_taste(InnerView view, const EntityId& user) const {
    static const Taste kNone;
    const auto known = tastes_.find(user);
    const Taste& expected = known == tastes_.end() ? kNone : known->second;
    const std::string whose = " of user " + user.to_string();
    return view.with_state(view.home_of(EntityKind::kUser, user), [&](shard::ShardState& state) {
        const audience::Taste* const taste = state.tastes().find(user);
        const audience::TasteParts parts =
            taste == nullptr ? audience::TasteParts() : taste->parts();
        if (parts.positives != newest_first(expected.positives)) return "what is liked" + whose;
        if (parts.negatives != newest_first(expected.negatives)) return "what is disliked" + whose;
        if (parts.creators.size() != expected.creators.size()) return "the creators" + whose;
        for (const auto& [creator, weights] : expected.creators)
            if (!is_sum(taste->affinity(creator, newest_ms_), weights, newest_ms_,
                        audience::Taste::kAffinityHalfLifeMs))
                return "the affinity to " + creator.to_string() + whose;
        return std::string();
    });
}

std::string PersonalModel::unlike_pairs(InnerView view, const EntityId& item) const {
    static const Together kNone;
    const auto known = together_.find(item);
    const Together& expected = known == together_.end() ? kNone : known->second;
    const std::string whose = " of item " + item.to_string();
    constexpr UnixMillis kHalfLifeMs = audience::Neighbours::kHalfLifeMs;
    return view.with_state(view.home_of(EntityKind::kItem, item), [&](shard::ShardState& state) {
        const auto slot = state.entities(EntityKind::kItem).find(item);
        const audience::NeighbourList* const list =
            slot ? state.co_engagement().find(*slot) : nullptr;
        const double decay = list == nullptr ? 1 : list->decay_to(newest_ms_);
        const double likes = list == nullptr ? 0 : list->events() * decay;
        if (!is_sum(likes, expected.likes, newest_ms_, kHalfLifeMs))
            return "how often it is liked together" + whose;
        if ((list == nullptr ? 0 : list->size()) != expected.others.size())
            return "the number of those liked together" + whose;
        for (std::size_t at = 0; list != nullptr && at < list->size(); ++at) {
            const auto other = expected.others.find(list->item(at));
            if (other == expected.others.end() ||
                !is_sum(list->weight(at) * decay, other->second, newest_ms_, kHalfLifeMs))
                return "the pair with " + list->item(at).to_string() + whose;
        }
        return std::string();
    });
}

/// All items but what they hid and whose creator they block.
std::string PersonalModel::unlike_page(Database& database, const EntityId& user) const {
    FeedCall call;
    call.profile = "new";
    call.user_id = IdInput(user.number());
    call.limit = 1000;
    call.confirmed = true;  // by the fence before it
    const auto page = database.feed(call);
    if (!page.ok()) return page.error().to_string();
    std::set<EntityId> shown, expected;
    for (const FeedItem& item : page->items) shown.insert(item.entity.id);
    for (const auto& [item, creator] : items_) {
        const bool blocked =
            creator && relationships_.contains({user, RelationshipKind::kBlocks, *creator});
        if (!blocked && !hides(user, item)) expected.insert(item);
    }
    if (shown == expected) return {};
    std::vector<EntityId> wrong;
    std::ranges::set_symmetric_difference(shown, expected, std::back_inserter(wrong));
    return "item " + wrong.front().to_string() + (shown.contains(wrong.front()) ? "" : " not") +
           " on the page of user " + user.to_string();
}

}  // namespace tidal::api
