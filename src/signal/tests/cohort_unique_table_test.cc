// Distinct users of cohorts: a cohort of everybody against UniqueTable, others against sets of
// (user, time), through restarts; the budget.
#include "signal/cohort_unique_table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <tuple>

#include "base/hash.h"
#include "brute_force.h"
#include "fake_store.h"
#include "history.h"

namespace tidal::signal {
namespace cohort_unique_table_test {

using schema::Window;

constexpr SignalTypeId kView{0}, kShare{1};
constexpr Window kWindows[] = {Window::k24h, Window::k7d};  // Of the two signals.
constexpr std::int64_t kWindowMs[] = {kDay, kWeek};
const CohortId kEverybody(1), kEven(4'000'000'000), kYoung(77);

schema::Schema schema_of_both() {
    schema::Schema schema;
    schema.signals.resize(2);
    for (std::uint16_t id = 0; id < 2; ++id) {
        schema.signals[id].id = SignalTypeId(id);
        schema.signals[id].unique = schema::UniqueSpec{kWindows[id]};
    }
    return schema;
}

std::unique_ptr<CohortUniqueTable> open_table(storage::ShardStore& store,
                                              std::uint64_t bytes_max = 1ULL << 30) {
    auto table = CohortUniqueTable::open({.bytes_max = bytes_max}, store);
    EXPECT_TRUE(table.ok()) << table.error().to_string();
    return std::move(table).value();
}

std::uint64_t user_hash(std::uint64_t user) {
    return hash64({reinterpret_cast<const char*>(&user), sizeof(user)});
}

std::vector<CohortId> cohorts_of(std::uint64_t user) {
    std::vector<CohortId> out{kEverybody};
    if (user % 10 == 0) out.push_back(kYoung);
    if (user % 2 == 0) out.push_back(kEven);
    return out;
}

struct Tables {
    Tables() : all(open_table(*store)), plain(open_plain()) {}
    std::unique_ptr<UniqueTable> open_plain() {
        return UniqueTable::open({}, *store, schema_of_both()).value();
    }
    void restart() {
        all->prepare_checkpoint();
        plain->prepare_checkpoint();
        FakeImage image = store->checkpoint();
        all.reset();
        plain.reset();
        store = std::make_unique<FakeStore>(std::move(image));
        all = open_table(*store);
        plain = open_plain();
    }
    std::unique_ptr<FakeStore> store = std::make_unique<FakeStore>();
    std::unique_ptr<CohortUniqueTable> all;
    std::unique_ptr<UniqueTable> plain;
};

using Users = std::vector<std::pair<std::uint64_t, UnixMillis>>;
using Seen = std::map<std::tuple<std::uint32_t, CohortId, std::uint16_t>, Users>;

/// Of every item, cohort and signal; those of more than 256 users as UniqueTable has them alone.
void compare(Tables& tables, const Seen& seen, UnixMillis now, bool exact) {
    for (std::uint32_t slot = 0; slot < 3; ++slot)
        for (const SignalTypeId signal : {kView, kShare}) {
            const std::size_t id = signal.value();
            const auto estimate = [&](CohortId cohort) {
                return tables.all->estimate(Slot(slot), cohort, signal, kWindows[id], now);
            };
            ASSERT_EQ(estimate(kEverybody), *tables.plain->estimate(Slot(slot), signal, now));
            if (!exact) continue;
            for (const CohortId cohort : {kEverybody, kEven, kYoung, CohortId(5)}) {
                const auto found = seen.find({slot, cohort, signal.value()});
                const Users users = found == seen.end() ? Users() : found->second;
                ASSERT_EQ(estimate(cohort),
                          static_cast<double>(brute_unique(users, kWindowMs[id], now)));
            }
        }
}

/// Events in any order of time within the windows, deletes and restarts.
void check(std::uint64_t seed) {
    Dice dice(seed);
    Tables tables;
    Seen seen;
    UnixMillis clock = 1'700'000'000'000;
    const bool exact = dice.one_in(2);
    const std::uint64_t users = exact ? 1 + dice.pick(60) : 900;
    for (int i = 0; i < (exact ? 120 : 1'500); ++i) {
        clock += dice.between(0, dice.one_in(10) ? kDay : kDay / (exact ? 40 : 2'000));
        UnixMillis at = clock + (dice.one_in(8) ? dice.between(0, 60 * kSecond) : 0);
        if (dice.one_in(5)) at -= dice.between(0, kDay);
        const auto slot = static_cast<std::uint32_t>(dice.pick(3));
        const auto id = static_cast<std::uint16_t>(dice.pick(2));
        const std::uint64_t user = dice.pick(users);
        const auto cohorts = cohorts_of(user);
        ASSERT_TRUE(tables.plain->add(Slot(slot), SignalTypeId(id), user_hash(user), at).ok());
        ASSERT_TRUE(
            tables.all
                ->add(Slot(slot), cohorts, SignalTypeId(id), kWindows[id], user_hash(user), at)
                .ok());
        for (const CohortId cohort : cohorts) seen[{slot, cohort, id}].emplace_back(user, at);
        if (dice.one_in(60)) tables.restart();
        if (dice.one_in(60)) {
            tables.all->drop(Slot(slot));
            tables.plain->drop(Slot(slot));
            ASSERT_EQ(tables.all->content_hash(Slot(slot)), 0u);
            std::erase_if(seen, [&](const auto& of) { return std::get<0>(of.first) == slot; });
        }
        clock = std::max(clock, at - 60 * kSecond);
        if (dice.one_in(exact ? 6 : 100)) compare(tables, seen, clock, exact);
    }
    compare(tables, seen, clock + dice.between(0, kWeek), exact);
    for (std::uint32_t slot = 0; slot < 3; ++slot) tables.all->drop(Slot(slot));
    ASSERT_EQ(tables.all->stats().bytes_kept, 0u) << "seed " << seed;
}

RC_GTEST_PROP(CohortUniqueTable, CountsAsUniqueTableDoes, ()) {
    check(*rc::gen::arbitrary<std::uint64_t>());
    RC_ASSERT(!testing::Test::HasFailure());
}

TEST(CohortUniqueTable, KnowsAnItemInAsManyCohortsAsABlockHolds) {
    FakeStore store;
    const auto table = open_table(store);
    constexpr std::uint32_t kMost = 1'358;
    for (std::uint32_t cohort = 0; cohort < kMost + 3; ++cohort) {
        const CohortId id(cohort * 7'919 % 100'003);
        ASSERT_TRUE(table->add(Slot(0), {&id, 1}, kView, Window::k24h, user_hash(1), kDay).ok());
        ASSERT_EQ(table->estimate(Slot(0), id, kView, Window::k24h, kDay), cohort < kMost ? 1 : 0);
    }
    EXPECT_EQ(table->stats().refused, 3u);
    table->drop(Slot(0));
    EXPECT_EQ(table->stats().bytes_kept, 0u);
}

/// As docs/reference/signals.md says.
TEST(CohortUniqueTable, TakesMemoryByItsUsers) {
    FakeStore store;
    const auto table = open_table(store);
    const auto bytes_of = [&](std::uint64_t users) {
        for (std::uint64_t user = 0; user < users; ++user) {
            const UnixMillis at = kDay + static_cast<UnixMillis>(user % 9) * 3 * kHour;
            EXPECT_TRUE(
                table->add(Slot(0), {&kEven, 1}, kView, Window::k24h, user_hash(user), at).ok());
        }
        return table->stats().bytes_kept;
    };
    EXPECT_EQ(bytes_of(1), 88u);
    EXPECT_EQ(bytes_of(256), 2'744u);
    EXPECT_LT(bytes_of(50'000), 33'000u);
}

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

/// Rows and the written parts of pages, in lines of 32 bytes that are not all 0.
std::string text_of(const FakeImage& image) {
    std::string out;
    const auto put = [&](const std::string& name, const std::string& bytes) {
        for (std::size_t at = 0; at < bytes.size(); at += 32)
            if (const std::string line = bytes.substr(at, 32); line != std::string(line.size(), 0))
                out += name + "+" + std::to_string(at) + " " + hex(line) + "\n";
    };
    for (const auto& [key, value] : image.rows) put(hex(key), value);
    for (const auto& [page, bytes] : image.pages) put("page " + std::to_string(page), bytes);
    return out;
}

std::string unhex(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 2)
        out.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return out;
}

/// The other way.
FakeImage image_of(const std::string& text) {
    FakeImage out;
    std::istringstream in(text);
    for (std::string name, bytes; in >> name;) {
        const bool is_page = name == "page";
        if (is_page) in >> name;
        in >> bytes;
        const auto plus = name.find('+');
        const std::size_t at = std::stoul(name.substr(plus + 1));
        name.resize(plus);
        auto& to = is_page ? out.pages[static_cast<std::uint32_t>(std::stoul(name))]
                           : out.rows[unhex(name)];
        // The row of pages is as long, though the rest of it is 0.
        to.resize(is_page                                ? storage::kPageBytes
                  : unhex(name).find("/b/") != name.npos ? 512
                                                         : at + bytes.size() / 2);
        to.replace(at, bytes.size() / 2, unhex(bytes));
    }
    return out;
}

TEST(CohortUniqueTable, WritesAndReadsItsGoldenPages) {
    FakeStore store;
    const auto table = open_table(store);
    const UnixMillis at = 1'700'000'000'000;
    for (std::uint64_t user = 0; user < 20; ++user)
        for (const std::uint16_t id : {0, 1})
            ASSERT_TRUE(table
                            ->add(Slot(5), cohorts_of(user), SignalTypeId(id), kWindows[id],
                                  user_hash(user), at - static_cast<UnixMillis>(user) * kHour)
                            .ok());
    table->prepare_checkpoint();
    std::ifstream file(TIDAL_TESTDATA_DIR "/cohort_uniques_v1.txt");
    const std::string golden(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(text_of(store.checkpoint()), golden);
    FakeStore old(image_of(golden));
    const auto read = open_table(old);
    EXPECT_EQ(read->content_hash(Slot(5)), table->content_hash(Slot(5)));
    EXPECT_EQ(read->estimate(Slot(5), kEven, kView, Window::k24h, at), 10);
    EXPECT_EQ(read->stats().bytes_kept, table->stats().bytes_kept);
}

/// The budget binds; what it refuses is the same after restarts, and old users make room.
TEST(CohortUniqueTable, BudgetRefusesTheSameHoweverOftenReopened) {
    constexpr std::uint64_t kBudget = 200'000;
    std::vector<std::uint64_t> hashes[2];
    std::uint64_t refused[2] = {};
    for (const bool restarts : {false, true}) {
        Dice dice(99);
        auto store = std::make_unique<FakeStore>();
        auto table = open_table(*store, kBudget);
        for (int i = 0; i < 20'000; ++i) {
            const Slot slot(
                static_cast<std::uint32_t>(dice.one_in(2) ? dice.pick(5) : dice.pick(5'000)));
            const UnixMillis at = i * 10'000 - static_cast<std::int64_t>(dice.pick(kDay / 2));
            const std::uint64_t user = dice.pick(3'000);
            ASSERT_TRUE(
                table->add(slot, cohorts_of(user), kView, Window::k24h, user_hash(user), at).ok());
            ASSERT_LE(table->stats().bytes_kept, kBudget);
            if (restarts && i % 1'777 == 0) {
                table->prepare_checkpoint();
                FakeImage image = store->checkpoint();
                table.reset();
                store = std::make_unique<FakeStore>(std::move(image));
                table = open_table(*store, kBudget);
            }
        }
        refused[restarts] = table->stats().refused;
        for (std::uint32_t slot = 0; slot < 5'000; ++slot)
            hashes[restarts].push_back(table->content_hash(Slot(slot)));
        // Days later nothing of it counts, and adds free it bit by bit.
        for (int i = 0; i < 20'000; ++i)
            ASSERT_TRUE(
                table->add(Slot(9), {&kEven, 1}, kView, Window::k24h, user_hash(1), 9 * kDay).ok());
        EXPECT_LT(table->stats().bytes_kept, 1'000u);
    }
    EXPECT_GT(refused[0], 100u);
    EXPECT_EQ(refused[0], refused[1]);
    EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace cohort_unique_table_test
}  // namespace tidal::signal
