#include "audience/co_engagement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace {

constexpr UnixMillis kDayMs = 24LL * 3'600'000, kNow = 1'790'000'000'000;
const Slot kFilm(3);

std::vector<EntityId> ids(std::initializer_list<std::uint64_t> numbers) {
    std::vector<EntityId> out;
    for (const std::uint64_t number : numbers) out.emplace_back(number);
    return out;
}

TEST(CoEngagement, CountsPairsAndLikesAndHalvesThemInAYear) {
    Neighbours film;
    film.count(ids({7, 5}), 1, kNow);
    film.count(ids({5}), 0, kNow);
    EXPECT_EQ(film.items, (std::vector<Neighbour>{{EntityId(5), 2}, {EntityId(7), 1}}));
    EXPECT_EQ(film.events, 1);
    film.count({}, 1, kNow + 365 * kDayMs);
    EXPECT_DOUBLE_EQ(film.events, 1.5);
    EXPECT_DOUBLE_EQ(film.items[0].weight, 1);
    film.count(ids({7}), 1, kNow);
    EXPECT_DOUBLE_EQ(film.items[1].weight, 1) << "late: a half, beside the half that is there";
    EXPECT_DOUBLE_EQ(film.decay_to(kNow + 730 * kDayMs), 0.5);
    EXPECT_EQ(film.decay_to(kNow), 1);
}

TEST(CoEngagement, KeepsTheHeaviestNeighbours) {
    Neighbours film;
    for (std::uint64_t i = 0; i < Neighbours::kEach; ++i) film.count(ids({i, i}), 0, kNow);
    film.count(ids({1000}), 0, kNow);
    EXPECT_EQ(film.items.size(), Neighbours::kEach);
    EXPECT_EQ(film.items.back().item, EntityId(Neighbours::kEach - 1))
        << "the newcomer weighs less";
}

TEST(CoEngagement, RowsFollowAndOutliveARestart) {
    entity::MemoryStore store;
    auto all = CoEngagement::open({}, store).value();
    for (std::uint32_t slot = 0; slot < 5; ++slot) all->count(Slot(slot), ids({9}), 1, kNow);
    EXPECT_TRUE(store.rows.empty());
    all->write_rows(2);
    EXPECT_EQ(store.rows.size(), 3u);
    all->drop_item(Slot(0));
    all->drop_item(Slot(4));
    all->prepare_checkpoint();
    EXPECT_EQ(store.rows.size(), 3u);
    const std::uint64_t hash = all->content_hash(Slot(3));
    all = CoEngagement::open({}, store).value();
    EXPECT_EQ(all->content_hash(Slot(3)), hash);
    EXPECT_EQ(all->stats().items, 3u);
    EXPECT_EQ(all->stats().pairs, 3u);
    EXPECT_EQ(all->find(Slot(4)), nullptr);
    EXPECT_EQ(all->content_hash(Slot(4)), 0u);
}

TEST(CoEngagement, WithoutRoomCountsLikesAlone) {
    entity::MemoryStore store;
    auto all = CoEngagement::open({.bytes_max = 1}, store).value();
    all->count(kFilm, ids({1}), 1, kNow);
    all->count(kFilm, ids({2, 3}), 1, kNow);
    EXPECT_EQ(all->find(kFilm)->items, (std::vector<Neighbour>{{EntityId(1), 1}}));
    EXPECT_EQ(all->find(kFilm)->events, 2);
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
            all->prepare_checkpoint();
            all = CoEngagement::open({}, store).value();
        } else if (step % 13 == 0) {
            all->drop_item(Slot(like.slot));
            std::erase_if(model, [&](const Like& one) { return one.slot == like.slot; });
        } else {
            all->count(Slot(like.slot), ids({like.other}), 1, like.at_ms);
            all->write_rows(step % 3);
            model.push_back(like);
        }
    }
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
        const Neighbours* const film = all->find(Slot(slot));
        double events = 0;
        std::map<std::uint64_t, double> weights;
        for (const Like& like : model) {
            if (like.slot != slot) continue;
            const double weight = std::exp2(-static_cast<double>(film->at_ms - like.at_ms) /
                                            static_cast<double>(Neighbours::kHalfLifeMs));
            events += weight;
            weights[like.other] += weight;
        }
        RC_ASSERT((film == nullptr) == weights.empty());
        if (film == nullptr) continue;
        RC_ASSERT(std::abs(film->events - events) < 1e-9);
        RC_ASSERT(film->items.size() == weights.size());
        for (const Neighbour& item : film->items)
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
    Neighbours unsorted = golden();
    std::swap(unsorted.items[0], unsorted.items[1]);
    EXPECT_FALSE(decode_neighbours(encode_neighbours(unsorted)).ok());
    Neighbours negative = golden();
    negative.items[0].weight = -1;
    EXPECT_FALSE(decode_neighbours(encode_neighbours(negative)).ok());
}

}  // namespace
}  // namespace tidal::audience
