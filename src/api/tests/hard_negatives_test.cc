// Random operations through the database, under sessions and without, over lost power and backups
// that are gone back to, pages at every level of load: an item that a user hid, or whose creator
// the user blocks, is never on a page for that user. 1,000,000 operations with TIDAL_TEST_FULL set,
// else some 15,000: docs/development.md.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "api/backups.h"
#include "runtime/seeded_random.h"
#include "sim_node.h"

namespace tidal::api {
namespace hard_negatives_test {

constexpr std::uint16_t kShards = 4;
constexpr std::uint64_t kItems = 150, kUsers = 12;

class HardNegatives : public testing::Test {
protected:
    HardNegatives() : node_(options(), 1, 250'000) {}

    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = kShards;
        out.view_items_min = 10;
        out.graph_vectors_min = 20;
        return out;
    }
    /// Of some lives: one query at a time goes on behind its first step, and whoever waits gets
    /// less.
    void any_load() {
        node_.options().load = {};
        if (one_in(2))
            node_.options().load = {
                .level_1_ms = 1, .level_2_ms = 6, .shed_ms = 100'000, .running_max = 1};
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }

    void make_item(std::uint64_t id) {
        const std::uint64_t creator = 1 + below(9);
        EntityWrite write = item(id, creator);
        write.metadata.emplace_back("year", static_cast<std::int64_t>(1990 + below(9)));
        node_.put(write);
        // Some far from all others, and some without: what is near is listed, and what is not.
        if (!one_in(9)) node_.put(EmbeddingWrite{EntityKind::kItem, id, "", any_vector()});
        live_.insert(id);
        creators_[id] = creator;
    }

    std::vector<double> any_vector() {
        std::vector<double> out(4);
        for (double& each : out) each = static_cast<double>(below(9)) - 4;
        out.front() += 0.5;  // Never all 0.
        return out;
    }

    /// The user's open session: made at first, and again after the user was deleted.
    std::uint64_t session_of(std::uint64_t user) {
        std::uint64_t& session = sessions_[user];
        if (session != 0) return session;
        SessionOpen open;
        open.user_id = user;
        open.policy = "fast";
        EXPECT_TRUE(node_
                        .wait([&](Database::Done done) {
                            node_->open_session(
                                open, {},
                                [&, done = std::move(done)](Result<SessionReply> reply) mutable {
                                    if (reply.ok()) session = reply->id;
                                    done(reply.ok() ? Result<void>() : reply.take_error());
                                });
                        })
                        .ok());
        return session;
    }

    /// What a user may do, some at a time, some of it under a session. @return how many.
    std::uint64_t write_signals() {
        const char* const names[] = {"hide", "hide", "view", "like", "save"};
        std::vector<Write> writes;
        std::vector<SignalWrite> sent;
        for (std::uint64_t n = 20 + below(60); n > 0; --n) {
            SignalWrite write = signal(1 + below(kItems), names[below(5)]);
            const std::uint64_t user = 1 + below(kUsers);
            write.user_id = IdInput(user);
            if (one_in(4)) write.session_id = std::to_string(session_of(user));
            if (one_in(3)) write.idempotency_key = "key " + std::to_string(++keys_);
            sent.push_back(write);
            writes.emplace_back(std::move(write));
        }
        const WriteReplies replies = node_.write(std::move(writes));
        EXPECT_EQ(replies.size(), sent.size());
        for (std::size_t i = 0; i < sent.size() && i < replies.size(); ++i) {
            const std::uint64_t id = std::get<std::uint64_t>(sent[i].id);
            EXPECT_EQ(replies[i].ok(), live_.contains(id));
            if (!replies[i].ok() || sent[i].signal != "hide") continue;
            const std::uint64_t user = std::get<std::uint64_t>(*sent[i].user_id);
            const bool undoable = !sent[i].idempotency_key.empty() && sent[i].session_id.empty();
            hides_[{user, id}].insert(undoable ? sent[i].idempotency_key : "");
            if (undoable) keyed_.push_back({user, id, sent[i].idempotency_key});
        }
        return sent.size();
    }
    void undo_one() {
        if (keyed_.empty()) return;
        const std::size_t at = below(keyed_.size());
        const auto [user, id, key] = keyed_[at];
        keyed_.erase(keyed_.begin() + static_cast<std::ptrdiff_t>(at));
        const auto undone = node_.write_one(SignalUndo{id, key, {}});
        if (!undone.ok()) return;  // Older than a day.
        const auto found = hides_.find({user, id});
        if (found == hides_.end()) return;
        found->second.erase(key);
        if (found->second.empty()) hides_.erase(found);
    }
    void relate() {
        RelationshipWrite write;
        const std::uint64_t user = 1 + below(kUsers), creator = 1 + below(9);
        const std::uint64_t id = 1 + below(kItems);
        write.user_id = user;
        write.ends = one_in(2);
        if (one_in(2)) {
            write.kind = record::RelationshipKind::kBlocks;
            write.target = creator;
            node_.put(write);
            if (write.ends)
                blocks_.erase({user, creator});
            else
                blocks_.insert({user, creator});
        } else if (live_.contains(id)) {
            write.kind = record::RelationshipKind::kHides;
            write.target = id;
            node_.put(write);
            if (write.ends)
                hides_.erase({user, id});
            else
                hides_[{user, id}].insert("");
        }
    }
    void delete_or_make() {
        const std::uint64_t id = 1 + below(kItems);
        if (!live_.contains(id)) return make_item(id);
        EntityDelete write;
        write.id = id;
        node_.put(write);
        live_.erase(id);
        std::erase_if(hides_, [&](const auto& one) { return one.first.second == id; });
    }
    void delete_user() {
        const std::uint64_t user = 1 + below(kUsers);
        EntityWrite write;
        write.kind = EntityKind::kUser;
        write.id = user;
        node_.put(write);
        EntityDelete gone;
        gone.kind = EntityKind::kUser;
        gone.id = user;
        node_.put(gone);
        std::erase_if(hides_, [&](const auto& one) { return one.first.first == user; });
        std::erase_if(blocks_, [&](const auto& one) { return one.first == user; });
        sessions_.erase(user);
    }

    /// As doors ask for it: some profiles count what they show. Some wait for those of others.
    Result<FeedReply> feed(const FeedCall& call) {
        auto waiting = std::make_shared<std::uint64_t>(one_in(12) ? 1 + below(4) : 0);
        for (std::uint64_t others = *waiting; others > 0; --others) {
            FeedCall other;
            other.profile = "for_you";
            other.user_id = IdInput(1 + below(kUsers));
            node_->feed(other, [waiting](const Result<FeedReply>&) { --*waiting; });
        }
        if (*waiting > 0) node_.world().advance((1 + below(8)) * 1'000'000);
        auto answer = std::make_shared<std::optional<Result<FeedReply>>>();
        node_->feed(call, [answer](Result<FeedReply> reply) { answer->emplace(std::move(reply)); });
        node_.world().run_until([&] { return answer->has_value() && *waiting == 0; });
        if (!*answer) return Error(ErrorCode::kTimeout, "no answer");
        if ((*answer)->ok()) ++levels_.at((**answer)->degradation);
        return std::move(**answer);
    }

    /// What holds now, and a backup of it.
    void back_up() {
        const auto backups = std::make_shared<Backups>(*node_, node_.runtime(), vault_);
        const std::string name = "b" + std::to_string(++backup_);
        EXPECT_TRUE(backups->create(name).ok());
        std::optional<BackupReport> made;
        node_.world().run_until([&] {
            if (auto found = backups->find(name); found.ok()) made = std::move(*found);
            return made && made->state != BackupReport::State::kRunning;
        });
        ASSERT_TRUE(made && made->state == BackupReport::State::kDone);
        past_ = Known{live_, hides_, blocks_, creators_, sessions_, keyed_};
        past_name_ = name;
    }
    void go_back() {
        node_.power_off({});
        runtime::SimDisk& disk = node_.disk();
        const auto names = disk.list("");
        ASSERT_OK(names);
        for (const std::string& each : *names)
            ASSERT_OK(disk.list(each).ok() ? remove_tree(disk, each) : disk.remove(each));
        runtime::SeededRandom random(below(1000));
        ASSERT_OK(restore_backup(vault_, past_name_, disk, random));
        any_load();
        ASSERT_OK(node_.open());
        live_ = past_.live;
        hides_ = past_.hides;
        blocks_ = past_.blocks;
        creators_ = past_.creators;
        sessions_ = past_.sessions;
        keyed_ = past_.keyed;
    }

    /// A page and those behind it, with hides in between. @return how many pages.
    std::uint64_t read_pages() {
        const char* const profiles[] = {"new",     "trending",    "hot",       "most_viewed",
                                        "shuffle", "hidden_gems", "top_month", "rising",
                                        "for_you", "following",   "for_you",   "notification",
                                        "related", "similar",     "search",    "hybrid"};
        const char* const filters[] = {"", "", "year < 1996", "NOT seen", "saved OR NOT liked"};
        FeedCall call;
        call.profile = profiles[below(16)];
        if (call.profile == "search" || call.profile == "hybrid") call.query = "title";
        if (call.profile == "hybrid") call.vector = any_vector();
        if (call.profile == "related" || call.profile == "similar") {
            if (live_.empty()) return 0;
            call.similar_to = IdInput(
                *std::next(live_.begin(), static_cast<std::ptrdiff_t>(below(live_.size()))));
        }
        call.filter = filters[below(5)];
        call.limit = static_cast<std::uint32_t>(1 + below(one_in(4) ? 150 : 10));
        const std::uint64_t user = 1 + below(kUsers);
        call.user_id = IdInput(user);
        if (one_in(3)) call.session = session_of(user);
        if (one_in(3))
            for (int i = 0; i < 5; ++i) {
                const std::uint64_t id = 1 + below(kItems);
                if (std::ranges::find(call.pin, IdInput(id)) == call.pin.end())
                    call.pin.emplace_back(id);
            }
        if (one_in(2)) call.fields.emplace();  // Ids alone, of which nothing is looked up.
        if (one_in(6)) call.sort = "year DESC";
        if (one_in(6)) call.diversity = "max_per_creator 2";
        if (one_in(6)) call.group_by = "year TOP 3";
        std::uint64_t pages = 0;
        for (; pages < 4; ++pages) {
            const auto reply = feed(call);
            if (!reply.ok()) {
                ADD_FAILURE() << reply.error().to_string();
                return pages;
            }
            for (const FeedItem& shown : reply->items)
                expect_shown(user, shown.entity.id.number(),
                             call.profile + " [" + call.filter + "]");
            if (call.filter.empty() && call.profile == "new") {
                std::size_t allowed = 0;
                for (const std::uint64_t id : live_)
                    allowed +=
                        hides_.contains({user, id}) || blocks_.contains({user, creators_[id]}) ? 0
                                                                                               : 1;
                EXPECT_EQ(reply->matched, allowed);
            }
            if (reply->next_cursor.empty()) break;
            call.cursor = reply->next_cursor;
            if (one_in(2)) write_signals();
        }
        return pages + 1;
    }

    void expect_shown(std::uint64_t user, std::uint64_t id, const std::string& by) {
        ++shown_;
        ++shown_by_[by.substr(0, by.find(' '))];
        EXPECT_TRUE(live_.contains(id)) << by << " shows item " << id;
        EXPECT_FALSE(blocks_.contains({user, creators_[id]}))
            << by << " shows user " << user << " a blocked creator's item";
        EXPECT_FALSE(hides_.contains({user, id})) << by << " shows user " << user << " item " << id;
    }
    std::uint64_t read_suggestions() {
        SuggestCall call;
        const std::uint64_t user = 1 + below(kUsers);
        call.user_id = IdInput(user);
        call.query = "title " + std::to_string(1 + below(15));
        call.limit = 30;
        const auto reply = node_->suggest(call);
        EXPECT_TRUE(reply.ok()) << reply.error().to_string();
        if (!reply.ok()) return 1;
        for (const Suggestion& each : reply->suggestions)
            if (each.kind == Suggestion::Kind::kItem)
                expect_shown(user, each.id->number(), "suggest");
        return 1;
    }

    using Pair = std::pair<std::uint64_t, std::uint64_t>;
    using Hides = std::map<Pair, std::set<std::string>>;  ///< Keys; "" = for good.
    struct Keyed {
        std::uint64_t user, id;
        std::string key;
    };
    struct Known {
        std::set<std::uint64_t> live;
        Hides hides;
        std::set<Pair> blocks;
        std::map<std::uint64_t, std::uint64_t> creators, sessions;
        std::vector<Keyed> keyed;
    };

    runtime::SimDisk vault_;  ///< Of the backups.
    SimNode node_;
    std::mt19937_64 random_{5};
    std::set<std::uint64_t> live_;
    Hides hides_;
    std::set<Pair> blocks_;
    std::map<std::uint64_t, std::uint64_t> creators_;  ///< By item.
    std::map<std::uint64_t, std::uint64_t> sessions_;  ///< By user.
    std::vector<Keyed> keyed_;
    Known past_;  ///< As of the newest backup.
    std::string past_name_;
    std::array<std::uint64_t, 3> levels_{};  ///< Pages by the level of load they were made at.
    std::uint64_t keys_ = 0, shown_ = 0, backup_ = 0;
    std::map<std::string, std::uint64_t> shown_by_;
};

TEST_F(HardNegatives, AreNeverShownOverRandomOperations) {
    const std::uint64_t wanted = std::getenv("TIDAL_TEST_FULL") != nullptr ? 1'000'000 : 15'000;
    ASSERT_OK(node_.open());
    for (std::uint64_t id = 1; id <= kItems; ++id) make_item(id);
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->put_policy("fast", "per_minute 60000\nburst 60000\nduration 24h", false,
                          [done = std::move(done)](auto reply) mutable {
                              done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
                          });
    }));
    std::uint64_t operations = 0, restarts = 0, restores = 0, pages = 0;
    for (std::uint64_t round = 0; operations < wanted; ++round) {
        switch (below(10)) {
            case 0:
            case 1:
            case 2:
                operations += write_signals();
                break;
            case 3:
                for (int i = 0; i < 10; ++i, ++operations) undo_one();
                break;
            case 4:
                for (int i = 0; i < 3; ++i, ++operations) delete_or_make();
                for (int i = 0; i < 3; ++i, ++operations) relate();
                break;
            default:
                pages += one_in(6) ? read_suggestions() : read_pages();
                break;
        }
        if (round % 97 == 0) {
            delete_user();
            ++operations;
        }
        if (round % 150 == 149) {
            if (one_in(2)) ASSERT_OK(node_.checkpoint());
            any_load();
            ASSERT_OK(node_.crash_and_open());
            ++restarts;
        }
        if (round % 110 == 60) back_up();
        if (round % 290 == 289) {
            go_back();
            ++restores;
        }
        if (HasFailure()) return;
    }
    operations += pages;
    RecordProperty("operations", static_cast<int>(operations));
    RecordProperty("pages", static_cast<int>(pages));
    const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    std::printf(
        "%llu operations, %llu pages with %llu items, %llu at level 0, %llu at level 1 and %llu at "
        "level 2, %llu "
        "restarts, %llu restores\n",
        n(operations), n(pages), n(shown_), n(levels_[0]), n(levels_[1]), n(levels_[2]),
        n(restarts), n(restores));
    EXPECT_GT(restarts, 2u);
    EXPECT_GT(restores, 1u);
    for (const std::uint64_t pages_of_level : levels_) EXPECT_GT(pages_of_level, 20u);
    EXPECT_GT(shown_, 1'000u);
    for (const char* by :
         {"for_you", "notification", "related", "similar", "search", "hybrid", "suggest"})
        EXPECT_GT(shown_by_[by], 20u) << by;
}

}  // namespace hard_negatives_test
}  // namespace tidal::api
