// A page read from a view is the page of a scan, bit for bit, whatever happens in between.
#include "query/top_views.h"

#include <gtest/gtest.h>

#include <random>

#include "query/feed.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"
#include "runtime/sim_disk.h"
#include "storage/shard_store.h"

namespace tidal::query {
namespace top_views_test {

constexpr UnixMillis kMinuteMs = 60'000, kDayMs = 24 * kHourMs;

/// One shard's tables with real uniques and two regions, and views that are told of every change.
class ViewedShard {
public:
    ViewedShard(std::shared_ptr<const schema::Schema> schema, TopViews::Options options)
        : schema_(std::move(schema)), options_(options), disk_(medium_.session()) {
        rows_ = must(storage::open_simple_rows(*disk_, "rows"));
        store_ = must(storage::ShardStore::open(*disk_, *rows_, ShardId(1), "shard"));
        entities_ = must(entity::EntityTable::open(EntityKind::kItem, *store_, schema_));
        uniques_ = must(signal::UniqueTable::open({}, *store_, *schema_));
        for (const std::uint16_t region : {1, 2}) {
            ledgers_.push_back(
                must(signal::LedgerTable::open({.origin = RegionId(region)}, *store_, *schema_)));
            pointers_.push_back(ledgers_.back().get());
        }
        restart(0);
    }

    ranking::ShardView view() {
        return {*schema_, EntityKind::kItem, *entities_, pointers_, uniques_.get()};
    }
    TopViews& views() const { return *views_; }
    /// As a process that starts anew: what lies in the tables is not known to the views.
    void restart(UnixMillis stamp_ms) {
        views_ = std::make_unique<TopViews>(options_, *entities_, stamp_ms + kMinuteMs);
    }

    void put(const record::UpsertBody& body) {
        ASSERT_TRUE(entities_->upsert(body, HybridTime::from(++stamp_, 0)).ok());
        views_->on_change(*entities_->find(body.id));
    }
    void erase(const EntityId& id) {
        record::DeleteBody body;
        body.id = id;
        const auto slot = entities_->erase(body, HybridTime::from(++stamp_, 0));
        if (!slot.ok()) return;
        for (auto& ledger : ledgers_) ledger->drop(*slot);
        uniques_->drop(*slot);
        views_->on_change(*slot);
    }
    void count(const signal::LedgerEvent& event, std::size_t region, std::uint64_t user,
               UnixMillis stamp_ms) {
        ASSERT_TRUE(ledgers_[region]->apply({&event, 1}).ok());
        if (event.count > 0) {
            ASSERT_TRUE(uniques_->add(event.slot, event.signal, user, event.at_ms).ok());
        }
        views_->on_event(event.slot, event.signal, event.at_ms, stamp_ms);
    }
    std::optional<Slot> find(const EntityId& id) const { return entities_->find(id); }

private:
    template <typename T>
    static T must(Result<T> result) {
        if (!result.ok()) ADD_FAILURE() << result.error().to_string();
        return std::move(result).value();
    }

    std::shared_ptr<const schema::Schema> schema_;
    TopViews::Options options_;
    runtime::SimDisk medium_;
    std::unique_ptr<runtime::Disk> disk_;
    std::unique_ptr<storage::RowEngine> rows_;
    std::unique_ptr<storage::ShardStore> store_;
    std::unique_ptr<entity::EntityTable> entities_;
    std::unique_ptr<signal::UniqueTable> uniques_;
    std::vector<std::unique_ptr<signal::LedgerTable>> ledgers_;
    std::vector<signal::LedgerTable*> pointers_;
    std::unique_ptr<TopViews> views_;
    UnixMillis stamp_ = 0;
};

using Profiles = std::vector<std::shared_ptr<const ranking::CompiledProfile>>;

/// All built-in profiles, and scores that fall in other ways than these.
Profiles test_profiles(const schema::Schema& schema) {
    Profiles out;
    const ranking::ProfileRegistry registry(schema);
    for (const auto& listing : registry.list(EntityKind::kItem))
        if (listing.available) out.push_back(*registry.find(listing.name, EntityKind::kItem));
    const char* const scores[] = {
        "decay(like)",
        "0.3 * decay(view) + sum(share, 7d) - 2",
        "log1p(positive(all)) * 2^(-age_hours / 48)",
        "unique(share, 7d) + count(view, 1h) / 10",
        "if(age_hours < 24, 5 + sum(view, 1h), 0)",
        "sum(view, 24h) - age_hours / 100",
        "velocity(like, 30d) / (1 + age_hours)",
        "min(sum(view, 365d), 4) + sqrt(count(comment, 30d))",
        "sum(view, 24h) - sum(view, 1h)",
        "quality * param(x) + random(7)",
    };
    for (std::size_t i = 0; i < std::size(scores); ++i) {
        const std::string text = "profile t" + std::to_string(i) +
                                 " version 1 { param x = 2; score " + scores[i] +
                                 "; order score desc; }";
        auto profile = ranking::parse_profile(text);
        EXPECT_TRUE(profile.ok()) << profile.error().to_string();
        auto compiled = ranking::compile_profile(*profile, schema, EntityKind::kItem);
        EXPECT_TRUE(compiled.ok()) << compiled.error().to_string();
        out.push_back(*compiled);
    }
    return out;
}

/// A random history of one shard, and pages compared at random moments.
class History {
public:
    History(std::uint64_t seed, std::shared_ptr<const schema::Schema> schema,
            const Profiles& profiles)
        : random_(seed),
          schema_(schema),
          shard_(std::move(schema), {.views_max = 1 + below(6),
                                     .capacity = 4 + below(12),
                                     .risers_max = one_in(3) ? below(4) : 40,
                                     .pause_ms = static_cast<UnixMillis>(below(3 * kHourMs)),
                                     .pause_max_ms = 4 * kHourMs,
                                     .refill_below = below(5),
                                     .entities_min = below(4),
                                     .matched_min = below(4),
                                     .touched_max = 1 + below(20)}),
          negative_(one_in(2)) {
        for (int i = 0; i < 4; ++i) profiles_.push_back(profiles[below(profiles.size())]);
    }

    void run(int steps) {
        for (int i = 0; i < 10; ++i) put();
        for (int i = 0; i < steps; ++i) {
            step();
            if (testing::Test::HasFatalFailure()) return;
        }
    }
    /// What it is worth: how many pages came from views and why others did not, the former also
    /// while there were risers.
    struct Counts {
        std::uint64_t served = 0, beside_risers = 0;
        ViewMisses missed = {};
        void operator+=(const Counts& other) {
            served += other.served;
            beside_risers += other.beside_risers;
            for (std::size_t why = 0; why < kViewMissCount; ++why) missed[why] += other.missed[why];
        }
    };
    Counts counts() const {
        Counts out = counts_;
        out += {stats().served, 0, stats().missed};
        return out;
    }
    bool is_negative() const { return negative_; }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    EntityId any_id() { return EntityId(below(40)); }

    void step() {
        switch (below(16)) {
            case 0:
                return advance();
            case 1:
                return put();
            case 2:
                return one_in(3) ? erase() : put();
            case 3:
                return undo();
            case 4:
                if (one_in(12)) {
                    counts_ += {stats().served, 0, stats().missed};
                    shard_.restart(now_);
                }
                return;
            case 5:
            case 6:
                ASSERT_TRUE(
                    shard_.views()
                        .step(shard_.view(), now_, static_cast<std::uint32_t>(1 + below(90)))
                        .ok());
                return;
            case 7:
            case 8:
            case 9:
                return compare();
            default:
                return count();
        }
    }

    void advance() {
        constexpr UnixMillis kSteps[] = {1'000,   40'000, kMinuteMs, 7 * kMinuteMs,
                                         kHourMs, kDayMs, 9 * kDayMs};
        now_ += static_cast<UnixMillis>(
            below(2 * static_cast<std::uint64_t>(kSteps[below(std::size(kSteps))])));
        // Right on a border now and then.
        if (one_in(4)) now_ = now_ / kHourMs * kHourMs;
        now_ = std::max(now_, stamp_);
    }

    void put() {
        record::UpsertBody body;
        body.id = any_id();
        if (one_in(2)) body.created_at = now_ - static_cast<UnixMillis>(below(60)) * kHourMs;
        if (one_in(5)) body.publish_at = now_ + static_cast<UnixMillis>(below(60)) * kMinuteMs;
        if (one_in(5)) body.expires_at = now_ + static_cast<UnixMillis>(below(200)) * kMinuteMs;
        if (one_in(2)) body.creator = EntityId(below(3));
        body.fields.push_back({schema_->find_field(EntityKind::kItem, "year")->id,
                               record::Value(static_cast<std::int64_t>(below(9)))});
        shard_.put(body);
        settle();
    }

    void erase() {
        const EntityId id = any_id();
        // Of what is gone nothing can be taken back.
        if (const auto slot = shard_.find(id))
            std::erase_if(events_, [&](const auto& each) { return each.first.slot == *slot; });
        shard_.erase(id);
        settle();
    }

    void count() {
        const auto slot = shard_.find(any_id());
        if (!slot) return;
        signal::LedgerEvent event{
            .slot = *slot,
            .signal = SignalTypeId(static_cast<std::uint16_t>(below(schema_->signals.size()))),
            .at_ms = now_};
        const double weights[] = {1, 1, 0.5, 3, negative_ ? -0.25 : 1, negative_ ? -2.0 : 2.0};
        event.weight = *record::fixed_weight(weights[below(std::size(weights))]);
        if (one_in(3)) event.at_ms += static_cast<UnixMillis>(below(kMinuteMs));
        if (one_in(4)) event.at_ms -= static_cast<UnixMillis>(below(2 * kHourMs));
        if (one_in(9)) event.at_ms -= static_cast<UnixMillis>(below(40 * kDayMs));
        const std::size_t region = below(2);
        stamp_ = now_;
        shard_.count(event, region, below(8), now_);
        events_.emplace_back(event, region);
        settle();
    }

    void undo() {
        if (events_.empty()) return;
        const auto at = events_.begin() + static_cast<std::ptrdiff_t>(below(events_.size()));
        auto [event, region] = *at;
        events_.erase(at);
        event.weight = -event.weight;
        event.count = -1;
        stamp_ = now_;
        shard_.count(event, region, 0, now_);
        settle();
    }

    void settle() {
        if (!shard_.views().crowded()) return;
        ASSERT_TRUE(shard_.views().settle(shard_.view(), stamp_).ok());
    }

    void compare() {
        FeedPlan plan;
        plan.profile = profiles_[below(profiles_.size())];
        plan.sources = plan.profile->profile.sources;
        plan.params.assign(plan.profile->program.params.size(), one_in(3) ? 3.0 : 2.0);
        plan.limit = static_cast<std::uint32_t>(1 + below(one_in(5) ? 30 : 5));
        plan.keep = plan.limit + 1;
        plan.now_ms = now_;
        if (one_in(6)) plan.now_ms -= static_cast<UnixMillis>(below(2 * kHourMs));
        plan.seed = 5;
        if (one_in(3)) {
            const std::string text = one_in(2) ? "year < 5" : "created_within 30h AND NOT year = 3";
            const auto parsed = parse_filter(text);
            plan.filter = *bind_filter(*parsed, text, *schema_, EntityKind::kItem);
        }
        plan.explain = one_in(5);
        if (one_in(6))
            plan.diversity.push_back({.kind = ranking::DiversityKind::kMaxPerCreator,
                                      .name = {},
                                      .value = {},
                                      .count = 1});
        if (one_in(3))
            for (int i = 0; i < 3; ++i) plan.exclude.insert(any_id());
        compare_pages(plan);
    }

    void compare_pages(FeedPlan plan) {
        for (int page = 0; page < 3; ++page) {
            const auto scanned = run_feed(shard_.view(), plan);
            const std::uint64_t before = stats().served;
            const auto viewed = run_feed(shard_.view(), plan, &shard_.views());
            if (stats().risers > 0) counts_.beside_risers += stats().served - before;
            ASSERT_TRUE(scanned.ok() && viewed.ok());
            ASSERT_EQ(text_of(*viewed), text_of(*scanned))
                << plan.profile->profile.name << " page " << page << " now " << plan.now_ms;
            if (viewed->items.size() < plan.keep) return;
            if (plan.positions_stay()) {
                const ScoredItem& last = viewed->items[plan.limit - 1];
                plan.after = PagePosition{last.score, last.id};
            } else {
                for (std::size_t i = 0; i < plan.limit; ++i)
                    plan.shown_hashes.insert(short_hash(viewed->items[i].id));
            }
        }
    }

    static std::string text_of(const ShardPage& page) {
        // Not `scored`: a view's saving.
        std::string out = std::to_string(page.counts.candidates) + "/" +
                          std::to_string(page.counts.matched) + (page.more ? "+: " : ": ");
        for (const ScoredItem& item : page.items) {
            out += item.id.to_string() + "@" + std::to_string(item.slot.value()) + "=" +
                   bits_of(item.score) + "/" + bits_of(item.key) + "(" +
                   std::to_string(item.score) + ")";
            if (item.diverse) out += text_of(*item.diverse);
            out += " ";
        }
        return out;
    }
    static std::string text_of(const DiverseItem& item) {
        std::string out;
        for (const RuleValues& values : item.values) {
            out += " by";
            for (const std::string& value : values) out += " " + value;
        }
        return out;
    }
    static std::string bits_of(double number) {
        return std::to_string(std::bit_cast<std::uint64_t>(number));
    }

    TopViews::Stats stats() const { return shard_.views().stats(); }

    std::mt19937_64 random_;
    std::shared_ptr<const schema::Schema> schema_;
    Profiles profiles_;
    ViewedShard shard_;
    const bool negative_;
    UnixMillis now_ = kFilterNow, stamp_ = kFilterNow;
    std::vector<std::pair<signal::LedgerEvent, std::size_t>> events_;
    Counts counts_;
};

std::uint64_t missed(const History::Counts& counts, ViewMiss why) {
    return counts.missed[static_cast<std::size_t>(why)];
}

TEST(TopViews, PagesEqualThoseOfAScan) {
    const auto schema = ranking::sample_schema();
    const Profiles profiles = test_profiles(*schema);
    History::Counts usual, negative;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        History history(seed, schema, profiles);
        history.run(250);
        (history.is_negative() ? negative : usual) += history.counts();
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(usual.served, 1'000u) << "too few pages came from views to tell";
    EXPECT_GT(negative.served, 1'000u);
    EXPECT_GT(negative.beside_risers, 500u);
    EXPECT_GT(2 * negative.served, usual.served) << "weights below 0 cost most views";
    EXPECT_GT(missed(negative, ViewMiss::kNegatives), 50u);
    EXPECT_LT(missed(usual, ViewMiss::kNegatives), 10u) << "but for what undos leave of decays";
}

/// A shard of 40 items that have a day's sum each, and one view of its order.
class OneView : public testing::Test {
protected:
    OneView() {
        for (std::uint64_t id = 0; id < 40; ++id) {
            record::UpsertBody body;
            body.id = EntityId(id);
            shard_.put(body);
            add(id, 1 + static_cast<double>(id));
        }
        const auto text = "profile day version 1 { score sum(share, 24h); order score desc; }";
        profile_ =
            *ranking::compile_profile(*ranking::parse_profile(text), *schema_, EntityKind::kItem);
    }

    void add(std::uint64_t id, double weight) {
        const signal::LedgerEvent event{.slot = *shard_.find(EntityId(id)),
                                        .signal = schema_->find_signal("share")->id,
                                        .weight = *record::fixed_weight(weight),
                                        .at_ms = now_};
        shard_.count(event, 0, 1, now_);
    }
    /// Why the page was scanned; nullopt = it was not. In any case it is right.
    std::optional<ViewMiss> page() {
        FeedPlan plan;
        plan.profile = profile_;
        plan.sources = profile_->profile.sources;
        plan.limit = 5;
        plan.keep = 6;
        plan.now_ms = now_;
        const TopViews::Stats before = shard_.views().stats();
        const auto viewed = run_feed(shard_.view(), plan, &shard_.views());
        const auto scanned = run_feed(shard_.view(), plan);
        EXPECT_TRUE(viewed.ok() && scanned.ok());
        for (std::size_t i = 0; i < 6; ++i) {
            EXPECT_EQ(viewed->items[i].id, scanned->items[i].id);
            EXPECT_EQ(viewed->items[i].score, scanned->items[i].score);
        }
        const TopViews::Stats after = shard_.views().stats();
        for (std::size_t why = 0; why < kViewMissCount; ++why)
            if (after.missed[why] > before.missed[why]) return static_cast<ViewMiss>(why);
        EXPECT_EQ(after.served, before.served + 1);
        return std::nullopt;
    }
    void make() {
        while (shard_.views().has_work())
            ASSERT_TRUE(shard_.views().step(shard_.view(), now_, 1'024).ok());
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ViewedShard shard_{schema_,
                       {.capacity = 10, .risers_max = 3, .refill_below = 1, .entities_min = 1}};
    std::shared_ptr<const ranking::CompiledProfile> profile_;
    UnixMillis now_ = kFilterNow;
};

TEST_F(OneView, IsScannedWhileTooManyNegativeWeightsLast) {
    EXPECT_EQ(page(), ViewMiss::kMaking);
    make();
    EXPECT_EQ(page(), std::nullopt);
    for (std::uint64_t id = 20; id < 23; ++id) add(id, -100);
    EXPECT_EQ(page(), std::nullopt);
    EXPECT_EQ(shard_.views().stats().risers, 3u);
    now_ += kHourMs;
    add(39, -0.5);
    EXPECT_EQ(page(), ViewMiss::kNegatives) << "one too many";
    EXPECT_EQ(shard_.views().stats().views, 0u);

    now_ += 2 * kMinuteMs;
    EXPECT_EQ(page(), ViewMiss::kMaking) << "after a pause it is tried again";
    make();
    EXPECT_EQ(page(), ViewMiss::kNegatives) << "in vain";
    now_ += 24 * kHourMs - 2 * kMinuteMs;
    EXPECT_EQ(page(), ViewMiss::kMaking);
    make();
    EXPECT_EQ(page(), std::nullopt) << "three have gone with the last hour of the day before";
    EXPECT_EQ(shard_.views().stats().risers, 1u);
    now_ += kHourMs;
    EXPECT_EQ(page(), std::nullopt);
    EXPECT_EQ(shard_.views().stats().risers, 0u);
}

TEST_F(OneView, HasNoRiserWhereTheHourIsAbove0) {
    page();
    make();
    for (std::uint64_t id = 10; id < 30; ++id) add(id, -2);
    EXPECT_EQ(page(), std::nullopt) << "the hour of each is above 0 as a whole";
    EXPECT_EQ(shard_.views().stats().risers, 0u);
}

/// A page after a cursor is of an earlier moment than what was written since.
TEST_F(OneView, ScoresAnEventForNoMomentBeforeIt) {
    page();
    make();
    EXPECT_EQ(page(), std::nullopt);
    now_ += kHourMs;
    add(5, 500);
    now_ -= kHourMs;
    EXPECT_EQ(page(), ViewMiss::kMoment);
    now_ += kHourMs;
    EXPECT_EQ(page(), std::nullopt);
}

}  // namespace top_views_test
}  // namespace tidal::query
