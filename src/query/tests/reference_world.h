// query/tests/reference_world.h: items over any number of shards, what users did with them, and all
// that is asked of them by brute force.
#pragma once

#include <cmath>

#include "base/hash.h"
#include "query/feed.h"
#include "query/tests/personal_shard.h"
#include "query/tests/reference_search.h"
#include "ranking/tests/reference_evaluator.h"

namespace tidal::query {

inline const EntityId kReader{std::uint64_t{77}};  ///< Whose states the world has.
/// The last of five has done nothing.
inline EntityId friend_of_reader(std::uint64_t number) {
    return EntityId(101 + number);
}
inline constexpr CollectionId kPicks{5};
inline constexpr CohortId kFans{3};

struct ReferenceWorld {
    std::vector<ranking::SampleItem> items;
    std::map<EntityId, PersonalShard*> homes;
    std::map<std::pair<EntityId, std::string>, std::vector<float>> vectors;  ///< And their slot.
    std::set<EntityId> hidden, seen;                                         ///< Of kReader.
    std::map<EntityId, double> collected;                        ///< In kPicks, and where in it.
    std::map<EntityId, double> likes;                            ///< How many liked an item,
    std::map<std::pair<EntityId, EntityId>, double> liked_both;  ///< or both.
    /// Who gave an item a signal, of those the reader may have for friends.
    std::map<std::pair<EntityId, std::string>, std::set<EntityId>> engaged;
    ReferenceTexts texts;
    /// Of users of kFans.
    std::map<std::pair<EntityId, std::string>, std::vector<signal::LedgerEvent>> of_fans;

    static bool open(const ranking::SampleItem& item) {
        return (!item.publish_at || *item.publish_at <= kFilterNow) &&
               (!item.expires_at || *item.expires_at > kFilterNow);
    }
    double window(const EntityId& item, const std::string& signal, std::string_view window,
                  bool counts) const {
        const auto value = homes.at(item)->items.window(
            item, signal, *schema::window_from_name(window), kFilterNow);
        return counts ? static_cast<double>(value.count)
                      : static_cast<double>(value.sum) / 1048576.0;
    }
    /// As the ledger rounds it, which is held against the formula here: so whatever is computed
    /// from it can be compared to the last bit.
    double decayed(const EntityId& item, const std::string& signal) const {
        PersonalShard& home = *homes.at(item);
        const Slot slot = home.slot(item);
        double out = 0;
        const auto read = home.view().ledgers[0]->read_decayed(
            home.items.schema().find_signal(signal)->id, {&slot, 1}, kFilterNow, {&out, 1});
        EXPECT_TRUE(read.ok());
        const double wanted = home.items.decayed(item, signal, kFilterNow);
        EXPECT_NEAR(out, wanted, 1e-9 * wanted) << item.to_string() << " " << signal;
        return out;
    }
    double popularity(const EntityId& item) const {
        double out = 0;
        for (const auto& signal : homes.at(item)->items.schema().signals)
            if (signal.polarity == schema::Polarity::kPositive) out += decayed(item, signal.name);
        return out;
    }
    /// Of the cohort's users in a window, or where nothing is kept of it everybody's.
    double of_cohort(const FeedCohort& cohort, const EntityId& item, const std::string& signal,
                     std::string_view window) const {
        if (!cohort.id) return this->window(item, signal, window, true);
        const auto found = of_fans.find({item, signal});
        if (found == of_fans.end()) return 0;
        return static_cast<double>(
            signal::brute_window(found->second, *schema::window_from_name(window), kFilterNow)
                .count);
    }

    const std::vector<float>* vector_of(const EntityId& item, const std::string& slot) const {
        const auto found = vectors.find({item, slot});
        return found == vectors.end() ? nullptr : &found->second;
    }
    /// nullopt = there is none to start from.
    std::optional<std::vector<float>> anchor(const FeedRequest& request, const std::string& slot,
                                             ranking::Anchor from) const {
        if (from == ranking::Anchor::kVector && !request.vector.empty()) return request.vector;
        if (from == ranking::Anchor::kItem && request.similar_to)
            if (const auto* const values = vector_of(*request.similar_to, slot)) return *values;
        if (from == ranking::Anchor::kUser && request.user)
            // Not more than one of what is liked has a vector: their mean is that.
            for (const EntityId& item : request.user->liked)
                if (const auto* const values = vector_of(item, slot)) return *values;
        return std::nullopt;
    }
    /// Exact for the vectors there are (random_vector): no sum depends on its order.
    static double likeness(const std::string& slot, const std::vector<float>& a,
                           const std::vector<float>& b) {
        double dot = 0, a_squared = 0, b_squared = 0, apart = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double x = a[i], y = b[i];
            dot += x * y;
            a_squared += x * x;
            b_squared += y * y;
            apart += (x - y) * (x - y);
        }
        return slot == "flat" ? 1 / (1 + apart)
                              : dot / (std::sqrt(a_squared) * std::sqrt(b_squared));
    }
    double similarity(const FeedRequest& request, const EntityId& item,
                      const std::string& slot) const {
        using ranking::Anchor;
        const auto* const own = vector_of(item, slot);
        if (own == nullptr) return 0;
        for (const Anchor from : {Anchor::kVector, Anchor::kItem, Anchor::kUser})
            if (const auto start = anchor(request, slot, from)) return likeness(slot, *start, *own);
        return 0;
    }

    double nearest_disliked(const FeedRequest& request, const EntityId& item,
                            const std::string& slot) const {
        std::optional<double> out;
        const auto* const own = vector_of(item, slot);
        const auto& disliked = request.user->disliked;
        for (std::size_t i = 0; own != nullptr && i < std::min<std::size_t>(disliked.size(), 20);
             ++i)
            if (const auto* const other = vector_of(disliked[i], slot))
                out = std::max(out.value_or(-2), likeness(slot, *own, *other));
        return out.value_or(0);
    }
    double friends(const FeedRequest& request, const EntityId& item,
                   const std::string& signal) const {
        const auto found = engaged.find({item, signal});
        if (found == engaged.end()) return 0;
        return static_cast<double>(std::ranges::count_if(
            request.user->friends, [&](const auto& one) { return found->second.contains(one); }));
    }

    double co_engaged(const FeedRequest& request, const EntityId& item,
                      ranking::Anchor from) const {
        std::vector<EntityId> start;
        if (from == ranking::Anchor::kItem && request.similar_to) start = {*request.similar_to};
        if (from == ranking::Anchor::kUser && request.user) start = request.user->liked;
        if (std::ranges::find(start, item) != start.end()) return 0;
        const auto liked = [&](const EntityId& id) {
            const auto found = likes.find(id);
            return found == likes.end() ? 1 : std::max(1.0, found->second);
        };
        double out = 0, weight = 1;
        for (std::size_t i = 0; i < std::min<std::size_t>(start.size(), 20); ++i, weight *= 0.8)
            if (const auto found = liked_both.find({start[i], item}); found != liked_both.end())
                out += weight * found->second / std::sqrt(liked(start[i])) * found->second /
                       (found->second + 10);
        return out / std::sqrt(liked(item));
    }

    /// One leaf of an expression, by its text. @param params  By name.
    double leaf(const FeedRequest& request, const std::map<std::string, double>& params,
                const ranking::SampleItem& item, const std::string& text) const {
        using ranking::Anchor;
        if (text == "created_at") return static_cast<double>(*item.created_at);
        if (text == "age_hours")
            return static_cast<double>(kFilterNow - *item.created_at) / 3'600'000.0;
        if (text == "co_engagement")
            return co_engaged(request, item.id, request.similar_to ? Anchor::kItem : Anchor::kUser);
        if (text == "popularity") return popularity(item.id);
        if (text == "random(seed)")
            return random(item.id, request.seed.value_or(std::uint64_t{kFilterNow}));
        const auto open = text.find('('), comma = text.find(", ");
        if (open == text.npos) return field(item, text);
        const std::string what = text.substr(0, open);
        const std::string one = text.substr(open + 1, text.size() - open - 2);
        if (what == "param") return params.at(one);
        if (what == "decay") return decayed(item.id, one);
        if (what == "state") return seen.contains(item.id);
        if (what == "similarity") return similarity(request, item.id, one);
        if (what == "nearest_disliked") return nearest_disliked(request, item.id, one);
        if (what == "friends") return friends(request, item.id, one);
        if (what == "follows")
            return item.creator && request.user->followed.contains(*item.creator);
        if (what == "affinity") return affinity(*request.user, item);
        if (what == "days_since_last") return days_since_last(*request.user, one);
        if (what == "distance_km") return distance_km(item, params, text);
        if (what == "cohort") return of_cohort(*request.cohort, item.id, "view", "7d");
        const std::string signal = text.substr(open + 1, comma - open - 1);
        if (what == "unique") return homes.at(item.id)->items.users(item.id, signal);
        const std::string name = text.substr(comma + 2, text.size() - comma - 3);
        return window(item.id, signal, name, what == "count");
    }

    /// The first 53 bits of XXH3 of the id in eight bytes.
    static double random(const EntityId& id, std::uint64_t seed) {
        std::string bytes;
        for (int i = 0; i < 8; ++i)
            bytes += static_cast<char>(static_cast<unsigned char>(id.number() >> (8 * i)));
        return static_cast<double>(hash64(bytes, seed) / 2048) / 9007199254740992.0;
    }

private:
    static double affinity(const Viewer& user, const ranking::SampleItem& item) {
        if (!item.creator) return 0;
        const auto found = user.affinities.find(*item.creator);
        return found == user.affinities.end() ? 0 : found->second;
    }
    static double days_since_last(const Viewer& user, const std::string& polarity) {
        const auto newest =
            polarity == "positive" ? user.newest_positive_ms : user.newest_negative_ms;
        const UnixMillis then = newest ? *newest : 0;
        return then > kFilterNow ? 0 : static_cast<double>(kFilterNow - then) / 86'400'000.0;
    }
    /// Haversine; distance_test.cc checks it by another formula.
    static double distance_km(const ranking::SampleItem& item,
                              const std::map<std::string, double>& params,
                              const std::string& text) {
        const auto place = item.fields.find("place");
        if (place == item.fields.end()) return 0;
        const auto comma = text.find(", "), second = text.find(", ", comma + 2);
        const auto degrees = [&](const std::string& from) {
            return from.starts_with("param(") ? params.at(from.substr(6, 1)) : std::stod(from);
        };
        constexpr double kRadians = 3.14159265358979323846 / 180;
        const double latitude = degrees(text.substr(comma + 2)),
                     longitude = degrees(text.substr(second + 2));
        const auto& at = std::get<record::GeoPoint>(place->second);
        const double north = std::sin((at.latitude - latitude) * kRadians / 2),
                     east = std::sin((at.longitude - longitude) * kRadians / 2);
        const double h = north * north + std::cos(latitude * kRadians) *
                                             std::cos(at.latitude * kRadians) * (east * east);
        return 2 * 6371.0088 * std::asin(std::sqrt(std::clamp(h, 0.0, 1.0)));
    }
    static double field(const ranking::SampleItem& item, const std::string& name) {
        const auto found = item.fields.find(name);
        if (found == item.fields.end()) return name == "quality" ? 0.5 : 0;
        if (const bool* flag = std::get_if<bool>(&found->second)) return *flag;
        if (const double* number = std::get_if<double>(&found->second)) return *number;
        return static_cast<double>(std::get<std::int64_t>(found->second));
    }
};

}  // namespace tidal::query
