// Cohorts, through the database: what each did equals a model of the log through lost power, clean
// stops, undos, deletes and changes of users, whichever shards are involved.
#include <map>
#include <random>
#include <set>

#include "sim_node.h"

namespace tidal::api {
namespace cohorts_test {

constexpr std::uint64_t kItems = 12, kUsers = 8;
constexpr std::int64_t kHourMs = 3'600'000;

class CohortsOfDatabase : public testing::TestWithParam<std::uint16_t> {
protected:
    struct User {
        std::string language, region;
    };
    struct Event {
        std::uint64_t item;
        bool like;
        double weight;
        UnixMillis at_ms;
        std::string key;
        std::vector<std::string> cohorts;
        std::uint64_t user;
    };

    CohortsOfDatabase() : node_(options()) {}
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        return out;
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    Result<void> put_cohort(const std::string& text) {
        return node_.wait([&](Database::Done done) {
            node_->put_cohort(text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        });
    }
    Result<void> put_profile(const std::string& text) {
        return node_.wait([&](Database::Done done) {
            node_->put_profile(text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        });
    }
    Result<void> retire(const std::string& name) {
        return node_.wait([&](Database::Done done) {
            node_->retire(record::CatalogKind::kCohort, name, std::move(done));
        });
    }

    void change_user(std::uint64_t id) {
        constexpr const char* kLanguages[] = {"fr", "de"};
        constexpr const char* kRegions[] = {"paris", "south", "north"};
        User& user = users_[id];
        user = {kLanguages[below(2)], kRegions[below(3)]};
        EntityWrite write;
        write.kind = EntityKind::kUser;
        write.id = id;
        write.metadata = {{"language", user.language}, {"region", user.region}};
        node_.put(write);
    }
    /// Who is in which, once more.
    std::vector<std::string> cohorts_of(std::uint64_t id) const {
        std::vector<std::string> out;
        const auto user = users_.find(id);
        if (user == users_.end()) return out;
        if (user->second.language == "fr") out.emplace_back("french");
        if (user->second.language == "fr" && user->second.region == "paris")
            out.emplace_back("parisian");
        if (user->second.region != "paris") out.emplace_back("away");
        return out;
    }

    void write_something() {
        if (below(9) == 0 && !events_.empty()) return undo(below(events_.size()));
        if (below(9) == 0) return change_user(1 + below(kUsers));
        if (below(40) == 0) return delete_item(1 + below(kItems));
        const std::uint64_t user = 1 + below(kUsers);
        Event event{
            1 + below(kItems),
            below(3) != 0,
            static_cast<double>(1 + below(12)) / 4,
            node_.runtime().clock().wall_ms() - static_cast<UnixMillis>(below(200)) * kHourMs,
            {},
            cohorts_of(user),
            user};
        if (below(3) == 0) event.key = "key " + std::to_string(++keys_);
        SignalWrite write = signal(event.item, event.like ? "like" : "view");
        write.user_id = IdInput(user);
        write.weight = event.weight;
        write.at_ms = event.at_ms;
        write.idempotency_key = event.key;
        node_.put(write);
        events_.push_back(event);
        if (!event.like) views_.push_back(event);
    }
    void undo(std::size_t at) {
        if (events_[at].key.empty()) return;
        ASSERT_OK(node_.write_one(SignalUndo{events_[at].item, events_[at].key, {}}));
        events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void delete_item(std::uint64_t id) {
        EntityDelete gone;
        gone.id = id;
        node_.put(gone);
        node_.put(item(id));
        const auto is_gone = [&](const Event& event) { return event.item == id; };
        std::erase_if(events_, is_gone);
        std::erase_if(views_, is_gone);
    }

    /// Sum of views in 7d, a thousand times the likes in 24h, and a million times who viewed it;
    /// `away` tracks no views.
    double score(const std::string& cohort, std::uint64_t item, UnixMillis now_ms) const {
        double out = 0;
        const std::int64_t now = now_ms / kHourMs;
        for (const Event& event : events_) {
            const std::int64_t age = now - event.at_ms / kHourMs;
            if (event.item != item || age < 0 || age > (event.like ? 24 : 168) ||
                std::ranges::find(event.cohorts, cohort) == event.cohorts.end())
                continue;
            if (event.like) out += 1000;
            if (!event.like && cohort != "away") out += event.weight;
        }
        return out + 1e6 * users(cohort, item, now_ms);
    }
    /// With a view in the current three hours or the 24 before, also one that was taken back.
    double users(const std::string& cohort, std::uint64_t item, UnixMillis now_ms) const {
        std::set<std::uint64_t> out;
        if (cohort == "away") return 0;
        for (const Event& view : views_) {
            const std::int64_t age = now_ms / (3 * kHourMs) - view.at_ms / (3 * kHourMs);
            if (view.item == item && age >= 0 && age <= 8 &&
                std::ranges::find(view.cohorts, cohort) != view.cohorts.end())
                out.insert(view.user);
        }
        return static_cast<double>(out.size());
    }

    void compare() {
        node_.rest();
        for (const std::string cohort : {"french", "parisian", "away"}) {
            FeedCall call;
            call.profile = "counted";
            call.cohort = cohort;
            call.limit = kItems;
            const auto page = node_->feed(call);
            ASSERT_TRUE(page.ok()) << page.error().to_string();
            ASSERT_EQ(page->items.size(), kItems);
            const UnixMillis now_ms = node_.runtime().clock().wall_ms();
            for (const FeedItem& item : page->items)
                ASSERT_NEAR(item.score, score(cohort, item.entity.id.number(), now_ms), 1e-9)
                    << cohort << " " << item.entity.id.number();
            ASSERT_EQ(page->warnings.size(), cohort == "away" ? 1u : 0u);
        }
    }

    std::mt19937_64 random_{4711};
    SimNode node_;
    std::map<std::uint64_t, User> users_;
    std::vector<Event> events_;
    std::vector<Event> views_;  ///< Also those that were taken back.
    std::uint64_t keys_ = 0;
};

constexpr const char* kCohorts[] = {
    "cohort french version 1 { tracks view, like; at_least 0 events; where language = 'fr'; }",
    ("cohort parisian version 1 { parent french; tracks view, like; at_least 0 events; where "
     "region = 'paris'; }"),
    "cohort away version 1 { tracks like; at_least 0 events; where region != 'paris'; }",
};
constexpr const char* kCounted =
    "profile counted version 1 { score cohort(sum(view, 7d)) + 1000 * cohort(count(like, 24h)) + "
    "1000000 * cohort(unique(view, 24h)); }";

TEST_P(CohortsOfDatabase, EqualAModelOfTheLog) {
    ASSERT_OK(node_.open());
    for (const char* text : kCohorts) ASSERT_OK(put_cohort(text));
    ASSERT_OK(put_profile(kCounted));
    for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id));
    for (int step = 0; step < 500; ++step) {
        ASSERT_NO_FATAL_FAILURE(write_something());
        if (step % 40 == 39) {
            ASSERT_NO_FATAL_FAILURE(compare());
        }
        if (step % 90 == 50) {
            ASSERT_OK(node_.checkpoint());
        }
        if (step % 70 == 69) {
            ASSERT_OK(node_.crash_and_open());
        }
    }
    ASSERT_NO_FATAL_FAILURE(compare());
}

TEST_P(CohortsOfDatabase, AreReadAsTheirParentOrAsEverybodyWhereTooLittleIsKnown) {
    ASSERT_OK(node_.open());
    ASSERT_OK(
        put_cohort("cohort french version 1 { tracks view; at_least 3 events; where language "
                   "= 'fr'; }"));
    ASSERT_OK(
        put_cohort("cohort parisian version 1 { parent french; tracks view; at_least 2 "
                   "events; where region = 'paris'; }"));
    for (std::uint64_t id = 1; id <= 3; ++id) node_.put(item(id));
    const auto view = [&](std::uint64_t item, std::uint64_t user) {
        SignalWrite write = signal(item, "view");
        write.user_id = IdInput(user);
        node_.put(write);
    };
    const auto put = [&](std::uint64_t id, const char* language, const char* region) {
        EntityWrite write;
        write.kind = EntityKind::kUser;
        write.id = id;
        write.metadata = {{"language", std::string(language)}, {"region", std::string(region)}};
        node_.put(write);
    };
    put(1, "fr", "paris");
    put(2, "fr", "lyon");
    put(3, "de", "bonn");
    const auto first = [&](std::string* warning) {
        FeedCall call;
        call.profile = "cohort_trending";
        call.cohort = "parisian";
        const auto page = node_->feed(call);
        EXPECT_TRUE(page.ok()) << page.error().to_string();
        warning->clear();
        for (const std::string& text : page->warnings)
            if (text.find("is read instead") != std::string::npos) *warning = text;
        return page->items.empty() ? 0 : page->items[0].entity.id.number();
    };
    std::string warning;
    view(3, 3);
    view(3, 3);
    view(1, 1);
    EXPECT_EQ(first(&warning), 3u);
    EXPECT_EQ(warning,
              "cohort `parisian` has 1 events in 7d, fewer than 2: everybody is read instead");
    view(2, 2);
    view(2, 2);
    EXPECT_EQ(first(&warning), 2u);
    EXPECT_EQ(warning,
              "cohort `parisian` has 1 events in 7d, fewer than 2: its parent `french` is read "
              "instead");
    view(1, 1);
    EXPECT_EQ(first(&warning), 1u);
    EXPECT_EQ(warning, "");
    const auto reply = node_->cohort("french");
    ASSERT_TRUE(reply.ok());
    EXPECT_EQ(reply->events_7d, 4);
}

/// A user of whom nothing is known: what the user's cohorts watch, else what everybody likes.
TEST_P(CohortsOfDatabase, LendWhatTheyWatchToWhoHasLikedNothingYet) {
    ASSERT_OK(node_.open());
    ASSERT_OK(
        put_cohort("cohort french version 1 { tracks view; at_least 3 events; where language "
                   "= 'fr'; }"));
    ASSERT_OK(
        put_cohort("cohort parisian version 1 { parent french; tracks view; at_least 2 "
                   "events; where region = 'paris'; }"));
    ASSERT_OK(put_cohort(
        "cohort southern version 1 { tracks view; at_least 1 events; where region = 'south'; }"));
    for (std::uint64_t id = 1; id <= 9; ++id) node_.put(item(id));
    const auto put = [&](std::uint64_t id, const char* language, const char* region) {
        EntityWrite write;
        write.kind = EntityKind::kUser;
        write.id = id;
        write.metadata = {{"language", std::string(language)}, {"region", std::string(region)}};
        node_.put(write);
    };
    const auto send = [&](std::uint64_t user, const char* name, std::uint64_t item) {
        SignalWrite write = signal(item, name);
        write.user_id = IdInput(user);
        node_.put(write);
    };
    put(1, "fr", "paris"), put(2, "fr", "lyon"), put(3, "de", "south");
    put(11, "fr", "paris"), put(12, "fr", "south"), put(13, "de", "bonn");
    send(1, "view", 1);
    for (int i = 0; i < 3; ++i) send(2, "view", 2);
    for (int i = 0; i < 7; ++i) send(3, "share", 3);
    send(3, "complete", 4);
    const auto first = [&](std::uint64_t user, std::size_t count, const std::string& cohort = "") {
        node_.rest();
        FeedCall call;
        call.profile = "for_you";
        call.user_id = IdInput(user);
        call.cohort = cohort;
        call.limit = 9;  // Places of exploration come behind.
        const auto page = node_->feed(call);
        EXPECT_TRUE(page.ok()) << page.error().to_string();
        std::string out;
        for (std::size_t i = 0; page.ok() && i < std::min(count, page->items.size()); ++i)
            out += page->items[i].entity.id.to_string() + " ";
        for (const std::string& text : page->warnings) out += "| " + text;
        return out;
    };
    const auto expect_all = [&] {
        EXPECT_EQ(first(11, 4),
                  "2 1 3 4 | cohort `parisian` has 1 events in 7d, fewer than 2: its parent "
                  "`french` is read instead| user 11 has liked nothing yet: the page has what "
                  "cohort `french` watches, and everybody likes");
        EXPECT_EQ(first(13, 2),
                  "3 4 | user 13 has liked nothing yet and is in no cohort of which enough is "
                  "known: it has what everybody likes");
        EXPECT_EQ(first(14, 2),
                  "3 4 | user 14 has liked nothing yet and is in no cohort of which enough is "
                  "known: it has what everybody likes");
        EXPECT_EQ(first(13, 2, "french"),
                  "2 1 | user 13 has liked nothing yet: the page has what cohort `french` watches, "
                  "and everybody likes");
    };
    expect_all();
    // Two cohorts, neither above the other, are added up.
    send(3, "view", 5);
    EXPECT_EQ(first(12, 3),
              "2 1 5 | user 12 has liked nothing yet: the page has what cohort `french`, "
              "`southern` watches, and everybody likes");
    ASSERT_OK(node_.checkpoint());
    ASSERT_OK(node_.crash_and_open());
    expect_all();
    // Who has liked something is shown nothing of them any more.
    send(11, "like", 9);
    EXPECT_EQ(first(11, 9), "3 4 ");
    EXPECT_EQ(first(11, 9, "french"),
              "3 4 | cohort: the profile `for_you` reads it only for who has liked nothing yet");
}

/// Each with what it refers to, the two calls at once and in either order.
TEST_P(CohortsOfDatabase, AParentAndAnExperimentsProfileAreThereOrTheNameIsRefused) {
    ASSERT_OK(node_.open());
    std::vector<std::optional<Result<void>>> answers(2);
    std::string version;
    const auto told = [&](std::size_t at) {
        return [&answers, at](auto reply) {
            answers[at].emplace(reply.ok() ? Result<void>() : Result<void>(reply.error()));
        };
    };
    const auto both = [&](bool first, auto put, record::CatalogKind kind, const char* name) {
        answers.assign(2, std::nullopt);
        if (first) put();
        node_->retire(kind, name, told(1));
        if (!first) put();
        EXPECT_TRUE(node_.world().run_until([&] { return answers[0] && answers[1]; }));
        const auto said = [](const Result<void>& result) {
            return result.ok() ? std::string("ok") : std::string(result.error().reason());
        };
        return said(*answers[0]) + ", " + said(*answers[1]);
    };
    const auto put_child = [&] {
        node_->put_cohort("cohort a version 1 { parent b; tracks view; where region = 'x'; }",
                          false, told(0));
    };
    const auto put_experiment = [&] {
        node_->put_experiment("experiment e version 1 { arm picks@" + version + "; arm new@1; }",
                              false, told(0));
    };
    for (const bool first : {false, true}) {
        SCOPED_TRACE(first);
        version = first ? "2" : "1";
        ASSERT_OK(
            put_cohort("cohort b version " + version + " { tracks view; where region = 'x'; }"));
        ASSERT_OK(
            put_profile("profile picks version " + version + " { candidates scan; score 1; }"));
        EXPECT_EQ(both(first, put_child, record::CatalogKind::kCohort, "b"),
                  first ? "ok, cohort_in_use" : "unknown_cohort, ok");
        EXPECT_EQ(both(first, put_experiment, record::CatalogKind::kProfile, "picks"),
                  first ? "ok, profile_in_use" : "unknown_profile, ok");
        EXPECT_EQ(node_->cohorts()->all().size(), first ? 2u : 0u);
        EXPECT_EQ(node_->experiments()->size(), first ? 1u : 0u);
    }
}

TEST_P(CohortsOfDatabase, AreRefusedByNameAndKeptWhileTheyAreParents) {
    ASSERT_OK(node_.open());
    const auto reason = [](const Result<void>& result) {
        return result.ok() ? std::string("ok") : std::string(result.error().reason());
    };
    EXPECT_EQ(reason(put_cohort("cohort a version 1 { tracks view; where age = 1; }")),
              "unknown_field");
    EXPECT_EQ(reason(put_cohort("cohort a version 1 { tracks vieww; where region = 'x'; }")),
              "unknown_signal");
    EXPECT_EQ(
        reason(put_cohort("cohort a version 1 { parent b; tracks view; where region = 'x'; }")),
        "unknown_cohort");
    ASSERT_OK(put_cohort("cohort b version 1 { tracks view; where region = 'x'; }"));
    ASSERT_OK(put_cohort("cohort a version 1 { parent b; tracks view; where region = 'x'; }"));
    EXPECT_EQ(
        reason(put_cohort("cohort b version 2 { parent a; tracks view; where region = 'x'; }")),
        "cohort_too_deep");
    EXPECT_EQ(reason(put_cohort("cohort b version 1 { tracks like; where region = 'x'; }")),
              "version_exists");
    EXPECT_EQ(reason(retire("b")), "cohort_in_use");
    ASSERT_OK(node_.crash_and_open());
    EXPECT_EQ(node_->cohorts()->all().size(), 2u);
    ASSERT_OK(retire("a"));
    ASSERT_OK(retire("b"));
    EXPECT_TRUE(node_->cohorts()->empty());
    FeedCall call;
    call.profile = "cohort_trending";
    EXPECT_EQ(node_->feed(call).error().reason(), "missing_input");
    call.cohort = "b";
    EXPECT_EQ(node_->feed(call).error().reason(), "unknown_cohort");
}

INSTANTIATE_TEST_SUITE_P(Shards, CohortsOfDatabase, testing::Values(1, 4));

}  // namespace cohorts_test
}  // namespace tidal::api
