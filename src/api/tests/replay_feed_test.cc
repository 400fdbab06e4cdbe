// Real streams in time order through the database: at every mark the pages of the profiles, their
// scores and counts equal a slow brute force over the events, on one shard and several, with cold
// ledgers, and after a restart in the middle. Data sets lie in the directory TIDAL_TEST_DATA;
// without it MovieLens, a sample of the program, and what is generated are replayed alone.
#include <map>
#include <random>
#include <set>
#include <unordered_map>

#include "brute_feed.h"
#include "signal/tests/real_data.h"
#include "sim_node.h"

namespace tidal::api {
namespace replay_feed_test {

using signal::csv_row;
using signal::read_zst;
using signal::string_after;

constexpr UnixMillis kHourMs = 3'600'000;
constexpr UnixMillis kDayMs = 24 * kHourMs;

/// When pages are compared: those of every profile, or only of those whose windows are of the size
/// of the steps between marks.
struct Mark {
    UnixMillis at_ms = 0;
    bool whole = true;
};
struct Marks {
    std::vector<Mark> all;
    std::set<std::string> some;  ///< Profiles, of marks that are not whole.
};

/// The node's clock is the data's: what is read at a mark is read at the mark's time.
class Replay {
public:
    Replay(DatabaseOptions options, UnixMillis from_ms)
        : node_(std::move(options), 1, 1'000, from_ms - kHourMs) {
        node_.options().log.file_bytes = 1 << 20;
    }

    void open() {
        ASSERT_OK(node_.open());
        ASSERT_OK(node_.wait([&](Database::Done done) {
            node_->put_profile(kReplayedProfile, false,
                               [done = std::move(done)](Result<CatalogReply> reply) mutable {
                                   if (reply.ok()) return done({});
                                   done(reply.take_error());
                               });
        }));
    }

    /// The events until `mark_ms`, in order of time, a few hundred at a time.
    void go_on(const std::vector<BruteEvent>& events, UnixMillis mark_ms) {
        while (next_ < events.size() && events[next_].at_ms < mark_ms) {
            std::vector<Write> writes;
            for (; writes.size() < 500 && next_ < events.size() && events[next_].at_ms < mark_ms;
                 ++next_) {
                const BruteEvent& event = events[next_];
                if (event.item == items_.size()) {
                    items_.push_back({id_of(event.item), event.at_ms, {}});
                    index_of_.emplace(items_.back().id, event.item);
                    EntityWrite made;
                    made.id = items_.back().id;
                    made.created_at_ms = event.at_ms;
                    writes.emplace_back(std::move(made));
                }
                ASSERT_LT(event.item, items_.size());
                items_[event.item].events.push_back(event);
                SignalWrite write;
                write.id = items_[event.item].id;
                write.signal = kBruteNames[event.signal];
                write.weight = event.weight;
                write.at_ms = event.at_ms;
                write.user_id = IdInput(event.user);
                writes.emplace_back(std::move(write));
            }
            set_clock(events[next_ - 1].at_ms);
            for (const auto& reply : node_.write(std::move(writes)))
                ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        }
    }

    void restart_from_checkpoint() {
        ASSERT_OK(node_.crash_and_open({.keep = runtime::CrashSpec::Keep::kNothing}));
    }
    void checkpoint() { ASSERT_OK(node_.checkpoint()); }

    /// Asks for every profile once and waits for the views that are then made.
    void make_views() {
        for (const BruteProfile& profile : brute_profiles()) {
            FeedCall call;
            call.profile = profile.name;
            call.limit = 1;
            ASSERT_TRUE(node_->feed(call).ok());
        }
        node_.world().advance(kSecondNs);
    }
    std::uint64_t pages_from_views() {
        std::uint64_t out = 0;
        for (const auto& shard : node_->stats().shards) out += shard.view_pages;
        return out;
    }

    /// Every profile's first page, or its first two. @param only  Of these; empty = of all.
    void expect_pages(UnixMillis mark_ms, std::size_t pages,
                      const std::set<std::string>& only = {}) {
        // Later than any stamp, which a read may not be before.
        set_clock(std::max(latest_ms_, mark_ms) + 60'000);
        const UnixMillis now_ms = node_.runtime().clock().wall_ms();
        std::vector<BruteReading> readings;
        readings.reserve(items_.size());
        for (const BruteItem& item : items_) readings.emplace_back(item, now_ms);
        for (const BruteProfile& profile : brute_profiles()) {
            if (!only.empty() && !only.contains(profile.name)) continue;
            ++compared_;
            const auto order = brute_order(profile, items_, readings, kPage * pages);
            FeedCall call;
            call.profile = profile.name;
            call.limit = kPage;
            for (std::size_t from = 0; from < kPage * pages && from < order.size(); from += kPage) {
                ASSERT_EQ(node_.runtime().clock().wall_ms(), now_ms);
                const auto page = node_->feed(call);
                ASSERT_TRUE(page.ok()) << page.error().to_string();
                EXPECT_EQ(page->candidates, items_.size());
                if (from == 0) {
                    EXPECT_EQ(page->matched, order.size()) << profile.name;
                }
                expect_page(*page, order, from, [&](std::uint64_t id) {
                    return profile.score(readings[index_of_.at(id)]);
                });
                if (testing::Test::HasFatalFailure()) return;
                if (page->next_cursor.empty()) break;
                call.cursor = page->next_cursor;
            }
        }
    }

    /// Plays all with a restart in the middle of the whole marks.
    void play(const std::vector<BruteEvent>& events, const Marks& marks) {
        open();
        const auto whole = static_cast<std::size_t>(
            std::ranges::count_if(marks.all, [](const Mark& mark) { return mark.whole; }));
        std::size_t i = 0;  // Of those.
        for (const Mark& mark : marks.all) {
            if (testing::Test::HasFatalFailure()) return;
            SCOPED_TRACE("mark " + std::to_string(i) + " of " + std::to_string(whole));
            go_on(events, mark.at_ms);
            if (!mark.whole) {
                expect_pages(mark.at_ms, 1, marks.some);
                continue;
            }
            expect_pages(mark.at_ms, i % 4 == 0 ? 2 : 1);
            if (i % 8 == 1) expect_pages_of_views(events, mark.at_ms);
            // The log behind the checkpoint is replayed over it.
            if (i + 3 == whole / 2) checkpoint();
            if (i + 1 == whole / 2) {
                restart_from_checkpoint();
                expect_pages(mark.at_ms, 2);
            }
            ++i;
        }
        EXPECT_GE(compared_,
                  whole * brute_profiles().size() + (marks.all.size() - whole) * marks.some.size());
        EXPECT_EQ(next_, events.size());
        EXPECT_GT(from_views_, 0u);
    }
    /// Of views made at the mark, after the events of some minutes more; the views are not idle for
    /// so long that they go.
    void expect_pages_of_views(const std::vector<BruteEvent>& events, UnixMillis mark_ms) {
        make_views();
        const std::uint64_t before = pages_from_views();
        for (const int minutes : {3, 9}) {
            go_on(events, mark_ms + minutes * 60'000);
            expect_pages(mark_ms + minutes * 60'000, 2);
        }
        from_views_ += pages_from_views() - before;
    }
    std::size_t items() const { return items_.size(); }

private:
    /// Not in the order of time, so that order by id is no order by age.
    static std::uint64_t id_of(std::uint64_t index) { return 1 + index * 7'919 % 1'000'003; }

    void set_clock(UnixMillis to_ms) {
        latest_ms_ = std::max(latest_ms_, to_ms);
        node_.runtime().jump_wall(to_ms - node_.runtime().clock().wall_ms());
    }
    /// Sums that are rounded differently may differ in the last digits, and so may their order.
    template <typename ScoreOf>
    static void expect_page(const FeedReply& page, const std::vector<BruteScore>& order,
                            std::size_t from, ScoreOf score_of) {
        ASSERT_EQ(page.items.size(), std::min(kPage, order.size() - from)) << page.profile;
        for (std::size_t i = 0; i < page.items.size(); ++i) {
            const FeedItem& shown = page.items[i];
            const BruteScore& expected = order[from + i];
            const std::uint64_t id = shown.entity.id.number();
            const double rounding = 1e-9 * std::max(1e-3, std::abs(expected.score));
            ASSERT_EQ(shown.rank, from + i + 1);
            ASSERT_NEAR(shown.score, expected.score, rounding) << page.profile << " " << id;
            ASSERT_NEAR(shown.score, score_of(id), rounding) << page.profile << " " << id;
            if (score_of(id) == expected.score) {
                ASSERT_EQ(id, expected.id) << page.profile << " at " << i;
            }
        }
    }

    static constexpr std::size_t kPage = 60;
    SimNode node_;
    std::vector<BruteItem> items_;
    std::unordered_map<std::uint64_t, std::size_t> index_of_;  ///< Of items_, by id.
    std::size_t next_ = 0;                                     ///< Of the events.
    UnixMillis latest_ms_ = 0;                                 ///< That the clock ever showed.
    std::uint64_t from_views_ = 0;                             ///< Pages, of those expected.
    std::size_t compared_ = 0;                                 ///< Profiles, at all marks.
};

DatabaseOptions options(std::uint16_t shards, std::uint64_t ledger_bytes_max) {
    DatabaseOptions out;
    out.shards = shards;
    out.checkpoint_events = 20'000;
    out.view_items_min = 1;
    out.ledger_bytes_max = ledger_bytes_max;
    return out;
}

/// Numbers things in the order they are met.
template <typename Key>
class Numbering {
public:
    std::uint64_t of(const Key& key) {
        return numbers_.emplace(key, numbers_.size()).first->second;
    }

private:
    std::map<Key, std::uint64_t> numbers_;
};

/// In order of time, then as read; items are numbered as they are met then.
template <typename Key>
std::vector<BruteEvent> in_order(std::vector<std::pair<Key, BruteEvent>> events) {
    std::ranges::stable_sort(
        events, [](const auto& a, const auto& b) { return a.second.at_ms < b.second.at_ms; });
    Numbering<Key> items;
    std::vector<BruteEvent> out;
    for (auto& [key, event] : events) {
        event.item = items.of(key);
        out.push_back(event);
    }
    return out;
}
/// @param often_ms  With TIDAL_TEST_FULL set: docs/development.md.
/// @param some_ms   Between them marks of the profiles `some`; 0 = none.
Marks marks_of(const std::vector<BruteEvent>& events, UnixMillis step_ms, UnixMillis often_ms,
               UnixMillis some_ms = 0, std::set<std::string> some = {}) {
    if (std::getenv("TIDAL_TEST_FULL") != nullptr) step_ms = often_ms;
    Marks out{{}, std::move(some)};
    const UnixMillis last_ms = events.back().at_ms;
    for (UnixMillis at = events.front().at_ms; at <= last_ms;)
        out.all.push_back({at += step_ms, true});
    for (UnixMillis at = events.front().at_ms; some_ms > 0 && at + some_ms <= last_ms;)
        out.all.push_back({at += some_ms, false});
    std::ranges::stable_sort(out.all, {}, &Mark::at_ms);
    return out;
}

TEST(ReplayedFeeds, WikitickerByHours) {
    const auto text = read_zst("wikiticker-2015-09-12/wikiticker-2015-09-12-sampled.json.zst");
    if (!text) GTEST_SKIP() << "TIDAL_TEST_DATA has no wikiticker-2015-09-12";
    std::vector<std::pair<std::string, BruteEvent>> events;
    Numbering<std::string> users;
    for (std::size_t start = 0; start < text->size();) {
        const std::size_t end = std::min(text->find('\n', start), text->size());
        const std::string_view line(text->data() + start, end - start);
        start = end + 1;
        std::string page(string_after(line, "\"channel\":\""));
        page += string_after(line, "\"page\":\"");
        BruteEvent event;
        event.at_ms = signal::parse_time(string_after(line, "\"time\":\""));
        event.user = 1 + users.of(std::string(string_after(line, "\"user\":\"")));
        events.emplace_back(page, event);
        if (line.find("\"isMinor\":true") != line.npos) event.signal = kComment;
        if (line.find("\"isNew\":true") != line.npos) event.signal = kShare;
        if (line.find("\"delta\":-") != line.npos) event.signal = kDislike;
        if (event.signal != kView) events.emplace_back(page, event);
    }
    const auto ordered = in_order(std::move(events));
    ASSERT_EQ(std::ranges::count(ordered, kView, &BruteEvent::signal), 39'244);
    Replay replay(options(1, 4ULL << 30), ordered.front().at_ms);
    replay.play(ordered, marks_of(ordered, 3 * kHourMs + 7 * 60'000, 17 * 60'000, kHourMs,
                                  {"top_hour", "rising", "trending"}));
    EXPECT_EQ(replay.items(), 35'278u);
}

TEST(ReplayedFeeds, YoutubeTrendingByDays) {
    const auto text = read_zst("youtube-trending-us-2017/USvideos.csv.zst");
    if (!text) GTEST_SKIP() << "TIDAL_TEST_DATA has no youtube-trending-us-2017";
    std::vector<std::pair<std::string, BruteEvent>> events;
    std::map<std::pair<std::string, int>, std::int64_t> before;
    std::map<std::pair<std::int64_t, std::string>, std::vector<std::string>> sightings;
    std::size_t at = 0;
    csv_row(*text, &at);
    while (at < text->size()) {
        auto row = csv_row(*text, &at);
        const std::int64_t day = row.size() == 11 ? signal::trending_day(row[10]) : -1;
        if (day >= 0 && row[0] != "#NAME?") sightings.emplace(std::pair(day, row[0]), row);
    }
    for (const auto& [sighting, row] : sightings) {
        constexpr BruteSignal kColumns[] = {kView, kLike, kDislike, kComment};
        for (int i = 0; i < 4; ++i) {
            const std::int64_t total = std::stoll(row[std::size_t(5 + i)]);
            std::int64_t& last = before[{row[0], i}];
            if (total <= last) continue;
            BruteEvent event;
            event.signal = kColumns[i];
            event.weight = static_cast<double>(total - last) / 1024;
            event.at_ms = sighting.first * kDayMs + 12 * kHourMs + i * 60'000;
            event.user = static_cast<std::uint64_t>(sighting.first);
            events.emplace_back(row[0], event);
            last = total;
        }
    }
    const auto ordered = in_order(std::move(events));
    Replay replay(options(3, 4ULL << 30), ordered.front().at_ms);
    replay.play(ordered, marks_of(ordered, kDayMs, 3 * kHourMs));
    EXPECT_GT(replay.items(), 2'000u);
}

/// Of the shape of the others, for where there are no data sets: a few items get most of it, in
/// hours that are not alike, and users come back.
TEST(ReplayedFeeds, AGeneratedStreamByHours) {
    constexpr BruteSignal kSignals[] = {kView, kView, kView, kLike, kShare, kComment, kDislike};
    std::mt19937_64 random(20);
    std::vector<std::pair<std::uint64_t, BruteEvent>> events;
    UnixMillis at_ms = 1'500'000'000'000;
    for (int n = 0; n < 6'000; ++n) {
        const auto busy = static_cast<std::uint64_t>(at_ms / kHourMs % 5) + 1;
        at_ms += static_cast<UnixMillis>(random() % (240'000 / busy));
        BruteEvent event;
        event.at_ms = at_ms;
        event.user = 1 + random() % 300;
        event.signal = kSignals[random() % 7];
        event.weight = static_cast<double>(1 + random() % 8) / 4;
        const std::uint64_t most = 1 + random() % 400;
        events.emplace_back(random() % most, event);
    }
    const auto ordered = in_order(std::move(events));
    Replay replay(options(2, 2 << 20), ordered.front().at_ms);
    replay.play(ordered, marks_of(ordered, 5 * kHourMs + 7 * 60'000, 31 * 60'000));
    EXPECT_GT(replay.items(), 300u);
}

TEST(ReplayedFeeds, MovieLensByMonthsAndYears) {
    const auto ratings = read_zst("movielens-latest-small/ratings.csv.zst");
    const auto tags = read_zst("movielens-latest-small/tags.csv.zst");
    if (!ratings || !tags) GTEST_SKIP() << "no movielens-latest-small";
    std::vector<std::pair<std::uint64_t, BruteEvent>> events;
    for (std::size_t at = 0; at < ratings->size();) {
        const auto row = csv_row(*ratings, &at);
        if (row[0] == "userId") continue;
        BruteEvent event;
        event.user = std::stoull(row[0]);
        event.at_ms = std::stoll(row[3]) * 1000;
        const double stars = std::stod(row[2]);
        events.emplace_back(std::stoull(row[1]), event);
        event.signal = stars >= 4 ? kLike : stars <= 2 ? kDislike : kView;
        event.weight = stars >= 4 ? stars - 3 : 3 - stars;
        if (event.signal != kView) events.emplace_back(std::stoull(row[1]), event);
    }
    for (std::size_t at = 0; at < tags->size();) {
        const auto row = csv_row(*tags, &at);
        if (row[0] == "userId") continue;
        BruteEvent event;
        event.signal = kComment;
        event.user = std::stoull(row[0]);
        event.at_ms = std::stoll(row[3]) * 1000;
        events.emplace_back(std::stoull(row[1]), event);
    }
    const auto ordered = in_order(std::move(events));
    ASSERT_GT(ordered.size(), 160'000u);
    Replay replay(options(2, 2 << 20), ordered.front().at_ms);
    replay.play(ordered, marks_of(ordered, 365 * kDayMs + 9 * kHourMs, 21 * kDayMs, 30 * kDayMs,
                                  {"top_month", "top_year"}));
    EXPECT_GE(replay.items(), 9'724u);
}

}  // namespace replay_feed_test
}  // namespace tidal::api
