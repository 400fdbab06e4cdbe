// What the archive says of users: their exports while they are there, nothing once they are
// deleted, however late it was sealed, and whatever was lost in between.
#include <gmock/gmock.h>

#include <set>

#include "api/backups.h"
#include "api/tests/sim_cluster.h"
#include "api/tests/sim_node.h"
#include "runtime/seeded_random.h"
#include "storage/row_engine.h"
#include "wal/archive_segment.h"

namespace tidal::api {
namespace archive_keys_test {

/// All bytes that the archive's blocks hold.
std::string archived(runtime::Disk& disk) {
    std::string out;
    const auto names = disk.list("archive");
    for (const auto& name : names ? *names : std::vector<std::string>()) {
        auto reader = wal::SegmentReader::open(disk, "archive/" + name);
        EXPECT_TRUE(reader.ok()) << reader.error().to_string();
        EXPECT_TRUE(reader->info().sealed);
        for (const auto& block : reader->blocks()) out += *reader->read_block(block);
    }
    return out;
}
bool holds(std::string_view bytes, std::string_view what) {
    return bytes.find(what) != std::string_view::npos;
}

std::vector<ExportedSignal> export_all(Database& database,
                                       std::optional<IdInput> user = std::nullopt) {
    std::vector<ExportedSignal> all;
    ExportRequest request;
    request.user_id = std::move(user);
    request.limit = 500;
    for (bool end = false; !end;) {
        auto page = database.export_signals(request);
        EXPECT_TRUE(page.ok()) << page.error().to_string();
        if (!page.ok()) break;
        for (auto& one : page->signals) all.push_back(std::move(one));
        request.position = page->position;
        end = page->end;
    }
    return all;
}
/// What is exported of signals whose user was named so: id, context and session.
std::multiset<std::string> said_by(Database& database, const std::string& user) {
    std::multiset<std::string> out;
    for (const ExportedSignal& one : export_all(database, IdInput(user)))
        out.insert(one.id.to_string() + " " + one.signal + " " + one.context + " " +
                   one.session_id);
    return out;
}

std::string schema_of_texts() {
    std::string yaml(schema::default_schema_yaml());
    const auto at = yaml.find("ids: u64", yaml.find("users:"));
    return yaml.replace(at, 8, "ids: string");
}

constexpr std::uint16_t kShards = 3;
const std::string kNina = "nina-of-kyiv", kBoris = "boris-of-riga";

class ArchiveOfUsers : public testing::Test {
protected:
    ArchiveOfUsers()
        : node_({.shards = kShards,
                 .schema = schema_of_texts(),
                 .executors = 2,
                 .checkpoint_interval_ms = 3'600'000}) {}
    void SetUp() override {
        ASSERT_OK(node_.open());
        for (std::uint64_t id = 1; id <= 6; ++id) node_.put(item(id, 1));
    }
    /// Signals of a user on all items, and what else a user does.
    void live(const std::string& user, int rounds = 3) {
        EntityWrite known;
        known.kind = EntityKind::kUser;
        known.id = user;
        known.metadata = {{"language", "lang of " + user}};
        node_.put(known);
        for (int round = 0; round < rounds; ++round)
            for (std::uint64_t id = 1; id <= 6; ++id) {
                SignalWrite write = signal(id, round % 2 == 0 ? "like" : "view");
                write.user_id = IdInput(user);
                write.context = "said by " + user;
                write.session_id = "session of " + user;
                write.under_policy = false;
                node_.put(write);
                ++written_;
            }
        node_.put(RelationshipWrite{IdInput(user), record::RelationshipKind::kFriends,
                                    IdInput("friend of " + user.substr(0, 3))});
        node_.put(SavedSearchWrite{IdInput(user), "mine", "SEARCH items FOR 'title'"});
    }
    /// Until all that is in the log by now is in the archive.
    void archive(SimNode& node) {
        for (int i = 0; i < 260; ++i) {
            SignalWrite write = signal(1 + static_cast<std::uint64_t>(i) % 6, "view");
            write.context = std::string(200, 'c');
            node.put(write);
        }
        written_ += 260;
        node.rest();
        ASSERT_OK(node.checkpoint());
        node.world().advance(20 * kSecondNs);
    }
    void erase(const std::string& user) {
        EntityDelete gone;
        gone.kind = EntityKind::kUser;
        gone.id = user;
        const auto reply = node_.write_one(gone);  // Of one whom only signals name: forgotten too.
        EXPECT_TRUE(reply.ok() || reply.error().code() == ErrorCode::kNotFound);
    }
    std::string logged() {
        std::string out;
        const auto names = node_.disk().list("wal");
        for (const auto& name : *names) out += *runtime::read_file(node_.disk(), "wal/" + name);
        return out;
    }
    /// Keys of rows, as of the newest checkpoint, that name a user.
    std::set<std::string> rows_naming(const std::string& user) {
        node_.power_off({});
        std::set<std::string> kinds;
        auto rows = storage::open_simple_rows(node_.disk(), "store/rows");
        EXPECT_TRUE(rows.ok());
        EXPECT_TRUE((*rows)
                        ->scan("", "",
                               [&](std::string_view key, std::string_view value) {
                                   if (holds(key, user) || holds(value, user))
                                       kinds.emplace(key.substr(3, 3));  // Behind shard and area.
                                   return true;
                               })
                        .ok());
        rows->reset();
        EXPECT_TRUE(node_.open().ok());
        return kinds;
    }

    SimNode node_;
    std::size_t written_ = 0;
};

TEST_F(ArchiveOfUsers, IsExportedWhileTheyAreThere) {
    live(kNina);
    live(kBoris);
    const auto nina = said_by(*node_, kNina), boris = said_by(*node_, kBoris);
    ASSERT_EQ(nina.size(), 18u);
    EXPECT_TRUE(nina.contains("1 like said by nina-of-kyiv session of nina-of-kyiv"));
    archive(node_);
    const std::string bytes = archived(node_.disk());
    ASSERT_GT(bytes.size(), 10'000u);
    EXPECT_FALSE(holds(bytes, kNina));
    EXPECT_FALSE(holds(bytes, kBoris));
    archive(node_);
    EXPECT_FALSE(holds(logged(), kNina)) << "it is all in the archive, the record of keys too";
    EXPECT_FALSE(holds(archived(node_.disk()), kNina));
    EXPECT_EQ(said_by(*node_, kNina), nina);
    EXPECT_EQ(said_by(*node_, kBoris), boris);
    EXPECT_EQ(export_all(*node_).size(), written_);
    ASSERT_OK(node_.crash_and_open());
    EXPECT_EQ(said_by(*node_, kNina), nina);
    EXPECT_EQ(said_by(*node_, kBoris), boris);
}

TEST_F(ArchiveOfUsers, IsNobodysOnceTheyAreDeleted) {
    live(kNina);
    live(kBoris);
    const auto boris = said_by(*node_, kBoris);
    const std::int64_t likes = node_.count(1, "like");
    archive(node_);
    erase(kNina);
    for (int life = 0; life < 2; ++life) {
        EXPECT_TRUE(said_by(*node_, kNina).empty());
        EXPECT_EQ(said_by(*node_, kBoris), boris);
        const auto all = export_all(*node_);
        EXPECT_EQ(all.size(), written_) << "the signals count";
        for (const ExportedSignal& one : all)
            EXPECT_FALSE(one.user_id == EntityId(kNina) || holds(one.context, kNina) ||
                         holds(one.session_id, kNina));
        EXPECT_EQ(node_.count(1, "like"), likes);
        archive(node_);
        EXPECT_FALSE(holds(archived(node_.disk()), kNina));
        EXPECT_FALSE(holds(logged(), kNina)) << "the log before is gone";
        ASSERT_OK(node_.crash_and_open());
    }
    EXPECT_EQ(rows_naming(kNina), (std::set<std::string>{"e/u", "a/t"}))
        << "only tombstones: that the id was deleted, and when";
    EXPECT_TRUE(rows_naming(kBoris).contains("a/k"));
}

TEST_F(ArchiveOfUsers, WhoIsDeletedBeforeItIsSealedIsNeverInIt) {
    live(kNina);
    live(kBoris);
    const auto boris = said_by(*node_, kBoris);
    erase(kNina);
    archive(node_);
    EXPECT_TRUE(said_by(*node_, kNina).empty());
    EXPECT_EQ(said_by(*node_, kBoris), boris);
    EXPECT_EQ(export_all(*node_).size(), written_);
    EXPECT_FALSE(rows_naming(kNina).contains("a/k")) << "no key was made";
    EXPECT_FALSE(rows_naming(kNina).contains("a/l"));
}

TEST_F(ArchiveOfUsers, WhoComesBackIsSomebodyNew) {
    live(kNina);
    archive(node_);
    erase(kNina);
    live(kNina, 1);
    const auto again = said_by(*node_, kNina);
    ASSERT_EQ(again.size(), 6u);
    archive(node_);
    ASSERT_OK(node_.crash_and_open());
    EXPECT_EQ(said_by(*node_, kNina), again) << "what was before stays nobody's";
    EXPECT_EQ(export_all(*node_).size(), written_);
    EXPECT_FALSE(holds(archived(node_.disk()), kNina));
    erase(kNina);
    EXPECT_TRUE(said_by(*node_, kNina).empty());
    EXPECT_EQ(export_all(*node_).size(), written_);
}

TEST_F(ArchiveOfUsers, ImpressionsOfTheDeletedAreInNoExportOfWhatWasShown) {
    for (const std::string& user : {kNina, kBoris}) {
        SignalWrite shown = signal(1, "impression");
        shown.user_id = IdInput(user);
        node_.put(shown);
        ++written_;
    }
    archive(node_);
    erase(kNina);
    ASSERT_OK(node_.crash_and_open());
    const auto page = node_->export_shown({});
    ASSERT_OK(page);
    ASSERT_EQ(page->items.size(), 1u);
    EXPECT_EQ(page->items[0].user_id, EntityId(kBoris));
    EXPECT_EQ(export_all(*node_).size(), written_);
}

TEST_F(ArchiveOfUsers, ABackupKeepsThem) {
    live(kNina);
    archive(node_);
    const auto nina = said_by(*node_, kNina);
    runtime::SimDisk disk;
    auto backups = std::make_shared<Backups>(*node_, node_.runtime(), disk);
    // Also with keys under way.
    live(kBoris);
    const auto boris = said_by(*node_, kBoris);
    ASSERT_OK(node_.checkpoint());
    ASSERT_OK(backups->create("one"));
    node_.world().run_until([&] {
        const auto found = backups->find("one");
        return found.ok() && found->state != BackupReport::State::kRunning;
    });
    ASSERT_EQ(backups->find("one")->state, BackupReport::State::kDone);
    erase(kNina);
    archive(node_);
    EXPECT_TRUE(said_by(*node_, kNina).empty());

    SimNode other({.shards = kShards}, 2);
    runtime::SeededRandom random(7);
    ASSERT_OK(restore_backup(disk, "one", other.disk(), random));
    ASSERT_OK(other.open());
    EXPECT_EQ(said_by(*other, kNina), nina);
    EXPECT_EQ(said_by(*other, kBoris), boris);
    archive(other);
    EXPECT_EQ(said_by(*other, kNina), nina);
    EXPECT_EQ(said_by(*other, kBoris), boris);
}

/// The power goes at any write on the way from the log into the archive.
TEST_F(ArchiveOfUsers, NothingIsLostWhereverTheDiskStops) {
    live(kNina);
    live(kBoris);
    const auto nina = said_by(*node_, kNina), boris = said_by(*node_, kBoris);
    for (std::uint64_t n = 1; n < 120; n += 7) {
        node_.disk().set_crash_after(n);
        for (int i = 0; i < 60 && !node_.crashed() && !node_.disk().dead(); ++i) {
            SignalWrite write = signal(1, "view");
            write.context = std::string(300, 'c');
            if (node_.write_one(write).ok()) ++written_;
        }
        if (!node_.crashed() && !node_.disk().dead() && node_.checkpoint().ok())
            node_.world().advance(5 * kSecondNs);
        node_.power_off({.keep = runtime::CrashSpec::Keep::kSeeded, .seed = n});
        ASSERT_OK(node_.open());
        EXPECT_EQ(said_by(*node_, kNina), nina) << n;
        EXPECT_EQ(said_by(*node_, kBoris), boris) << n;
        EXPECT_GE(export_all(*node_).size(), written_) << n;
    }
    archive(node_);
    EXPECT_EQ(said_by(*node_, kNina), nina);
    EXPECT_FALSE(holds(archived(node_.disk()), kNina));
}

/// Each node seals its own log, with the keys that all agree on.
TEST(ArchiveOfUsersInACluster, IsNobodysOnEveryNode) {
    SimCluster cluster(7);
    cluster.options().log.file_bytes = 16 << 10;
    cluster.options().log_bytes_max = 64 << 10;  // A follower keeps a quarter of it for others.
    cluster.begin(3);
    constexpr std::uint64_t kGone = 0x7b2f5d9c1e4a8367, kStays = 0x5e1d7c3b9a2f4861;
    const auto varint = [](std::uint64_t number) {
        Encoder out;
        out.varint(number);
        return out.take();
    };
    std::size_t written = 0;
    const auto write = [&](std::uint64_t user, int count) {
        for (int i = 0; i < count; ++i) {
            SignalWrite one = signal(1 + static_cast<std::uint64_t>(i) % 6, "like");
            if (user != 0) one.user_id = IdInput(user);
            one.context = std::string(400, 'c');
            cluster.put(1 + static_cast<std::uint32_t>(i) % 3, one);
            ++written;
        }
    };
    int versions = 0;
    const auto archive_all = [&] {
        write(0, 90);
        // The metadata shard, quiet otherwise, gives its part of the log up at a checkpoint as
        // well.
        const std::string profile =
            "profile kept version " + std::to_string(++versions) + " { score sum(like, all); }";
        ASSERT_OK(cluster.wait([&](Database::Done done) {
            cluster.node(1)->put_profile(
                profile, false, [done = std::move(done)](Result<CatalogReply> reply) mutable {
                    done(reply.ok() ? Result<void>() : reply.take_error());
                });
        }));
        ASSERT_TRUE(cluster.until([&] { return cluster.at_rest(); }));
        cluster.world().advance(20 * kSecondNs);
    };
    const auto of = [](SimCluster::Member& member, std::uint64_t user) {
        return export_all(*member, IdInput(user)).size();
    };
    for (std::uint64_t id = 1; id <= 6; ++id) cluster.put(1, item(id));
    write(kGone, 12);
    write(kStays, 12);
    archive_all();
    for (auto& [number, member] : cluster.nodes()) {
        EXPECT_GT(member->stats().log.archive_segments, 0u);
        EXPECT_EQ(of(member, kGone), 12u) << number;
        EXPECT_EQ(of(member, kStays), 12u) << number;
        EXPECT_FALSE(holds(archived(*member.disk), varint(kGone)));
    }
    EntityDelete gone;
    gone.kind = EntityKind::kUser;
    gone.id = kGone;
    (void)cluster.write_one(2, gone);  // Not found as an entity, forgotten all the same.
    archive_all();
    cluster.kill(3);
    cluster.restart(3);
    ASSERT_TRUE(cluster.until([&] { return cluster.at_rest(); }));
    for (auto& [number, member] : cluster.nodes()) {
        EXPECT_EQ(of(member, kGone), 0u) << number;
        EXPECT_EQ(of(member, kStays), 12u) << number;
        EXPECT_EQ(export_all(*member).size(), written) << number;
        EXPECT_FALSE(holds(archived(*member.disk), varint(kGone)));
        EXPECT_FALSE(holds(archived(*member.disk), varint(kStays)));
    }
    cluster.expect_equal();
}

}  // namespace archive_keys_test
}  // namespace tidal::api
