// What users liked and disliked, through the database: affinities, preferences, pairs and nearness
// to what was disliked equal a model of the log through lost power, clean stops, undos and deletes
// of users, whichever shards are involved.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "audience/tastes.h"
#include "ranking/anchor_vectors.h"
#include "sim_node.h"

namespace tidal::api {
namespace tastes_test {

constexpr std::uint64_t kItems = 40, kCreators = 5, kUsers = 6;
/// Only the first of them are disliked: all that a score looks at.
constexpr std::uint64_t kDisliked = ranking::AnchorVectors::kDislikedMax;

class Tastes : public testing::TestWithParam<std::uint16_t> {
protected:
    struct Event {
        std::uint64_t user, item;
        bool like;
        double weight;
        UnixMillis at_ms;
        std::string key;
    };

    Tastes() : node_(options()) {}
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        return out;
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    static std::uint64_t creator_of(std::uint64_t item) { return 1 + item % kCreators; }

    void write_something() {
        if (below(8) == 0 && !events_.empty()) return undo(below(events_.size()));
        if (below(60) == 0) return delete_user(1 + below(kUsers));
        const bool like = below(3) != 0;
        Event event{
            1 + below(kUsers),
            1 + below(like ? kItems : kDisliked),
            like,
            static_cast<double>(1 + below(12)) / 4,
            node_.runtime().clock().wall_ms() - static_cast<UnixMillis>(below(90)) * 24 * 3'600'000,
            {}};
        if (below(3) == 0) event.key = "key " + std::to_string(++keys_);
        SignalWrite write = signal(event.item, event.like ? "like" : "dislike");
        write.user_id = IdInput(event.user);
        write.weight = event.weight;
        write.at_ms = event.at_ms;
        write.idempotency_key = event.key;
        node_.put(write);
        events_.push_back(event);
    }
    void undo(std::size_t at) {
        if (events_[at].key.empty()) return;
        ASSERT_OK(node_.write_one(SignalUndo{events_[at].item, events_[at].key, {}}));
        events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void delete_user(std::uint64_t user) {
        node_.rest();
        EntityWrite write;
        write.kind = EntityKind::kUser;
        write.id = user;
        node_.put(write);
        EntityDelete gone;
        gone.kind = EntityKind::kUser;
        gone.id = user;
        node_.put(gone);
        std::erase_if(events_, [&](const Event& event) { return event.user == user; });
    }

    double affinity(std::uint64_t user, std::uint64_t creator, UnixMillis now_ms) const {
        double sum = 0;
        for (const Event& event : events_)
            if (event.user == user && creator_of(event.item) == creator)
                sum += (event.like ? 1 : -1) * event.weight *
                       std::exp2(-static_cast<double>(now_ms - event.at_ms) /
                                 static_cast<double>(audience::Taste::kAffinityHalfLifeMs));
        return sum;
    }
    bool likes(std::uint64_t user, std::uint64_t item) const {
        return std::ranges::any_of(events_, [&](const Event& event) {
            return event.user == user && event.item == item && event.like;
        });
    }

    /// Of unit vectors in the plane, so that a cosine is that of an angle.
    static double angle_of(std::uint64_t item) { return 0.7 * static_cast<double>(item); }
    double nearest_disliked(std::uint64_t user, std::uint64_t item) const {
        double best = -2;
        for (const Event& event : events_)
            if (event.user == user && !event.like)
                best = std::max(best, std::cos(angle_of(item) - angle_of(event.item)));
        return best == -2 ? 0 : best;
    }

    void compare() {
        node_.rest();
        for (std::uint64_t user = 1; user <= kUsers; ++user) {
            FeedCall call;
            call.profile = "loved";
            call.user_id = IdInput(user);
            call.limit = kItems;
            const auto page = node_->feed(call);
            ASSERT_TRUE(page.ok()) << page.error().to_string();
            ASSERT_EQ(page->items.size(), kItems);
            const UnixMillis now_ms = node_.runtime().clock().wall_ms();
            for (const FeedItem& item : page->items)
                ASSERT_NEAR(item.score, affinity(user, creator_of(item.entity.id.number()), now_ms),
                            1e-6)
                    << "user " << user;
            call.profile = "averse";
            const auto averse = node_->feed(call);
            ASSERT_TRUE(averse.ok()) << averse.error().to_string();
            ASSERT_EQ(averse->items.size(), kItems);
            for (const FeedItem& item : averse->items)
                ASSERT_NEAR(item.score, -nearest_disliked(user, item.entity.id.number()), 1e-5)
                    << "user " << user << " item " << item.entity.id.number();
            call.profile = "together";
            const auto pairs = node_->feed(call);
            ASSERT_TRUE(pairs.ok()) << pairs.error().to_string();
            for (const FeedItem& item : pairs->items)
                ASSERT_FALSE(likes(user, item.entity.id.number())) << "it starts from it";
            bool any = false;
            for (std::uint64_t item = 1; item <= kItems; ++item) any |= likes(user, item);
            ASSERT_TRUE(any || pairs->items.empty()) << "of a user who likes nothing";
        }
    }

    std::mt19937_64 random_{4711};
    SimNode node_;
    std::vector<Event> events_;
    std::uint64_t keys_ = 0;
};

TEST_P(Tastes, EqualAModelOfTheLog) {
    ASSERT_OK(node_.open());
    for (const char* text : {"profile loved version 1 { score affinity(creator); }",
                             "profile averse version 1 { score -nearest_disliked(default); }",
                             "profile together version 1 { candidates co_engaged(user); score "
                             "co_engagement; }"})
        ASSERT_OK(node_.wait([&](Database::Done done) {
            node_->put_profile(text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        }));
    for (std::uint64_t id = 1; id <= kItems; ++id) {
        node_.put(item(id, creator_of(id)));
        EmbeddingWrite vector;
        vector.id = id;
        vector.values = {static_cast<float>(std::cos(angle_of(id))),
                         static_cast<float>(std::sin(angle_of(id))), 0, 0};
        node_.put(vector);
    }
    for (int step = 0; step < 600; ++step) {
        ASSERT_NO_FATAL_FAILURE(write_something());
        if (step % 40 == 39) {
            ASSERT_NO_FATAL_FAILURE(compare());
        }
        if (step % 90 == 50) {
            ASSERT_OK(node_.checkpoint());
        }
        // In the middle of what is on its way between shards.
        if (step % 70 == 69) {
            ASSERT_OK(node_.crash_and_open());
        }
    }
    ASSERT_NO_FATAL_FAILURE(compare());
}

INSTANTIATE_TEST_SUITE_P(Shards, Tastes, testing::Values(1, 4));

}  // namespace tastes_test
}  // namespace tidal::api
