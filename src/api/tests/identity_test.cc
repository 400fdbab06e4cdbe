// A directory is opened by those it belongs to, and made whole or not at all.
#include "api/identity.h"

#include "api/cluster_directory.h"
#include "api/tests/sim_node.h"
#include "base/crc32c.h"

namespace tidal::api {
namespace identity_test {

using runtime::CrashSpec;

/// Replaces text in a file and makes its checksum right again.
void edit(runtime::SimDisk& disk, std::string_view path, const std::string& from,
          const std::string& to) {
    auto text = runtime::read_file(disk, path);
    ASSERT_TRUE(text.ok());
    const std::size_t at = text->find(from);
    ASSERT_NE(at, std::string::npos) << from;
    std::string body = text->replace(at, from.size(), to);
    body.resize(body.rfind("checksum "));
    body += "checksum " + std::to_string(crc32c(body)) + "\n";
    ASSERT_OK(runtime::write_file(disk, path, body));
}

/// A node whose directory was made and closed.
class Directory : public testing::Test {
protected:
    Directory() : node({.shards = 2}) {}
    void SetUp() override {
        ASSERT_OK(node.open());
        node.put(item(1));
        node.power_off({});
    }
    Error refusal() {
        const auto opened = node.open();
        EXPECT_FALSE(opened.ok());
        return opened.ok() ? Error(ErrorCode::kInternal, "opened") : opened.error();
    }

    SimNode node;
};

bool names(const Error& error, const std::string& text) {
    return error.to_string().find(text) != std::string::npos;
}

TEST_F(Directory, KeepsItsIdentity) {
    ASSERT_OK(node.open());
    const Identity first = node->stats().identity;
    EXPECT_EQ(first.cluster_id.size(), 32u);
    EXPECT_EQ(first.instance_id.size(), 32u);
    EXPECT_EQ(first.secret.size(), 64u);
    EXPECT_NE(first.cluster_id, first.instance_id);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node->stats().identity.cluster_id, first.cluster_id);
    EXPECT_EQ(node->stats().identity.secret, first.secret);
}

TEST_F(Directory, OfAnotherFormatIsRefusedWithBothVersions) {
    edit(node.disk(), "CLUSTER", "format_log 2", "format_log 3");
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::kIncompatible);
    EXPECT_TRUE(names(error, "format_log")) << error.to_string();
    EXPECT_TRUE(names(error, "directory_has=3")) << error.to_string();
    EXPECT_TRUE(names(error, "this_program_reads=2")) << error.to_string();
}

TEST_F(Directory, WithAnotherNumberOfShardsIsRefused) {
    node.options().shards = 3;
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::kIncompatible);
    EXPECT_TRUE(names(error, "directory_has=2")) << error.to_string();
    EXPECT_TRUE(names(error, "asked_for=3")) << error.to_string();
    node.power_off({});
    node.options().shards.reset();
    ASSERT_OK(node.open());
    EXPECT_EQ(node->stats().identity.shards, 2);
}

TEST_F(Directory, AnyDamageToItsIdentityIsSeen) {
    for (const std::string path : {"CLUSTER", "NODE"}) {
        const std::string sound = *runtime::read_file(node.disk(), path);
        for (std::size_t at = 0; at < sound.size(); ++at) {
            std::string damaged = sound;
            damaged[at] = static_cast<char>(damaged[at] ^ 1);
            ASSERT_OK(runtime::write_file(node.disk(), path, damaged));
            const auto read = read_identity(node.disk());
            ASSERT_FALSE(read.ok()) << path << " " << at;
            EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
            EXPECT_TRUE(names(read.error(), path));
        }
        ASSERT_OK(runtime::write_file(node.disk(), path, sound.substr(0, sound.size() / 2)));
        EXPECT_FALSE(read_identity(node.disk()).ok()) << "cut short";
        ASSERT_OK(runtime::write_file(node.disk(), path, ""));
        EXPECT_FALSE(read_identity(node.disk()).ok()) << "empty";
        ASSERT_OK(runtime::write_file(node.disk(), path, sound));
    }
    ASSERT_OK(node.open());
}

TEST_F(Directory, WithoutOneOfItsFilesIsRefusedNotMadeAnew) {
    for (const std::string path : {"CLUSTER", "NODE"}) {
        const std::string sound = *runtime::read_file(node.disk(), path);
        ASSERT_OK(node.disk().remove(path));
        const Error error = refusal();
        EXPECT_EQ(error.code(), ErrorCode::kIncompatible);
        EXPECT_TRUE(names(error, path)) << error.to_string();
        node.power_off({.keep = CrashSpec::Keep::kAll});
        ASSERT_OK(runtime::write_file(node.disk(), path, sound));
    }
    ASSERT_OK(node.open());
    EXPECT_TRUE(node->get({EntityKind::kItem, std::uint64_t{1}}).ok());
}

TEST_F(Directory, WithoutItsLogIsRefusedNotBegunAnew) {
    std::map<std::string, std::string> log;
    const auto names_of_files = node.disk().list("wal");
    ASSERT_OK(names_of_files);
    for (const std::string& name : *names_of_files) {
        log["wal/" + name] = *runtime::read_file(node.disk(), "wal/" + name);
        ASSERT_OK(node.disk().remove("wal/" + name));
    }
    ASSERT_FALSE(log.empty());
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    EXPECT_EQ(error.reason(), "log_missing");
    node.power_off({.keep = CrashSpec::Keep::kAll});
    for (const auto& [path, bytes] : log) ASSERT_OK(runtime::write_file(node.disk(), path, bytes));
    ASSERT_OK(node.open());
    EXPECT_TRUE(node->get({EntityKind::kItem, std::uint64_t{1}}).ok());
}

/// Files that hold a log but no identity are somebody's data, not an interrupted beginning.
TEST_F(Directory, WithNothingButALogIsRefused) {
    SimNode other;
    ASSERT_OK(other.disk().create_directories("wal"));
    const std::string file = "wal/00000000000000000001.log";
    ASSERT_OK(runtime::write_file(other.disk(), file, *runtime::read_file(node.disk(), file)));
    const auto opened = other.open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code(), ErrorCode::kIncompatible);
}

TEST_F(Directory, OfTwoClustersIsRefused) {
    const std::string cluster = *runtime::read_file(node.disk(), "CLUSTER");
    SimNode other({.shards = 2}, 99);
    ASSERT_OK(other.open());
    other.power_off({});
    ASSERT_OK(runtime::write_file(other.disk(), "CLUSTER", cluster));
    EXPECT_EQ(other.open().error().code(), ErrorCode::kIncompatible);
}

TEST_F(Directory, InUseIsRefused) {
    ASSERT_OK(node.open());
    const auto second = node.world().create_node("second", node.disk());
    const auto opened = Database::open(node.options(), *second);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code(), ErrorCode::kConflict);
}

TEST(NewDirectory, OfSomebodyElseIsRefused) {
    SimNode node;
    ASSERT_OK(runtime::write_file(node.disk(), "thesis.txt", "years of work"));
    const auto opened = node.open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code(), ErrorCode::kIncompatible);
}

TEST(NewDirectory, ShardsAreOneTo256) {
    for (const std::uint16_t shards : {0, 257}) {
        SimNode node({.shards = shards});
        const auto opened = node.open();
        ASSERT_FALSE(opened.ok());
        EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(opened.error().field(), "shards");
    }
}

TEST(NewDirectory, SlicesHaveRecords) {
    for (const std::size_t records : {0u, 1u}) {
        SimNode node({.slice_records = records});
        const auto opened = node.open();
        EXPECT_EQ(opened.ok(), records > 0);
        if (opened.ok()) continue;
        EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(opened.error().field(), "slice_records");
        EXPECT_NE(opened.error().message().find("at least 1"), std::string::npos);
    }
}

TEST(NewDirectory, MakingItMayBeInterruptedAnywhere) {
    std::uint64_t operations = 0;
    {
        SimNode node;
        ASSERT_OK(node.open());
        operations = node.disk().mutating_ops();
    }
    for (std::uint64_t at = 1; at <= operations; ++at) {
        for (const auto keep :
             {CrashSpec::Keep::kNothing, CrashSpec::Keep::kAll, CrashSpec::Keep::kSeeded}) {
            SimNode node;
            node.disk().set_crash_after(at);
            ASSERT_FALSE(node.open().ok()) << "operation " << at;
            const auto opened = node.crash_and_open({.keep = keep, .seed = at});
            ASSERT_TRUE(opened.ok()) << opened.error().to_string() << ", operation " << at;
            node.put(item(1));
        }
    }
}

TEST(ClusterDirectory, EachModeRefusesTheOthersAndSaysWhatRunsIt) {
    SimNode node;
    node.options().cluster.emplace();
    const auto empty = node.open();
    ASSERT_FALSE(empty.ok());
    EXPECT_EQ(empty.error().reason(), "no_cluster_directory");
    EXPECT_TRUE(names(empty.error(), "tidal-server init"));

    const auto runtime = node.world().create_node("init", node.disk());
    ASSERT_OK(init_cluster(*runtime, {.shards = 3, .log = {}}));
    const auto again = init_cluster(*runtime, {.shards = 3, .log = {}});
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().reason(), "directory_in_use");
    const auto identity = read_identity(runtime->disk());
    ASSERT_OK(identity);
    EXPECT_EQ(identity->mode, NodeMode::kCluster);
    EXPECT_EQ(identity->formats.directory, kClusterDirectoryFormat);
    EXPECT_EQ(identity->shards, 3u);
    EXPECT_TRUE(read_cluster_files(runtime->disk()).ok());
    EXPECT_TRUE(read_joined_peers(runtime->disk())->empty());

    node.options().cluster.reset();
    const auto alone = node.open();
    ASSERT_FALSE(alone.ok());
    EXPECT_EQ(alone.error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(alone.error().reason(), "directory_of_cluster");
    EXPECT_TRUE(names(alone.error(), "tidal-server start"));
}

TEST(ClusterDirectory, AStandaloneServersIsNoMembers) {
    SimNode node;
    ASSERT_OK(node.open());
    node.power_off({});
    node.options().cluster.emplace();
    const auto member = node.open();
    ASSERT_FALSE(member.ok());
    EXPECT_EQ(member.error().reason(), "directory_of_standalone");
    EXPECT_TRUE(names(member.error(), "tidal-server standalone"));
}

/// Its votes are in its log: a member that forgot them could vote twice in one term.
TEST(ClusterDirectory, AMemberWithoutItsLogDoesNotStart) {
    SimNode node;
    node.options().cluster.emplace();
    const auto runtime = node.world().create_node("init", node.disk());
    ASSERT_OK(init_cluster(*runtime, {.shards = 1, .log = node.options().log}));
    ASSERT_OK(node.disk().remove("wal/00000000000000000001.log"));
    const auto opened = node.open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().reason(), "log_missing");
}

TEST(ClusterDirectory, AnInterruptedInitCanBeDoneAgain) {
    const InitOptions kSmall{.shards = 1, .log = {.file_bytes = 4096}};
    for (std::uint64_t at = 1; at < 200; ++at) {
        SimNode node;
        node.disk().set_crash_after(at);
        auto runtime = node.world().create_node("init", node.disk());
        const bool made = init_cluster(*runtime, kSmall).ok();
        node.disk().set_crash_after(0);
        runtime.reset();
        node.disk().crash({.keep = CrashSpec::Keep::kSeeded, .seed = at});
        runtime = node.world().create_node("again", node.disk());
        if (made) {
            EXPECT_TRUE(read_identity(runtime->disk()).ok());
            return;
        }
        auto identity = read_identity(runtime->disk());
        if (!identity.ok()) {
            const auto second = init_cluster(*runtime, kSmall);
            ASSERT_TRUE(second.ok()) << "crash at " << at << ": " << second.error().to_string();
        }
    }
    FAIL() << "never got through";
}

}  // namespace identity_test
}  // namespace tidal::api
