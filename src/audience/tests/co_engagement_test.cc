#include "audience/co_engagement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace co_engagement_test {

constexpr UnixMillis kDayMs = 24LL * 3'600'000, kNow = 1'790'000'000'000;
const Slot kFilm(3);

std::vector<EntityId> ids(std::initializer_list<std::uint64_t> numbers) {
    std::vector<EntityId> out;
    for (const std::uint64_t number : numbers) out.emplace_back(number);
    return out;
}

/// What a list says at a moment, by id.
Neighbours at(const NeighbourList& list, UnixMillis now_ms) {
    Neighbours out = list.value();
    out.at_ms = now_ms;
    out.events *= list.decay_to(now_ms);
    for (Neighbour& item : out.items) item.weight *= list.decay_to(now_ms);
    return out;
}

TEST(CoEngagement, CountsPairsAndLikesAndHalvesThemInAYear) {
    NeighbourList film;
    film.count(ids({7, 5}), 1, kNow);
    film.count(ids({5}), 0, kNow);
    EXPECT_EQ(at(film, kNow).items, (std::vector<Neighbour>{{EntityId(5), 2}, {EntityId(7), 1}}));
    EXPECT_EQ(at(film, kNow).events, 1);
    const UnixMillis later = kNow + 365 * kDayMs;
    film.count({}, 1, later);
    EXPECT_DOUBLE_EQ(at(film, later).events, 1.5);
    EXPECT_DOUBLE_EQ(at(film, later).items[0].weight, 1);
    film.count(ids({7}), 1, kNow);
    EXPECT_DOUBLE_EQ(at(film, later).items[1].weight, 1)
        << "late: a half, beside the half that is there";
    film.count(ids({9}), 1, kNow - 365 * kDayMs);
    EXPECT_DOUBLE_EQ(at(film, later).items[2].weight, 0.25) << "before all others";
    EXPECT_DOUBLE_EQ(film.decay_to(kNow + 730 * kDayMs), 0.25);
    EXPECT_EQ(film.decay_to(kNow), 1);
}

TEST(CoEngagement, CountsThroughCenturies) {
    NeighbourList film;
    for (int year = 0; year < 2'000; year += 10)
        film.count(ids({static_cast<std::uint64_t>(year)}), 1, kNow + year * 365 * kDayMs);
    const Neighbours then = at(film, kNow + 1'990 * 365 * kDayMs);
    EXPECT_DOUBLE_EQ(then.events, 1 / (1 - std::exp2(-10)));
    EXPECT_DOUBLE_EQ(then.items.back().weight, 1);
    EXPECT_DOUBLE_EQ(then.items[then.items.size() - 2].weight, std::exp2(-10));
}

TEST(CoEngagement, KeepsTheHeaviestNeighbours) {
    NeighbourList film;
    for (std::uint64_t i = 0; i < Neighbours::kEach; ++i) film.count(ids({i, i}), 0, kNow);
    film.count(ids({1000}), 0, kNow);
    EXPECT_EQ(film.size(), Neighbours::kEach);
    EXPECT_EQ(film.value().items.back().item, EntityId(Neighbours::kEach - 1))
        << "the newcomer weighs less";
    film.count(ids({2000, 2000, 2000}), 0, kNow);
    EXPECT_EQ(film.value().items.back().item, EntityId(Neighbours::kEach - 1));
    film.count(ids({1000}), 0, kNow + 400 * kDayMs);
    EXPECT_EQ(film.value().items.front().item, EntityId(1))
        << "of those that weigh least the smallest id";
    EXPECT_EQ(film.value().items.back().item, EntityId(1000));
}

TEST(CoEngagement, TakesIdsOfAllKinds) {
    const EntityId odd[] = {EntityId("film"), EntityId(UINT64_MAX), EntityId(1ULL << 63),
                            EntityId(0), EntityId("")};
    NeighbourList film;
    for (const int times : {1, 2})
        for (const EntityId& id : odd) {
            film.count({&id, 1}, 0, kNow);
            const auto items = film.value().items;
            const auto found = std::ranges::find(items, id, &Neighbour::item);
            ASSERT_NE(found, items.end()) << id.to_string();
            EXPECT_EQ(found->weight, times);
        }
    EXPECT_EQ(film.size(), 5u);
    EXPECT_TRUE(std::ranges::is_sorted(film.value().items, {}, &Neighbour::item));
    NeighbourList numbers;
    numbers.count(ids({1, 2, 3, 4, 5}), 0, kNow);
    EXPECT_EQ(film.bytes(), numbers.bytes() + 4 * sizeof(EntityId) + 4)
        << "texts and large numbers lie apart";
}

TEST(CoEngagement, RowsFollowAndOutliveARestart) {
    entity::MemoryStore store;
    auto all = CoEngagement::open({}, store).value();
    for (std::uint32_t slot = 0; slot < 5; ++slot) all->count(Slot(slot), ids({9}), 1, kNow);
    EXPECT_TRUE(store.rows.empty());
    all->freeze_rows();
    EXPECT_FALSE(all->write_frozen_rows(2 * kRowCost));
    EXPECT_EQ(store.rows.size(), 2u);
    all->drop_item(Slot(0));
    all->drop_item(Slot(4));
    EXPECT_TRUE(all->write_frozen_rows());
    EXPECT_EQ(store.rows.size(), 3u);
    const std::uint64_t hash = all->content_hash(Slot(3)), bytes = all->stats().bytes;
    all = CoEngagement::open({}, store).value();
    EXPECT_EQ(all->stats().bytes, bytes) << "what is refused is the same on all replicas";
    EXPECT_EQ(all->content_hash(Slot(3)), hash);
    EXPECT_EQ(all->stats().items, 3u);
    EXPECT_EQ(all->stats().pairs, 3u);
    EXPECT_EQ(all->find(Slot(4)), nullptr);
    EXPECT_EQ(all->content_hash(Slot(4)), 0u);
}

TEST(CoEngagement, RowsAreThoseOfTheCheckpointHoweverLateTheyAreWritten) {
    entity::MemoryStore store;
    auto all = CoEngagement::open({}, store).value();
    for (std::uint32_t slot = 0; slot < 3; ++slot) all->count(Slot(slot), ids({9}), 1, kNow);
    const std::uint64_t then = all->content_hash(Slot(0));
    all->freeze_rows();
    all->count(Slot(0), ids({10}), 1, kNow);
    EXPECT_EQ(store.rows.size(), 1u) << "before it changes, as it was";
    all->count(Slot(0), ids({11}), 1, kNow);
    EXPECT_TRUE(all->write_frozen_rows());
    EXPECT_EQ(CoEngagement::open({}, store).value()->content_hash(Slot(0)), then);
    const std::uint64_t now = all->content_hash(Slot(0));
    all->freeze_rows();
    EXPECT_TRUE(all->write_frozen_rows());
    EXPECT_EQ(CoEngagement::open({}, store).value()->content_hash(Slot(0)), now);
}

TEST(CoEngagement, WithoutRoomCountsLikesAlone) {
    entity::MemoryStore store;
    auto all = CoEngagement::open({.bytes_max = 1}, store).value();
    all->count(kFilm, ids({1}), 1, kNow);
    all->count(kFilm, ids({2, 3}), 1, kNow);
    EXPECT_EQ(all->find(kFilm)->value().items, (std::vector<Neighbour>{{EntityId(1), 1}}));
    EXPECT_EQ(all->find(kFilm)->events(), 2);
    EXPECT_EQ(all->stats().refused, 2u);
}

RC_GTEST_PROP(CoEngagement, EqualsAModelThroughRestarts, ()) {
    struct Like {
        std::uint32_t slot;
        std::uint64_t other;
        UnixMillis at_ms;
    };
    entity::MemoryStore store;
    auto all = CoEngagement::open({}, store).value();
    std::vector<Like> model;
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(100, rc::gen::arbitrary<std::uint32_t>());
    for (const std::uint32_t step : steps) {
        const Like like{step % 3, step / 3 % 4, kNow + step / 12 % 2'000 * kDayMs};
        if (step % 11 == 0) {
            all->freeze_rows();
            all->write_frozen_rows();
            all = CoEngagement::open({}, store).value();
        } else if (step % 13 == 0) {
            all->drop_item(Slot(like.slot));
            std::erase_if(model, [&](const Like& one) { return one.slot == like.slot; });
        } else {
            all->count(Slot(like.slot), ids({like.other}), 1, like.at_ms);
            if (step % 5 == 0) all->freeze_rows();
            all->write_frozen_rows(step % 3);
            model.push_back(like);
        }
    }
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
        const NeighbourList* const list = all->find(Slot(slot));
        const Neighbours film = list == nullptr ? Neighbours() : at(*list, kNow + 2'000 * kDayMs);
        double events = 0;
        std::map<std::uint64_t, double> weights;
        for (const Like& like : model) {
            if (like.slot != slot) continue;
            const double weight = std::exp2(-static_cast<double>(film.at_ms - like.at_ms) /
                                            static_cast<double>(Neighbours::kHalfLifeMs));
            events += weight;
            weights[like.other] += weight;
        }
        RC_ASSERT((list == nullptr) == weights.empty());
        RC_ASSERT(std::abs(film.events - events) < 1e-9);
        RC_ASSERT(film.items.size() == weights.size());
        for (const Neighbour& item : film.items)
            RC_ASSERT(std::abs(item.weight - weights.at(item.item.number())) < 1e-9);
    }
}

Neighbours golden() {
    return {.at_ms = kNow,
            .events = 2.5,
            .items = {{EntityId(7), 1}, {EntityId(UINT64_MAX), 0.25}, {EntityId("film"), 3}}};
}

TEST(CoEngagementRows, ReadAndWriteTheirGoldenBytes) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/neighbours_v1.txt");
    std::string hex, got;
    file >> hex;
    for (const char c : encode_neighbours(golden())) {
        got += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        got += "0123456789abcdef"[c & 15];
    }
    EXPECT_EQ(got, hex);
    EXPECT_EQ(decode_neighbours(encode_neighbours(golden())).value(), golden());
}

TEST(CoEngagementRows, AreRefusedWhenDamaged) {
    const std::string bytes = encode_neighbours(golden());
    for (std::size_t end = 0; end < bytes.size(); ++end)
        EXPECT_FALSE(decode_neighbours(bytes.substr(0, end)).ok()) << end;
    Neighbours doubled = golden();
    doubled.items[1].item = doubled.items[0].item;
    EXPECT_FALSE(decode_neighbours(encode_neighbours(doubled)).ok());
    std::string unsorted = encode_neighbours({kNow, 1, {{EntityId(7), 1}, {EntityId(8), 1}}});
    std::swap(*std::ranges::find(unsorted, '\x7'), *std::ranges::find(unsorted, '\x8'));
    EXPECT_FALSE(decode_neighbours(unsorted).ok());
    Neighbours negative = golden();
    negative.items[0].weight = -1;
    EXPECT_FALSE(decode_neighbours(encode_neighbours(negative)).ok());
}

}  // namespace co_engagement_test
}  // namespace tidal::audience
