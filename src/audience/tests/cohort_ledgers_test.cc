#include "audience/cohort_ledgers.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace cohort_ledgers_test {

using Sum = CohortLedgers::Sum;
using schema::Window;

constexpr UnixMillis kHourMs = kCohortHourMs, kNow = 500'000 * kHourMs + 1'234;
const CohortId kYoung(70), kFrench(4'000'000'000);
const SignalTypeId kView(0), kLike(1);
const Slot kFilm(3), kSong(9);

Sum read(const CohortLedgers& all, CohortId cohort, SignalTypeId signal, Slot slot,
         UnixMillis now_ms = kNow, Window window = Window::k7d) {
    Sum out;
    all.read(cohort, signal, window, {&slot, 1}, now_ms, {&out, 1});
    return out;
}

void checkpoint(CohortLedgers& all) {
    all.prepare_checkpoint();
    all.freeze_rows();
    EXPECT_TRUE(all.write_frozen_rows());
}

TEST(CohortLedgers, CountsWhatEachCohortDidByTheHour) {
    entity::MemoryStore store;
    auto all = CohortLedgers::open({}, store).value();
    const CohortId both[] = {kYoung, kFrench};
    all->count(kFilm, both, {kView, 5, 1, kNow}, kNow);
    all->count(kFilm, {both, 1}, {kView, -2, 1, kNow - 24 * kHourMs}, kNow);
    all->count(kFilm, {both, 1}, {kView, 3, 1, kNow - 25 * kHourMs}, kNow);
    all->count(kFilm, {both, 1}, {kView, 7, 1, kNow - 169 * kHourMs}, kNow);
    all->count(kSong, {both, 1}, {kLike, 1, 1, kNow}, kNow);
    EXPECT_EQ(read(*all, kYoung, kView, kFilm, kNow, Window::k24h), (Sum{2, 3}));
    EXPECT_EQ(read(*all, kYoung, kView, kFilm), (Sum{3, 6})) << "a week and the hour at hand";
    EXPECT_EQ(read(*all, kFrench, kView, kFilm), (Sum{1, 5}));
    EXPECT_EQ(read(*all, kFrench, kLike, kSong), Sum());
    EXPECT_EQ(all->events(kYoung, kNow), 4);
    EXPECT_EQ(all->events(kYoung, kNow + 168 * kHourMs), 2);
    EXPECT_EQ(read(*all, kYoung, kView, kFilm, kNow - kHourMs), (Sum{2, 1}))
        << "what begins after now does not count";
}

TEST(CohortLedgers, TakesBackWhatItCounted) {
    entity::MemoryStore store;
    auto all = CohortLedgers::open({}, store).value();
    all->count(kFilm, {&kYoung, 1}, {kView, 5, 1, kNow}, kNow);
    all->count(kFilm, {&kYoung, 1}, {kView, -5, -1, kNow}, kNow);
    EXPECT_EQ(all->stats().cells, 0u);
    EXPECT_EQ(all->content_hash(kFilm), 0u);
    EXPECT_EQ(all->events(kYoung, kNow), 0);
    checkpoint(*all);
    EXPECT_EQ(CohortLedgers::open({}, store).value()->stats().items, 0u);
}

TEST(CohortLedgers, GiveBackWhatIsOlderThanAWeek) {
    entity::MemoryStore store;
    auto all = CohortLedgers::open({}, store).value();
    for (std::uint32_t slot = 0; slot < 100; ++slot)
        all->count(Slot(slot), {&kYoung, 1}, {kView, 1, 1, kNow}, kNow);
    checkpoint(*all);
    const UnixMillis later = kNow + 200 * kHourMs;
    for (int i = 0; i < 60; ++i) all->count(kFilm, {&kYoung, 1}, {kView, 1, 1, later}, later);
    checkpoint(*all);
    EXPECT_EQ(all->stats().items, 1u);
    EXPECT_EQ(all->stats().cells, 1u);
    EXPECT_EQ(store.rows.size(), 2u) << "its row and the first hour";
}

TEST(CohortLedgers, WithoutRoomForgetTheOldestHours) {
    constexpr std::uint64_t kFourCells = 4 * 96;
    entity::MemoryStore store;
    auto all = CohortLedgers::open({.bytes_max = kFourCells}, store).value();
    for (int i = 0; i < 6; ++i)
        all->count(kFilm, {&kYoung, 1}, {kView, 1, 1, kNow + i * kHourMs}, kNow + i * kHourMs);
    const UnixMillis now_ms = kNow + 5 * kHourMs;
    EXPECT_EQ(read(*all, kYoung, kView, kFilm, now_ms).count, 4);
    EXPECT_EQ(all->first_hour(), kNow / kHourMs + 2);
    EXPECT_EQ(all->events(kYoung, now_ms), 4);
    all->count(kFilm, {&kYoung, 1}, {kView, 1, 1, kNow}, now_ms);
    EXPECT_EQ(read(*all, kYoung, kView, kFilm, now_ms).count, 4) << "of an hour that is gone";
    for (std::uint32_t slot = 10; slot < 20; ++slot)
        all->count(Slot(slot), {&kYoung, 1}, {kView, 1, 1, now_ms}, now_ms);
    EXPECT_EQ(all->stats().cells, 4u);
    EXPECT_EQ(all->stats().refused, 7u) << "one hour alone is too much";
    EXPECT_EQ(read(*all, kYoung, kView, kFilm, now_ms).count, 1);
    checkpoint(*all);
    const CohortHour first = all->first_hour();
    all = CohortLedgers::open({}, store).value();
    EXPECT_EQ(all->first_hour(), first) << "what is gone stays gone";
    EXPECT_EQ(all->stats().cells, 4u);
}

TEST(CohortLedgers, RowsAreThoseOfTheCheckpointHoweverLateTheyAreWritten) {
    entity::MemoryStore store;
    auto all = CohortLedgers::open({}, store).value();
    for (const Slot slot : {kFilm, kSong, Slot(1)})
        all->count(slot, {&kYoung, 1}, {kView, 1, 1, kNow}, kNow);
    all->prepare_checkpoint();
    all->freeze_rows();
    const UnixMillis later = kNow + 200 * kHourMs;
    all->count(kSong, {&kYoung, 1}, {kView, 1, 1, later}, later);
    all->count(kSong, {&kYoung, 1}, {kView, 1, 1, later}, later);
    EXPECT_EQ(all->stats().items, 1u) << "of the others all is gone";
    EXPECT_TRUE(all->write_frozen_rows());
    store.rows.erase("a/o-first");
    const auto then = CohortLedgers::open({}, store).value();
    EXPECT_EQ(read(*then, kYoung, kView, kSong), (Sum{1, 1}));
    EXPECT_EQ(read(*then, kYoung, kView, kSong, later), Sum());
}

struct Seen {
    Slot slot;
    std::vector<CohortId> cohorts;
    CohortLedgers::Event event;
};

/// Every hour that is kept is whole.
void expect_sums(const CohortLedgers& all, const std::vector<Seen>& model, UnixMillis now_ms) {
    const CohortHour now = now_ms / kHourMs;
    for (const auto& [window, hours] : {std::pair(Window::k24h, 24), {Window::k7d, 168}})
        for (const CohortId cohort : {CohortId(1), CohortId(2), CohortId(3)})
            for (std::uint32_t slot = 0; slot < 3; ++slot)
                for (const SignalTypeId signal : {kView, kLike}) {
                    Sum sum;
                    for (const Seen& seen : model) {
                        const CohortHour hour = seen.event.at_ms / kHourMs;
                        if (seen.slot != Slot(slot) || seen.event.signal != signal ||
                            hour < now - hours || hour > now || hour < all.first_hour() ||
                            std::ranges::find(seen.cohorts, cohort) == seen.cohorts.end())
                            continue;
                        sum.count += seen.event.count;
                        sum.sum += seen.event.weight;
                    }
                    RC_ASSERT(read(all, cohort, signal, Slot(slot), now_ms, window) == sum);
                }
}

/// Events of items and cohorts in any order of time, some taken back, items deleted, restarts; and
/// the same without restarts.
void run_against_model(std::uint64_t bytes_max) {
    entity::MemoryStore store, undisturbed_store;
    const CohortLedgers::Options options{.bytes_max = bytes_max};
    auto all = CohortLedgers::open(options, store).value();
    const auto undisturbed = CohortLedgers::open(options, undisturbed_store).value();
    std::vector<Seen> model;
    UnixMillis now_ms = kNow;
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(150, rc::gen::arbitrary<std::uint32_t>());
    for (const std::uint32_t step : steps) {
        if (step % 5 == 0) now_ms += step / 5 % 40 * kHourMs;
        const Slot slot(step / 7 % 3);
        if (step % 17 == 0) {
            checkpoint(*all);
            all = CohortLedgers::open(options, store).value();
        } else if (step % 19 == 0) {
            all->drop_item(slot);
            undisturbed->drop_item(slot);
            std::erase_if(model, [&](const Seen& seen) { return seen.slot == slot; });
        } else {
            Seen seen{slot, {}, {SignalTypeId(step / 21 % 2), step % 9 - 4, 1, now_ms}};
            for (std::uint32_t cohort = 1; cohort <= 3; ++cohort)
                if ((step / 42 >> cohort & 1) != 0) seen.cohorts.emplace_back(cohort);
            seen.event.at_ms -= step / 700 % 200 * kHourMs;
            if (step % 4 == 0 && !model.empty()) {
                seen = model[step % model.size()];
                if (seen.event.count < 0) continue;
                seen.event.count = -1;
                seen.event.weight = -seen.event.weight;
                model.erase(model.begin() + step % model.size());
            } else {
                model.push_back(seen);
            }
            all->count(seen.slot, seen.cohorts, seen.event, now_ms);
            undisturbed->count(seen.slot, seen.cohorts, seen.event, now_ms);
            if (step % 3 == 0) all->freeze_rows();
            all->write_frozen_rows(step % 2);
        }
        if (bytes_max > 1'000'000) expect_sums(*all, model, now_ms);
        for (std::uint32_t s = 0; s < 3; ++s)
            RC_ASSERT(all->content_hash(Slot(s)) == undisturbed->content_hash(Slot(s)));
        for (std::uint32_t cohort = 1; cohort <= 3; ++cohort)
            RC_ASSERT(all->events(CohortId(cohort), now_ms) ==
                      undisturbed->events(CohortId(cohort), now_ms));
        RC_ASSERT(all->first_hour() == undisturbed->first_hour());
    }
}

RC_GTEST_PROP(CohortLedgers, EqualAModelThroughRestarts, ()) {
    run_against_model(1ULL << 30);
}
RC_GTEST_PROP(CohortLedgers, AreTheSameThroughRestartsWithoutRoom, ()) {
    run_against_model(900);
}

CohortPairs golden() {
    return {{kYoung, kView, {{499'998, 2, 3 << 20}, {500'000, 1, -5}}},
            {kYoung, kLike, {{500'000, -1, 0}}},
            {kFrench, kView, {{500'000, 1'000'000, 1'000'000LL << 20}}}};
}

TEST(CohortRows, ReadAndWriteTheirGoldenBytes) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/cohorts_v1.txt");
    std::string hex, got;
    file >> hex;
    for (const char c : encode_cohort_pairs(golden())) {
        got += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        got += "0123456789abcdef"[c & 15];
    }
    EXPECT_EQ(got, hex);
    EXPECT_EQ(decode_cohort_pairs(encode_cohort_pairs(golden())).value(), golden());
}

TEST(CohortRows, AreRefusedWhenDamaged) {
    const std::string bytes = encode_cohort_pairs(golden());
    for (std::size_t end = 0; end < bytes.size(); ++end)
        EXPECT_FALSE(decode_cohort_pairs(bytes.substr(0, end)).ok()) << end;
    EXPECT_FALSE(decode_cohort_pairs(bytes + '\0').ok());
    CohortPairs wrong = golden();
    std::swap(wrong[0], wrong[1]);
    EXPECT_FALSE(decode_cohort_pairs(encode_cohort_pairs(wrong)).ok());
    wrong = golden();
    std::swap(wrong[0].cells[0], wrong[0].cells[1]);
    EXPECT_FALSE(decode_cohort_pairs(encode_cohort_pairs(wrong)).ok());
    wrong = golden();
    wrong[0].cells.clear();
    EXPECT_FALSE(decode_cohort_pairs(encode_cohort_pairs(wrong)).ok());
    wrong = golden();
    wrong[1].cells[0] = {500'000, 0, 0};
    EXPECT_FALSE(decode_cohort_pairs(encode_cohort_pairs(wrong)).ok());
}

}  // namespace cohort_ledgers_test
}  // namespace tidal::audience
