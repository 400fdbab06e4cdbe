// What signals of users in cohorts leave behind: against a model of the log, over checkpoints and
// restarts.
#include <map>
#include <optional>
#include <set>

#include "runtime/seeded_random.h"
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace cohorts_test {

using Sum = audience::CohortLedgers::Sum;

constexpr UnixMillis kHourMs = 3'600'000;
const CohortId kYoung(7), kFrench(1'000'000);

class Cohorts : public testing::Test {
protected:
    Cohorts() {
        for (const std::uint64_t item : {1, 2, 3}) shard_.upsert(item);
    }
    Outcome signal(record::SignalBody body, std::vector<CohortId> cohorts, std::string key = {}) {
        record::Record record = shard_.stamper.stamp(std::move(body), std::move(key));
        record.envelope.cohorts = std::move(cohorts);
        return shard_.apply(std::move(record));
    }
    Sum sum(CohortId cohort, std::uint64_t item, SignalTypeId signal = kLike,
            schema::Window window = schema::Window::k7d) {
        Sum out;
        const auto slot = shard_.state().entities(EntityKind::kItem).find(EntityId(item));
        if (slot)
            shard_.state().cohorts().read(cohort, signal, window, {&*slot, 1}, now_ms(), {&out, 1});
        return out;
    }
    UnixMillis now_ms() const { return shard_.stamper.last().wall_ms(); }

    OneShard shard_;
};

TEST_F(Cohorts, ASignalCountsInTheCohortsItsRecordNames) {
    signal(like(1, 24), {kYoung, kFrench});
    signal(like(1), {kYoung});
    signal(like(1), {});
    EXPECT_EQ(sum(kYoung, 1), (Sum{2, 40 * record::kWeightOne / 16}));
    EXPECT_EQ(sum(kFrench, 1), (Sum{1, 24 * record::kWeightOne / 16}));
    EXPECT_EQ(shard_.count(1), 3);
    EXPECT_FALSE(signal(like(9), {kYoung}).ok());
    EXPECT_EQ(shard_.state().cohorts().events(kYoung, now_ms()), 2);
}

TEST_F(Cohorts, ARepeatCountsOnceAndAnUndoTakesBackFromTheCohortsOfThen) {
    signal(like(1), {kYoung, kFrench}, "key");
    signal(like(1), {kFrench}, "key");
    EXPECT_EQ(sum(kFrench, 1).count, 1);
    shard_.checkpoint();
    shard_.restart();
    EXPECT_EQ(sum(kYoung, 1).count, 1);
    shard_.apply(record::UndoBody{EntityId(1), "key"});
    EXPECT_EQ(sum(kYoung, 1), Sum());
    EXPECT_EQ(sum(kFrench, 1), Sum());
    shard_.apply(record::UndoBody{EntityId(1), "key"});
    EXPECT_EQ(sum(kYoung, 1), Sum()) << "a second undo does nothing";
}

TEST_F(Cohorts, UsersOfARecordOfBeforeAreNotCounted) {
    record::SignalBody view = like(1);
    view.signal = kView;
    view.user = EntityId(5);
    record::Record old = shard_.stamper.stamp(view, "");
    old.envelope.cohorts = {kYoung};
    old.envelope.apply_version = ApplyVersion(1);
    ASSERT_TRUE(shard_.apply(std::move(old)).ok());
    const auto users = [&] {
        const auto slot = shard_.state().entities(EntityKind::kItem).find(EntityId(1));
        return shard_.state().cohort_uniques().estimate(*slot, kYoung, kView, schema::Window::k24h,
                                                        now_ms());
    };
    EXPECT_EQ(sum(kYoung, 1, kView).count, 1);
    EXPECT_EQ(users(), 0) << "as that build applied it";
    signal(view, {kYoung});
    EXPECT_EQ(users(), 1);
}

TEST_F(Cohorts, AreGoneWithTheirItem) {
    signal(like(1), {kYoung}, "key");
    signal(like(2), {kYoung});
    shard_.erase(1);
    shard_.upsert(1);
    EXPECT_EQ(sum(kYoung, 1), Sum());
    shard_.apply(record::UndoBody{EntityId(1), "key"});
    EXPECT_EQ(sum(kYoung, 1), Sum()) << "of the item that was deleted";
    EXPECT_EQ(shard_.state().cohorts().events(kYoung, now_ms()), 1);
}

struct Seen {
    std::uint64_t item = 0;
    SignalTypeId type;
    std::vector<CohortId> cohorts;
    record::FixedWeight weight = 0;
    UnixMillis at_ms = 0;
    std::optional<EntityId> user = {};
};

/// Random signals with and without keys, undos, deletes, checkpoints and restarts of one shard.
class CohortHistory {
public:
    explicit CohortHistory(std::uint64_t seed) : random_(seed) {
        for (std::uint64_t item = 1; item <= kItems; ++item) shard_.upsert(item);
    }

    void step() {
        if (below(6) == 0) shard_.stamper.advance(static_cast<UnixMillis>(below(30)) * kHourMs);
        switch (below(12)) {
            case 0:
                return shard_.checkpoint();
            case 1:
                return shard_.restart();
            case 2:
                return remove(1 + below(kItems));
            case 3:
            case 4:
                return undo();
            default:
                return signal();
        }
    }

    void check() {
        auto& cohorts = shard_.state().cohorts();
        const UnixMillis now_ms = shard_.stamper.last().wall_ms();
        std::map<CohortId, std::int64_t> events;
        for (std::uint64_t item = 1; item <= kItems; ++item) {
            const Slot slot = *shard_.state().entities(EntityKind::kItem).find(EntityId(item));
            for (const CohortId cohort : {CohortId(1), CohortId(2), CohortId(3)})
                for (const SignalTypeId type : {kView, kLike})
                    for (const auto& [window, hours] :
                         {std::pair(schema::Window::k24h, 24), {schema::Window::k7d, 168}}) {
                        const Sum wanted = sum_of(item, cohort, type, now_ms, hours);
                        Sum got;
                        cohorts.read(cohort, type, window, {&slot, 1}, now_ms, {&got, 1});
                        EXPECT_EQ(got, wanted) << item << " " << cohort.value() << " " << hours;
                        if (hours == 168) events[cohort] += wanted.count;
                    }
            for (const CohortId cohort : {CohortId(1), CohortId(2), CohortId(3)})
                EXPECT_EQ(shard_.state().cohort_uniques().estimate(slot, cohort, kView,
                                                                   schema::Window::k24h, now_ms),
                          static_cast<double>(users_of(item, cohort, now_ms)));
        }
        for (const auto& [cohort, count] : events) EXPECT_EQ(cohorts.events(cohort, now_ms), count);
    }

private:
    static constexpr std::uint64_t kItems = 3;

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

    Sum sum_of(std::uint64_t item, CohortId cohort, SignalTypeId type, UnixMillis now_ms,
               std::int64_t hours) const {
        Sum out;
        for (const Seen& seen : seen_) {
            const std::int64_t hour = seen.at_ms / kHourMs, now = now_ms / kHourMs;
            if (seen.item != item || seen.type != type || hour < now - hours || hour > now ||
                std::ranges::find(seen.cohorts, cohort) == seen.cohorts.end())
                continue;
            ++out.count;
            out.sum += seen.weight;
        }
        return out;
    }

    /// Those who viewed it in the current three hours or the 24 before.
    std::size_t users_of(std::uint64_t item, CohortId cohort, UnixMillis now_ms) const {
        std::set<EntityId> out;
        for (const Seen& seen : viewed_) {
            const std::int64_t age = now_ms / (3 * kHourMs) - seen.at_ms / (3 * kHourMs);
            if (seen.item == item && age >= 0 && age <= 8 &&
                std::ranges::find(seen.cohorts, cohort) != seen.cohorts.end())
                out.insert(*seen.user);
        }
        return out.size();
    }

    void signal() {
        Seen seen;
        seen.item = 1 + below(kItems);
        seen.type = SignalTypeId(static_cast<std::uint16_t>(below(2)));
        for (std::uint32_t cohort = 1; cohort <= 3; ++cohort)
            if (below(2) == 0) seen.cohorts.emplace_back(cohort);
        record::SignalBody body = like(seen.item, static_cast<std::int64_t>(below(64)) - 20);
        body.signal = seen.type;
        if (below(4) != 0) body.user = seen.user = EntityId(100 + below(5));
        seen.weight = body.weight;
        const std::string key = below(2) == 0 ? "key " + std::to_string(++keys_) : "";
        record::Record record = shard_.stamper.stamp(std::move(body), key);
        record.envelope.cohorts = seen.cohorts;
        if (below(3) == 0) {
            record.envelope.event_time_given = true;
            record.envelope.event_time_ms -= static_cast<UnixMillis>(below(200)) * kHourMs;
        }
        seen.at_ms = record.envelope.event_time_ms;
        ASSERT_TRUE(shard_.apply(std::move(record)).ok());
        if (!key.empty()) keyed_.emplace(key, seen_.size());
        if (!key.empty()) items_of_[key] = seen.item;
        seen_.push_back(seen);
        if (seen.type == kView && seen.user) viewed_.push_back(seen);
    }

    void undo() {
        if (keyed_.empty()) return;
        const auto chosen = std::next(keyed_.begin(), static_cast<long>(below(keyed_.size())));
        const auto [key, at] = *chosen;
        keyed_.erase(chosen);
        // Keys are kept for a day.
        if (shard_.apply(record::UndoBody{EntityId(items_of_[key]), key}).ok()) seen_[at].item = 0;
    }

    void remove(std::uint64_t item) {
        if (below(3) != 0) return;
        shard_.erase(item);
        shard_.upsert(item);
        for (Seen& seen : seen_)
            if (seen.item == item) seen.item = 0;
        std::erase_if(viewed_, [&](const Seen& seen) { return seen.item == item; });
    }

    runtime::SeededRandom random_;
    OneShard shard_;
    std::vector<Seen> seen_;    ///< Item 0 = taken back, or deleted with its item.
    std::vector<Seen> viewed_;  ///< By users, of items that are there; undo takes nobody back.
    std::map<std::string, std::size_t> keyed_;
    std::map<std::string, std::uint64_t> items_of_;
    int keys_ = 0;
};

TEST(CohortHistories, EqualAModelOfTheLogThroughRestarts) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        SCOPED_TRACE(seed);
        CohortHistory history(seed);
        for (int i = 0; i < 120 && !testing::Test::HasFailure(); ++i) {
            history.step();
            history.check();
        }
    }
}

}  // namespace cohorts_test
}  // namespace tidal::shard
