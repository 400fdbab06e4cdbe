// An addition to the schema reaches every shard, whatever happens on the way.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace schema_change_test {

using runtime::CrashSpec;

constexpr std::uint16_t kShards = 3;

std::string schema_with(const std::string& signal) {
    return std::string(schema::default_schema_yaml()) + "  " + signal +
           ": {polarity: positive, half_life: 1d, windows: [24h, all]}\n";
}
DatabaseOptions three_shards() {
    return {.shards = kShards, .executors = kShards};
}

/// A signal of the new type at an item of every shard.
void use_everywhere(SimNode& node, const std::string& name) {
    for (std::uint16_t shard = 1; shard <= kShards; ++shard) {
        const std::uint64_t id = id_at(EntityKind::kItem, shard, kShards);
        const std::int64_t before = std::max<std::int64_t>(node.count(id, name), 0);
        node.put(item(id, id_at(EntityKind::kCreator, 1 + shard % kShards, kShards)));
        const WriteReply reply = node.put(signal(id, name));
        EXPECT_EQ(node.count(id, name), before + 1) << "shard " << shard;
        EXPECT_TRUE(node.visible(reply.token).ok()) << "shard " << shard;
    }
}

TEST(SchemaChange, ReachesEveryShardAndStays) {
    SimNode node(three_shards());
    ASSERT_OK(node.open());
    EXPECT_EQ(node.write_one(signal(1, "applaud")).error().code(), ErrorCode::kUnknownName);
    ASSERT_OK(node.put_schema(schema_with("applaud")));
    EXPECT_EQ(node->schema()->version, SchemaVersion(2));
    use_everywhere(node, "applaud");
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node->schema()->version, SchemaVersion(2));
    use_everywhere(node, "applaud");
    ASSERT_OK(node.put_schema(schema_with("applaud")));
    EXPECT_EQ(node->schema()->version, SchemaVersion(2)) << "the same again is no change";
}

TEST(SchemaChange, WhatIsNoAdditionIsRefused) {
    SimNode node(three_shards());
    ASSERT_OK(node.open());
    ASSERT_OK(node.put_schema(schema_with("applaud")));
    const auto removed = node.put_schema(std::string(schema::default_schema_yaml()));
    ASSERT_FALSE(removed.ok());
    EXPECT_EQ(removed.error().code(), ErrorCode::kIncompatible);
    EXPECT_NE(removed.error().to_string().find("applaud"), std::string::npos);
    EXPECT_EQ(node.put_schema("items: [").error().code(), ErrorCode::kInvalidArgument);
    use_everywhere(node, "applaud");
}

TEST(SchemaChange, AtTheStartWorksAsWell) {
    SimNode node(three_shards());
    ASSERT_OK(node.open());
    node.options().schema = schema_with("applaud");
    ASSERT_OK(node.crash_and_open());
    use_everywhere(node, "applaud");
    node.options().schema = std::string(schema::default_schema_yaml());
    EXPECT_EQ(node.crash_and_open().error().code(), ErrorCode::kIncompatible);
}

TEST(SchemaChange, SurvivesACrashBetweenTheShards) {
    std::uint64_t operations = 0;
    {
        SimNode node(three_shards());
        ASSERT_OK(node.open());
        const std::uint64_t before = node.disk().mutating_ops();
        ASSERT_OK(node.put_schema(schema_with("applaud")));
        operations = node.disk().mutating_ops() - before;
    }
    ASSERT_GE(operations, kShards + 1u) << "one record in each shard's log, the metadata's too";
    std::uint64_t unfinished = 0;
    for (std::uint64_t at = 1; at <= operations; ++at) {
        SimNode node(three_shards());
        ASSERT_OK(node.open());
        node.disk().set_crash_after(at);
        ASSERT_FALSE(node.put_schema(schema_with("applaud")).ok());
        ASSERT_OK(node.crash_and_open());
        if (node->schema()->version == SchemaVersion(2)) {
            // The metadata shard had it; the others got it at the start.
            ++unfinished;
        } else {
            EXPECT_EQ(unfinished, 0u) << "what a shorter life kept is there, operation " << at;
            ASSERT_OK(node.put_schema(schema_with("applaud")));
        }
        use_everywhere(node, "applaud");
        ASSERT_OK(node.crash_and_open());
        EXPECT_EQ(node->schema()->version, SchemaVersion(2));
        use_everywhere(node, "applaud");
    }
    EXPECT_GE(unfinished, kShards) << "crashes after the metadata shard and before the last";
}

TEST(SchemaChange, StoppedHalfWayByAFullDiskIsFinishedOrRefused) {
    // The n-th write to the log meets a full disk: the metadata shard's record, the first
    // shard's...
    for (std::uint64_t nth = 1; nth <= kShards + 1u; ++nth) {
        SimNode node(three_shards());
        ASSERT_OK(node.open());
        node.disk().add_fault({.op = runtime::DiskOp::kWrite,
                               .path_contains = "wal",
                               .nth = nth,
                               .code = ErrorCode::kDiskFull});
        const auto stopped = node.put_schema(schema_with("applaud"));
        ASSERT_FALSE(stopped.ok()) << nth;
        EXPECT_EQ(stopped.error().code(), ErrorCode::kDiskFull);
        EXPECT_EQ(node->schema()->find_signal("applaud"), nullptr) << "not before all have it";
        // Some shards have the first addition: another one in its place would be two schemas of one
        // version.
        const auto other = node.put_schema(schema_with("boo"));
        EXPECT_EQ(other.ok(), nth == 1) << nth;
        if (nth > 1) {
            EXPECT_EQ(other.error().code(), ErrorCode::kIncompatible);
            ASSERT_OK(node.put_schema(schema_with("applaud")));
        }
        const std::string name = nth == 1 ? "boo" : "applaud";
        use_everywhere(node, name);
        ASSERT_OK(node.crash_and_open());
        use_everywhere(node, name);
    }
}

}  // namespace schema_change_test
}  // namespace tidal::api
