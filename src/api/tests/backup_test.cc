// Backups of an open database: whole or not there, and the way back.
#include <algorithm>

#include "api/backups.h"
#include "api/tests/personal_model.h"
#include "api/tests/sim_node.h"
#include "runtime/seeded_random.h"

namespace tidal::api {
namespace backup_test {

constexpr std::uint16_t kShards = 3;
constexpr std::uint64_t kItem = 1;
using State = BackupReport::State;

class Backup : public testing::Test {
protected:
    Backup() : node({.shards = kShards, .checkpoint_interval_ms = 3'600'000}) {
        while (home_of(EntityKind::kCreator, creator, kShards) ==
               home_of(EntityKind::kItem, kItem, kShards))
            ++creator;
    }
    void SetUp() override {
        ASSERT_OK(node.open());
        node.put(item(kItem, creator));
        backups = std::make_shared<Backups>(*node, node.runtime(), disk);
    }
    void like(int times) {
        for (int i = 0; i < times; ++i) node.put(signal(kItem, "like"));
    }
    /// A checkpoint with a log behind it, and an archive.
    void fill() {
        like(150);
        ASSERT_OK(node.checkpoint());
        like(60);
        node.rest();
    }
    BackupReport make(const std::string& name) {
        auto begun = backups->create(name);
        EXPECT_TRUE(begun.ok()) << begun.error().to_string();
        BackupReport report;
        node.world().run_until([&] {
            auto found = backups->find(name);
            if (found.ok()) report = std::move(*found);
            return !found.ok() || report.state != State::kRunning;
        });
        return report;
    }
    Result<BackupManifest> restore(runtime::Disk& to) {
        runtime::SeededRandom random(7);
        return restore_backup(disk, "one", to, random);
    }

    SimNode node;
    runtime::SimDisk disk;
    std::shared_ptr<Backups> backups;
    std::uint64_t creator = 1;
};

TEST_F(Backup, RestoredItIsTheSourceAtTheCut) {
    fill();
    const auto hashes = node->content_hashes();
    ASSERT_OK(hashes);
    const BackupReport made = make("one");
    ASSERT_EQ(made.state, State::kDone) << made.error;
    EXPECT_EQ(made.bytes, made.manifest.bytes());
    EXPECT_EQ(made.manifest.schema_fingerprint, schema::fingerprint(*node->schema()));
    like(9);
    const auto damage = verify_backup(disk, "one");
    ASSERT_OK(damage);
    EXPECT_TRUE(damage->empty()) << damage->front();

    SimNode other({.shards = kShards, .checkpoint_interval_ms = 3'600'000}, 2);
    ASSERT_OK(restore(other.disk()));
    ASSERT_OK(other.open());
    const auto restored = other->content_hashes();
    ASSERT_OK(restored);
    EXPECT_EQ(*restored, *hashes);
    EXPECT_EQ(other.count(kItem, "like"), 210);
    EXPECT_EQ(other->stats().identity.cluster_id, node->stats().identity.cluster_id);
    EXPECT_NE(other->stats().identity.instance_id, node->stats().identity.instance_id);
    EXPECT_GT(other->stats().log.archive_segments, 0u);
    // It goes on, over crashes and checkpoints of its own.
    for (int i = 0; i < 5; ++i) other.put(signal(kItem, "like"));
    ASSERT_OK(other.checkpoint());
    ASSERT_OK(other.crash_and_open());
    other.rest();
    EXPECT_EQ(other.count(kItem, "like"), 215);
    EXPECT_EQ(other.count(EntityKind::kCreator, creator, "like"), 215);
}

TEST_F(Backup, EffectsUnderWayToOtherShardsArriveOnce) {
    for (int round = 0; round < 6; ++round) {
        like(3);
        node.world().advance(static_cast<std::uint64_t>(round) * 150'000);
        ASSERT_EQ(make("one").state, State::kDone);
        SimNode other({.shards = kShards}, 3);
        ASSERT_OK(restore(other.disk()));
        ASSERT_OK(other.open());
        other.rest();
        EXPECT_EQ(other.count(kItem, "like"), 3 * (round + 1));
        EXPECT_EQ(other.count(EntityKind::kCreator, creator, "like"), 3 * (round + 1));
        ASSERT_OK(backups->remove("one"));
    }
}

TEST_F(Backup, IsWholeOrNothingWhereverItsDiskStops) {
    fill();
    bool whole = false;
    for (std::uint64_t n = 1; !whole; ++n) {
        ASSERT_LT(n, 2000u);
        disk.set_crash_after(n);
        const BackupReport made = make("one");
        whole = made.state == State::kDone && !disk.dead();
        disk.set_crash_after(0);
        disk.crash({.keep = runtime::CrashSpec::Keep::kSeeded, .seed = n});
        backups = std::make_shared<Backups>(*node, node.runtime(), disk);
        ASSERT_OK(backups->open());
        const auto listed = backups->list();
        ASSERT_OK(listed);
        if (listed->empty()) {
            EXPECT_FALSE(whole) << "a finished backup is gone";
            EXPECT_TRUE(disk.list("")->empty()) << "after " << n << " something is left";
            continue;
        }
        EXPECT_EQ(listed->front().state, State::kDone) << listed->front().error;
        const auto damage = verify_backup(disk, "one");
        ASSERT_OK(damage);
        EXPECT_TRUE(damage->empty()) << damage->front();
        if (!whole) ASSERT_OK(backups->remove("one"));
    }
    like(1);
    EXPECT_FALSE(node.crashed());
}

TEST_F(Backup, AFlippedBitOrAMissingFileIsNamed) {
    fill();
    const BackupReport made = make("one");
    ASSERT_EQ(made.state, State::kDone) << made.error;
    for (const BackupFile& file : made.manifest.files) {
        if (file.bytes == 0) continue;
        const std::string path = "one/" + file.path;
        ASSERT_OK(disk.flip_bit(path, file.bytes / 2, 3));
        const auto damage = verify_backup(disk, "one");
        ASSERT_OK(damage);
        ASSERT_EQ(damage->size(), 1u);
        EXPECT_NE(damage->front().find(file.path), std::string::npos) << damage->front();
        runtime::SimDisk target;
        const auto restored = restore(target);
        ASSERT_FALSE(restored.ok());
        EXPECT_EQ(restored.error().code(), ErrorCode::kCorruption);
        EXPECT_NE(restored.error().to_string().find(file.path), std::string::npos);
        EXPECT_FALSE(*target.exists("NODE")) << "half a directory is no database";
        ASSERT_OK(disk.flip_bit(path, file.bytes / 2, 3));
    }
    ASSERT_OK(disk.remove("one/" + made.manifest.files.back().path));
    const auto damage = verify_backup(disk, "one");
    ASSERT_OK(damage);
    ASSERT_EQ(damage->size(), 1u);
    EXPECT_NE(damage->front().find("is missing"), std::string::npos);
    ASSERT_OK(disk.flip_bit("one/MANIFEST", 40, 1));
    EXPECT_EQ(verify_backup(disk, "one").error().code(), ErrorCode::kCorruption);
}

TEST_F(Backup, AFullDiskFailsItAndLeavesNothing) {
    fill();
    const std::uint64_t needed = make("one").bytes;
    for (const std::uint64_t room : {needed / 4, needed - 10}) {
        disk.set_capacity(disk.used_bytes() + room);
        const BackupReport made = make("two");
        EXPECT_EQ(made.state, State::kFailed);
        EXPECT_FALSE(made.error.empty());
        EXPECT_FALSE(*disk.exists("two"));
        like(1);
        disk.set_capacity(~0ULL);
        ASSERT_OK(backups->remove("two"));
    }
    EXPECT_EQ(make("two").state, State::kDone);
    EXPECT_EQ(backups->list()->size(), 2u);
}

TEST_F(Backup, NamesAndDirectoriesThatCannotBe) {
    for (const char* name : {"", "..", "a/b", "a.b", ".hidden", "a b", "/etc"})
        EXPECT_EQ(backups->create(name).error().code(), ErrorCode::kInvalidArgument) << name;
    EXPECT_FALSE(backups->create(std::string(65, 'a')).ok());
    EXPECT_EQ(backups->find("none").error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(backups->remove("none").error().code(), ErrorCode::kNotFound);
    ASSERT_EQ(make("one").state, State::kDone);
    EXPECT_EQ(backups->create("one").error().code(), ErrorCode::kConflict);
    EXPECT_EQ(restore(node.disk()).error().code(), ErrorCode::kConflict);
    // What is not ours is neither shown nor removed.
    ASSERT_OK(disk.create_directories("photos"));
    ASSERT_OK(runtime::write_file(disk, "photos/cat", "meow"));
    ASSERT_OK(backups->open());
    EXPECT_TRUE(*disk.exists("photos/cat"));
    EXPECT_EQ(backups->remove("photos").error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(backups->list()->size(), 1u);
    ASSERT_OK(backups->create("late"));
    EXPECT_EQ(backups->create("later").error().code(), ErrorCode::kConflict) << "one at a time";
    EXPECT_EQ(backups->remove("late").error().code(), ErrorCode::kConflict) << "while it runs";
    backups->stop();
    node.world().advance(kSecondNs);
    EXPECT_EQ(backups->find("late")->state, State::kFailed);
}

/// Users who do all that leaves personal state, before and after the cut.
class PersonalBackup : public Backup {
protected:
    static constexpr std::uint64_t kUsers = 4, kItemsBegin = 10, kItemsEnd = 50;
    /// Who acts under a session, of which the model knows nothing, on an item of their own.
    static constexpr std::uint64_t kGuest = 9, kGuestItem = 60;
    /// So large that nothing goes to the archive, which keeps no rows of tastes.
    static constexpr std::uint64_t kLogFileBytes = 4 << 20;

    PersonalBackup() { node.options().log.file_bytes = kLogFileBytes; }

    std::uint64_t below(std::uint64_t bound) { return random.below(bound); }
    template <typename Ask>
    SessionReply ask(SimNode& of, Ask begin) {
        auto answer = std::make_shared<std::optional<Result<SessionReply>>>();
        begin([answer](Result<SessionReply> reply) { answer->emplace(std::move(reply)); });
        of.world().run_until([&] { return answer->has_value(); }, 600 * kSecondNs);
        EXPECT_TRUE(answer->has_value() && (*answer)->ok());
        return answer->has_value() && (*answer)->ok() ? std::move(***answer) : SessionReply();
    }

    void begin() {
        for (std::uint64_t id = kItemsBegin; id < kItemsEnd; ++id) node.put(item(id, 1 + id % 3));
        node.put(item(kGuestItem));
        EntityWrite guest;
        guest.kind = EntityKind::kUser;
        guest.id = kGuest;
        guest.metadata = {{"language", std::string("fr")}};
        node.put(guest);
        ASSERT_OK(node.wait([&](Database::Done done) {
            node->put_cohort("cohort fr version 1 { tracks view; where language = 'fr'; }", false,
                             [done = std::move(done)](auto reply) mutable {
                                 done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
                             });
        }));
        SessionOpen open;
        open.user_id = kGuest;
        open.annotations = {{"place", "train"}};
        session = ask(node, [&](auto done) { node->open_session(open, {}, std::move(done)); }).id;
    }
    void live(SimNode& in, int steps) {
        for (int step = 0; step < steps; ++step) {
            const std::uint64_t dice = below(10);
            if (dice < 6) {
                send(in);
            } else if (dice < 7) {
                undo(in);
            } else {
                relate(in);
            }
        }
        SignalWrite view = signal(kGuestItem, "view");
        view.session_id = std::to_string(session);
        in.put(view);
    }
    void send(SimNode& in) {
        constexpr const char* kNames[] = {"like", "like", "dislike", "skip", "view", "hide"};
        const std::uint64_t item = kItemsBegin + below(kItemsEnd - kItemsBegin);
        const std::string key = below(2) == 0 ? "key " + std::to_string(sent++) : "";
        SignalWrite write = signal(item, kNames[below(std::size(kNames))], key);
        write.user_id = IdInput(1 + below(kUsers));
        write.weight = static_cast<double>(1 + below(8)) / 4;
        if (!key.empty()) keyed.emplace_back(item, key);
        in.put(std::move(write));
    }
    void undo(SimNode& in) {
        if (keyed.empty()) return;
        const std::size_t newest = below(std::min<std::size_t>(keyed.size(), 20));
        const auto& [item, key] = keyed[keyed.size() - 1 - newest];
        in.put(SignalUndo{item, key, {}});
    }
    void relate(SimNode& in) {
        RelationshipWrite write;
        const std::uint64_t user = 1 + below(kUsers);
        write.user_id = IdInput(user);
        write.kind = static_cast<record::RelationshipKind>(below(record::kRelationshipKindCount));
        write.ends = below(3) == 0;
        write.target = IdInput(1 + below(3));
        if (write.kind == record::RelationshipKind::kFriends) write.target = IdInput(user + 1);
        if (record::is_of_items(write.kind))
            write.target = IdInput(kItemsBegin + below(kItemsEnd - kItemsBegin));
        in.put(std::move(write));
    }

    static PersonalModel model_of(SimNode& of) {
        PersonalModel model(of->schema());
        InnerView view(*of);
        for (std::uint16_t at = 1; at <= kShards; ++at) {
            const ShardId shard(at);
            const auto whole = view.visit_history(
                shard, [&](const record::Record& record) { model.take(view, shard, record); });
            EXPECT_TRUE(whole.ok() && *whole);
        }
        return model;
    }
    /// What the guest left: the session, and what a cohort counts of them.
    static void expect_guest(SimNode& in, const SessionReply& wanted, std::int64_t counted) {
        const auto seen = in->session(wanted.id);
        ASSERT_OK(seen);
        EXPECT_EQ(seen->user, EntityId(kGuest));
        EXPECT_EQ(seen->counts, wanted.counts);
        EXPECT_EQ(seen->annotations, wanted.annotations);
        EXPECT_EQ(seen->expires_ms, wanted.expires_ms);
        EXPECT_EQ(seen->end, wanted.end);
        EXPECT_EQ(in->cohort("fr")->events_7d, counted);
    }

    runtime::SeededRandom random{11};
    std::vector<std::pair<std::uint64_t, std::string>> keyed;
    std::uint64_t sent = 0, session = 0;
};

TEST_F(PersonalBackup, RestoredItIsWhatItWasAtTheCutAndGoesOn) {
    ASSERT_NO_FATAL_FAILURE(begin());
    live(node, 300);
    ASSERT_OK(node.checkpoint());
    live(node, 150);
    node.rest();
    const PersonalModel at_the_cut = model_of(node);
    const PersonalModel::Sizes sizes = at_the_cut.sizes();
    for (const std::uint64_t each : {sizes.states, sizes.relationships, sizes.positives,
                                     sizes.negatives, sizes.pairs, sizes.undone})
        EXPECT_GT(each, 3u);
    EXPECT_EQ(at_the_cut.difference(*node), "");
    const SessionReply guest = *node->session(session);
    EXPECT_EQ(guest.counts.size(), 1u);
    EXPECT_EQ(node->cohort("fr")->events_7d, 2);
    const auto hashes = *node->content_hashes();
    ASSERT_EQ(make("one").state, State::kDone);
    const auto keyed_before = keyed;
    live(node, 50);
    keyed = keyed_before;

    SimNode other({.shards = kShards, .checkpoint_interval_ms = 3'600'000}, 2);
    other.options().log.file_bytes = kLogFileBytes;
    ASSERT_OK(restore(other.disk()));
    ASSERT_OK(other.open());
    other.rest();
    EXPECT_EQ(*other->content_hashes(), hashes);
    EXPECT_EQ(at_the_cut.difference(*other), "");
    expect_guest(other, guest, 2);

    // What was sent before the cut is taken back, and more is sent, over checkpoint and power cut.
    live(other, 150);
    ASSERT_OK(other.checkpoint());
    live(other, 50);
    ASSERT_OK(other.crash_and_open());
    other.rest();
    const PersonalModel later = model_of(other);
    EXPECT_GT(later.sizes().undone, sizes.undone);
    EXPECT_EQ(later.difference(*other), "");
    EXPECT_NE(at_the_cut.difference(*other), "");
    EXPECT_EQ(other->cohort("fr")->events_7d, 4);
}

/// What was on its way between shards at the cut arrives after it.
TEST_F(PersonalBackup, EffectsUnderWayComeToTheirUsersOnce) {
    ASSERT_NO_FATAL_FAILURE(begin());
    for (std::uint64_t round = 0; round < 6; ++round) {
        live(node, 40);
        if (round % 2 == 1) ASSERT_OK(node.checkpoint());
        node.world().advance(round * 150'000);
        ASSERT_EQ(make("one").state, State::kDone);
        SimNode other({.shards = kShards}, 3);
        other.options().log.file_bytes = kLogFileBytes;
        ASSERT_OK(restore(other.disk()));
        ASSERT_OK(other.open());
        other.rest();
        EXPECT_EQ(model_of(other).difference(*other), "") << "round " << round;
        node.rest();
        EXPECT_EQ(model_of(node).difference(*other), "") << "of the source, round " << round;
        ASSERT_OK(backups->remove("one"));
    }
}

TEST(BackupManifest, ReadsBackAndNamesWhatIsWrong) {
    BackupManifest manifest;
    manifest.taken_ms = 1'700'000'000'000;
    manifest.cluster_id = "c";
    manifest.log_file = 3;
    manifest.files = {{"rows", 10, 77}, {"wal/0000 1.log", 1 << 20, 0xFFFFFFFF}};
    const std::string text = print_manifest(manifest);
    EXPECT_EQ(*parse_manifest(text), manifest);
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string flipped = text;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        EXPECT_FALSE(parse_manifest(flipped).ok()) << at;
        EXPECT_FALSE(parse_manifest(text.substr(0, at)).ok()) << at;
    }
}

}  // namespace backup_test
}  // namespace tidal::api
