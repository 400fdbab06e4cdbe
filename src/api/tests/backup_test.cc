// Backups of an open database: whole or not there, and the way back.
#include <algorithm>

#include "api/backups.h"
#include "api/tests/sim_node.h"
#include "runtime/seeded_random.h"

namespace tidal::api {
namespace {

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

}  // namespace
}  // namespace tidal::api
