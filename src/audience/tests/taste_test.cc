#include "audience/taste.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "audience/tastes.h"
#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace taste_test {

constexpr UnixMillis kDayMs = 24LL * 3'600'000, kNow = 1'790'000'000'000;
const EntityId kAda("ada"), kBob(2), kNina("nina");

HybridTime stamp(std::uint64_t n) {
    return HybridTime::from_bits(n);
}

std::vector<std::uint64_t> items(const std::vector<RingEntry>& ring) {
    std::vector<std::uint64_t> out;
    for (const RingEntry& entry : ring) out.push_back(entry.item.number());
    return out;
}

TasteEvent like(std::uint64_t item, UnixMillis at_ms, std::uint64_t committed) {
    return {.item = EntityId(item), .at_ms = at_ms, .stamp = stamp(committed)};
}

TEST(Taste, KeepsTheNewestItemsWhateverTheOrderOfArrival) {
    Taste taste;
    EXPECT_TRUE(taste.apply(like(1, 100, 1)));
    EXPECT_TRUE(taste.apply(like(2, 300, 2)));
    EXPECT_TRUE(taste.apply(like(3, 200, 3)));
    EXPECT_EQ(items(taste.parts().positives), (std::vector<std::uint64_t>{2, 3, 1}));
    EXPECT_FALSE(taste.apply(like(1, 400, 4))) << "it was there";
    EXPECT_EQ(items(taste.parts().positives), (std::vector<std::uint64_t>{1, 2, 3}));
    TasteEvent dislike = like(3, 500, 5);
    dislike.positive = false;
    EXPECT_FALSE(taste.apply(dislike));
    EXPECT_EQ(items(taste.parts().negatives), (std::vector<std::uint64_t>{3}));
    EXPECT_EQ(taste.liked_before(EntityId(1), 5),
              (std::vector<EntityId>{EntityId(2), EntityId(3)}));
    EXPECT_EQ(taste.liked_before(EntityId(1), 1), (std::vector<EntityId>{EntityId(2)}));
    EXPECT_TRUE(taste.liked_before(EntityId(9), 5).empty());
    for (std::uint64_t i = 0; i < 70; ++i)
        EXPECT_TRUE(taste.apply(like(1000 + i, 1'000 + static_cast<UnixMillis>(i), 6 + i)));
    EXPECT_EQ(taste.parts().positives.size(), Taste::kPositivesMax);
    EXPECT_EQ(taste.parts().positives.front().item, EntityId(1069));
    EXPECT_FALSE(taste.apply(like(5, 7, 100))) << "older than all that is kept";
    EXPECT_EQ(taste.parts().positives.size(), Taste::kPositivesMax);
}

TEST(Taste, TakesBackWhatASignalHeldAndNothingElse) {
    Taste taste;
    taste.apply(like(1, 100, 10));
    taste.apply(like(1, 200, 11));
    TasteEvent undo = like(1, 200, 11);
    undo.taken_back = true;
    taste.apply(undo);
    EXPECT_EQ(items(taste.parts().positives), (std::vector<std::uint64_t>{1}))
        << "another holds it";
    undo.stamp = stamp(9);
    taste.apply(undo);
    EXPECT_EQ(taste.parts().positives.size(), 1u)
        << "older than what is kept: it had left the ring";
    undo.stamp = stamp(10);
    taste.apply(undo);
    EXPECT_TRUE(taste.parts().positives.empty());
    taste.apply(undo);
    EXPECT_TRUE(taste.parts().positives.empty());
}

TEST(Taste, AffinityHalvesInThirtyDaysInAnyOrder) {
    Taste forward, backward;
    TasteEvent first = like(1, kNow, 1), second = like(2, kNow + 30 * kDayMs, 2);
    first.creator = second.creator = kNina;
    second.weight = 3;
    forward.apply(first);
    forward.apply(second);
    backward.apply(second);
    backward.apply(first);
    for (const Taste* const taste : {&forward, &backward}) {
        EXPECT_DOUBLE_EQ(taste->affinity(kNina, kNow + 30 * kDayMs), 3.5);
        EXPECT_DOUBLE_EQ(taste->affinity(kNina, kNow + 60 * kDayMs), 1.75);
        EXPECT_EQ(taste->affinity(kAda, kNow), 0);
    }
    TasteEvent dislike = second;
    dislike.positive = false;
    dislike.weight = 5;
    forward.apply(dislike);
    EXPECT_DOUBLE_EQ(forward.affinity(kNina, kNow + 30 * kDayMs), -1.5);
}

// Others had taken the user's place in between: the like is not in the affinity.
TEST(Tastes, TakingBackALikeOfBeforeAUserWasForgottenTurnsNoAffinity) {
    entity::MemoryStore store;
    auto all = Tastes::open({}, store).value();
    const auto of_nina = [](std::uint64_t item, std::uint64_t committed) {
        TasteEvent event = like(item, kNow, committed);
        event.creator = kNina;
        return event;
    };
    const auto undo = [](TasteEvent event) {
        event.taken_back = true;
        event.weight = -event.weight;
        return event;
    };
    TasteEvent strong = of_nina(1, 1), disliked = of_nina(9, 2);
    strong.weight = 5;
    disliked.positive = false;
    all->apply(kAda, strong);
    all->apply(kBob, disliked);
    all->set_bytes_max(1);
    all->apply(EntityId("new"), like(1, kNow + kDayMs, 3));
    ASSERT_EQ(all->find(kAda), nullptr);
    ASSERT_EQ(all->find(kBob), nullptr);
    all->set_bytes_max(1 << 20);
    all->apply(kAda, like(2, kNow, 4));
    all->apply(kAda, undo(strong));
    EXPECT_TRUE(all->find(kAda)->parts().creators.empty()) << "nothing is known of Nina";
    all->apply(kAda, of_nina(3, 5));
    all->apply(kAda, undo(strong));
    EXPECT_EQ(all->find(kAda)->affinity(kNina, kNow), 0) << "not below zero";
    const std::uint64_t hash = all->content_hash();
    all->freeze_rows();
    EXPECT_TRUE(all->write_frozen_rows());
    all = Tastes::open({}, store).value();
    EXPECT_EQ(all->content_hash(), hash);

    TasteEvent other = of_nina(4, 6);
    other.positive = false;
    all->apply(kAda, other);
    all->apply(kAda, undo(strong));
    EXPECT_EQ(all->find(kAda)->affinity(kNina, kNow), -1) << "what was disliked stays";
    all->apply(kBob, of_nina(5, 7));
    all->apply(kBob, undo(disliked));
    EXPECT_EQ(all->find(kBob)->affinity(kNina, kNow), 1) << "nor does a dislike add";
    all->apply(kBob, undo(of_nina(5, 7)));
    EXPECT_EQ(all->find(kBob)->affinity(kNina, kNow), 0) << "what is held is taken back";
}

TEST(Taste, KeepsTheCreatorsThatWeighMost) {
    Taste taste;
    for (std::uint64_t i = 0; i <= Taste::kCreatorsMax; ++i) {
        TasteEvent event = like(i, kNow, i + 1);
        event.creator = EntityId(i);
        event.weight = i == 77 ? 0.5 : 1;
        taste.apply(event);
    }
    EXPECT_EQ(taste.parts().creators.size(), Taste::kCreatorsMax);
    EXPECT_EQ(taste.affinity(EntityId(77), kNow), 0);
    EXPECT_EQ(taste.affinity(EntityId(78), kNow), 1);
}

/// As a checkpoint does, and a start after it.
std::unique_ptr<Tastes> restart(Tastes& all, entity::MemoryStore& store) {
    all.freeze_rows();
    EXPECT_TRUE(all.write_frozen_rows());
    return Tastes::open({}, store).value();
}

TEST(Tastes, OutliveARestartAndForgetWhoIsErased) {
    entity::MemoryStore store;
    auto all = Tastes::open({}, store).value();
    ASSERT_TRUE(all->apply(kAda, like(1, 100, 1)).has_value());
    ASSERT_TRUE(all->apply(kBob, like(1, 100, 2)).has_value());
    const TasteParts ada = all->find(kAda)->parts();
    EXPECT_TRUE(store.rows.empty()) << "written with checkpoints";
    const std::uint64_t hash = all->content_hash();
    all = restart(*all, store);
    EXPECT_EQ(all->content_hash(), hash);
    EXPECT_EQ(all->find(kAda)->parts(), ada);
    EXPECT_EQ(all->find(kNina), nullptr);
    all->erase_user(kAda, stamp(50));
    for (int life = 0; life < 2; ++life) {
        EXPECT_FALSE(all->apply(kAda, like(2, 200, 50)).has_value())
            << "committed before, arrived late";
        EXPECT_TRUE(all->find(kAda)->parts().positives.empty());
        EXPECT_EQ(all->find(kBob)->parts().positives.size(), 1u);
        all = restart(*all, store);
    }
    EXPECT_TRUE(all->apply(kAda, like(2, 200, 51)).has_value());
}

TEST(Tastes, RowsAreThoseOfTheCheckpointHoweverLateTheyAreWritten) {
    entity::MemoryStore store;
    auto all = Tastes::open({}, store).value();
    for (const EntityId& user : {kAda, kBob, kNina}) all->apply(user, like(1, 100, 1));
    const std::uint64_t then = all->content_hash();
    all->freeze_rows();
    all->apply(kAda, like(2, 200, 2));
    EXPECT_EQ(store.rows.size(), 1u) << "before it changes, as it was";
    EXPECT_FALSE(all->write_frozen_rows(1));
    all->apply(EntityId("new"), like(2, 200, 3));
    all->erase_user(kBob, stamp(9));
    while (!all->write_frozen_rows(1)) {
    }
    EXPECT_EQ(Tastes::open({}, store).value()->content_hash(), then);
    const std::uint64_t now = all->content_hash();
    all->freeze_rows();
    EXPECT_TRUE(all->write_frozen_rows());
    EXPECT_EQ(Tastes::open({}, store).value()->content_hash(), now);
}

TEST(Tastes, WithoutRoomWhoWasSilentLongestMakesPlace) {
    constexpr UnixMillis kHourMs = 3'600'000;
    entity::MemoryStore store;
    auto all = Tastes::open({}, store).value();
    all->apply(kAda, like(1, kNow, 1));
    all->apply(kBob, like(1, kNow + kHourMs, 2));
    all->apply(kAda, like(2, kNow + 2 * kHourMs, 3));
    all->set_bytes_max(all->stats().bytes);
    EXPECT_FALSE(all->apply(kNina, like(1, kNow, 4)).has_value()) << "silent for longer than Bob";
    EXPECT_EQ(all->find(kNina), nullptr);
    EXPECT_EQ(all->stats().refused, 1u);
    EXPECT_TRUE(all->apply(kNina, like(1, kNow + 2 * kHourMs, 5)).has_value());
    EXPECT_EQ(all->find(kBob), nullptr);
    EXPECT_EQ(all->stats().forgotten, 1u);
    const std::uint64_t bytes = all->stats().bytes;
    all = restart(*all, store);
    EXPECT_EQ(all->stats().bytes, bytes);
    EXPECT_EQ(all->find(kBob), nullptr) << "nor is there a row";

    // Who takes back what was liked last is as silent as before that.
    all->set_bytes_max(bytes);
    TasteEvent undo = like(2, kNow + 2 * kHourMs, 3);
    undo.taken_back = true;
    all->apply(kAda, undo);
    all->apply(kBob, like(1, kNow + 2 * kHourMs, 6));
    EXPECT_EQ(all->find(kAda), nullptr);
    EXPECT_NE(all->find(kNina), nullptr);

    // Who was erased keeps the stamp, and the place.
    all->erase_user(kNina, stamp(7));
    all->erase_user(kBob, stamp(7));
    all->set_bytes_max(1);
    EXPECT_FALSE(all->apply(kAda, like(1, kNow + 9 * kHourMs, 8)).has_value());
    EXPECT_EQ(all->find(kNina)->erased(), stamp(7));
    EXPECT_TRUE(all->apply(kNina, like(1, kNow, 9)).has_value());
}

TEST(Tastes, ABudgetThatIsLoweredComesDownWithWhoComes) {
    entity::MemoryStore store;
    auto all = Tastes::open({}, store).value();
    for (std::uint64_t user = 0; user < 100; ++user)
        all->apply(EntityId(user), like(1, kNow, user + 1));
    const std::uint64_t half = all->stats().bytes / 2;
    all->set_bytes_max(half);
    EXPECT_EQ(all->stats().users, 100u) << "what is there stays";
    for (std::uint64_t user = 100; user < 200; ++user) {
        EXPECT_TRUE(all->apply(EntityId(user), like(1, kNow, user + 1)).has_value());
        EXPECT_LE(all->stats().users, std::max<std::uint64_t>(50, 199 - user));
    }
    EXPECT_EQ(all->stats().users, 50u);
}

/// Whom others replace does not depend on when rows are written, or read again.
RC_GTEST_PROP(Tastes, WithoutRoomAreTheSameThroughRestarts, ()) {
    constexpr Tastes::Options kSmall{.bytes_max = 3'000};
    entity::MemoryStore store, quiet_store;
    auto all = Tastes::open(kSmall, store).value();
    const auto quiet = Tastes::open(kSmall, quiet_store).value();
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(200, rc::gen::arbitrary<std::uint32_t>());
    std::uint64_t committed = 0;
    for (const std::uint32_t step : steps) {
        const EntityId user = step % 2 == 0 ? EntityId(step / 2 % 12) : kNina;
        TasteEvent event = like(step / 24 % 5, kNow + step / 120 % 30 * kDayMs / 24, ++committed);
        event.positive = step % 3 != 0;
        event.taken_back = step % 11 == 0;
        if (step % 4 != 0) event.creator = EntityId(step / 30 % 3);
        if (event.taken_back) event.weight = -1;
        if (event.taken_back) event.stamp = stamp(committed / 2);
        if (step % 17 == 0) {
            all->erase_user(user, stamp(committed));
            quiet->erase_user(user, stamp(committed));
        }
        RC_ASSERT(all->apply(user, event) == quiet->apply(user, event));
        if (step % 5 == 0) all->freeze_rows();
        all->write_frozen_rows(step % 3);
        if (step % 13 == 0) {
            all->write_frozen_rows();
            all->freeze_rows();
            all->write_frozen_rows();
            all = Tastes::open(kSmall, store).value();
        }
        RC_ASSERT(all->content_hash() == quiet->content_hash());
        RC_ASSERT(all->stats().bytes == quiet->stats().bytes);
    }
}

/// All events of one user; rings and affinities are computed from scratch.
struct Model {
    struct Kept {
        TasteEvent event;
        bool undone = false;
    };
    std::vector<Kept> events;

    std::vector<std::uint64_t> ring(bool positive) const {
        std::map<std::uint64_t, UnixMillis> newest;
        std::map<std::uint64_t, int> held;
        for (const Kept& kept : events) {
            if (kept.event.positive != positive) continue;
            const std::uint64_t item = kept.event.item.number();
            if (!kept.undone) ++held[item];
            newest[item] =
                std::max(newest.try_emplace(item, INT64_MIN).first->second, kept.event.at_ms);
        }
        std::vector<std::pair<UnixMillis, std::uint64_t>> order;
        for (const auto& [item, count] : held) order.emplace_back(newest[item], item);
        std::ranges::sort(order, std::greater());
        std::vector<std::uint64_t> out;
        for (const auto& [at, item] : order) out.push_back(item);
        return out;
    }
    double affinity(const EntityId& creator, UnixMillis now_ms) const {
        double sum = 0;
        for (const Kept& kept : events)
            if (!kept.undone && kept.event.creator == creator)
                sum += (kept.event.positive ? 1 : -1) * kept.event.weight *
                       std::exp2(-static_cast<double>(now_ms - kept.event.at_ms) /
                                 static_cast<double>(Taste::kAffinityHalfLifeMs));
        return sum;
    }
};

/// Few items, so that nothing leaves a ring: what had left it does not come back with an undo. An
/// item whose signals were all taken back starts anew, as in the model below.
RC_GTEST_PROP(Tastes, EqualAModelThroughUndosAndRestarts, ()) {
    entity::MemoryStore store;
    auto all = Tastes::open({}, store).value();
    std::map<int, Model> models;
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(120, rc::gen::arbitrary<std::uint32_t>());
    std::uint64_t committed = 0;
    for (const std::uint32_t step : steps) {
        const int who = static_cast<int>(step % 2);
        const EntityId user(static_cast<std::uint64_t>(who));
        auto& events = models[who].events;
        if (step % 7 == 0) all = restart(*all, store);
        if (step % 5 == 0 && !events.empty()) {
            Model::Kept& kept = events[step / 5 % events.size()];
            if (kept.undone) continue;
            kept.undone = true;
            TasteEvent undo = kept.event;
            undo.taken_back = true;
            undo.weight = -undo.weight;
            all->apply(user, undo);
            // Nothing holds the item any more: its times go with it.
            const auto same = [&](const Model::Kept& other) {
                return other.event.item == undo.item && other.event.positive == undo.positive;
            };
            if (std::ranges::none_of(events, [&](const auto& e) { return same(e) && !e.undone; }))
                std::erase_if(events, same);
            continue;
        }
        TasteEvent event = like(step / 10 % 9, kNow + step / 90 % 1000 * kDayMs / 100, ++committed);
        event.positive = step % 3 != 0;
        event.weight = static_cast<double>(step % 13) / 4;
        if (step % 4 != 0) event.creator = EntityId(step / 20 % 3);
        events.push_back({event});
        all->apply(user, event);
    }
    for (const auto& [who, model] : models) {
        const Taste* const taste = all->find(EntityId(static_cast<std::uint64_t>(who)));
        RC_ASSERT(taste != nullptr || model.events.empty());
        if (taste == nullptr) continue;
        RC_ASSERT(items(taste->parts().positives) == model.ring(true));
        RC_ASSERT(items(taste->parts().negatives) == model.ring(false));
        for (std::uint64_t creator = 0; creator < 3; ++creator) {
            const UnixMillis now = kNow + 11 * kDayMs;
            RC_ASSERT(std::abs(taste->affinity(EntityId(creator), now) -
                               model.affinity(EntityId(creator), now)) < 1e-9);
        }
    }
}

TasteParts golden_taste() {
    TasteParts taste;
    taste.erased = stamp(7);
    taste.positives = {{EntityId("film"), kNow, 2, stamp(9)}, {EntityId(5), kNow - 1, 1, stamp(8)}};
    taste.negatives = {{EntityId(UINT64_MAX), -3, 1, stamp(10)}};
    taste.creators = {{EntityId(1), -0.25, kNow}, {kNina, 1e300, kNow}};
    return taste;
}
std::string encode(const TasteParts& parts) {
    return encode_taste(Taste(parts));
}

TEST(TasteRows, ReadAndWriteTheirGoldenBytes) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/taste_v1.txt");
    std::string hex, want;
    file >> hex;
    for (const char c : encode(golden_taste())) {
        want += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        want += "0123456789abcdef"[c & 15];
    }
    EXPECT_EQ(want, hex);
    EXPECT_EQ(decode_taste(encode(golden_taste())).value().parts(), golden_taste());
}

TEST(TasteRows, AreRefusedWhenDamaged) {
    const std::string bytes = encode(golden_taste());
    for (std::size_t end = 0; end < bytes.size(); ++end)
        EXPECT_FALSE(decode_taste(bytes.substr(0, end)).ok()) << end;
    TasteParts unsorted = golden_taste();
    std::swap(unsorted.positives[0], unsorted.positives[1]);
    EXPECT_FALSE(decode_taste(encode(unsorted)).ok());
    TasteParts doubled = golden_taste();
    doubled.creators[1].creator = EntityId(1);
    EXPECT_FALSE(decode_taste(encode(doubled)).ok());
    TasteParts infinite = golden_taste();
    infinite.creators[0].weight = INFINITY;
    EXPECT_FALSE(decode_taste(encode(infinite)).ok());
}

}  // namespace taste_test
}  // namespace tidal::audience
