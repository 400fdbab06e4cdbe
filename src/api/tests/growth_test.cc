// Where the process holds as much memory as it may: what is refused, what goes on, and what of it
// is left after a restart, an import and in a cluster.
#include <gmock/gmock.h>

#include "api/import.h"
#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace growth_test {

constexpr std::uint64_t kBudget = 100 << 20;
constexpr std::uint64_t kRoomNs = shard::MemoryBudget::kLookNs;

EmbeddingWrite vector_of(std::uint64_t id) {
    EmbeddingWrite write;
    write.id = id;
    write.values = {1, 0, 0, 0};
    return write;
}
RelationshipWrite relation(record::RelationshipKind kind, std::uint64_t target, bool ends = false) {
    RelationshipWrite write;
    write.user_id = 7u;
    write.kind = kind;
    write.target = target;
    write.ends = ends;
    return write;
}
SavedSearchWrite search(std::optional<std::string> query) {
    SavedSearchWrite write;
    write.user_id = 7u;
    write.name = "jazz";
    write.query = std::move(query);
    return write;
}
SignalWrite signal_by(std::uint64_t user, std::uint64_t id, const std::string& name) {
    SignalWrite write = signal(id, name);
    write.user_id = IdInput(user);
    return write;
}
EntityDelete deletion(std::uint64_t id) {
    EntityDelete write;
    write.id = id;
    return write;
}
std::string reason_of(const Result<WriteReply>& reply) {
    return reply.ok() ? "taken" : std::string(reply.error().reason());
}

class Growth : public testing::Test {
protected:
    Growth() : node({.shards = 2, .memory_bytes_max = kBudget}) {}
    void hold(std::uint64_t bytes, std::uint64_t unused = 0) {
        node.runtime().set_held_bytes(bytes, unused);
        node.world().advance(kRoomNs);
    }
    SimNode node;
};

TEST_F(Growth, IsRefusedAndAllElseGoesOn) {
    ASSERT_OK(node.open());
    for (const std::uint64_t id : {1, 2}) node.put(item(id));
    node.put(vector_of(1));
    node.put(relation(record::RelationshipKind::kFollows, 5));
    node.put(search("SEARCH items FOR 'title'"));
    hold(kBudget);
    node.put(item(3));
    hold(kBudget + 1);

    const auto refused = node.write_one(item(4));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(refused.error().reason(), "memory_full");
    EXPECT_THAT(refused.error().to_string(),
                testing::AllOf(testing::HasSubstr("--memory-mib"),
                               testing::HasSubstr("held_bytes=" + std::to_string(kBudget + 1)),
                               testing::HasSubstr("budget_bytes=" + std::to_string(kBudget))));
    const Write grow[] = {item(1), vector_of(2), relation(record::RelationshipKind::kFollows, 6),
                          search("SEARCH items FOR 'jazz'")};
    for (const Write& write : grow) EXPECT_EQ(reason_of(node.write_one(write)), "memory_full");
    EXPECT_FALSE(node->get({EntityKind::kItem, 4u}).ok());
    EXPECT_EQ(node->stats().memory.refused, 5u);

    const Write go_on[] = {signal_by(7, 1, "like"),
                           signal_by(7, 2, "hide"),
                           relation(record::RelationshipKind::kSaves, 1),
                           relation(record::RelationshipKind::kBlocks, 8),
                           relation(record::RelationshipKind::kFollows, 5, true),
                           search(std::nullopt),
                           deletion(3)};
    for (const Write& write : go_on) EXPECT_EQ(reason_of(node.write_one(write)), "taken");
    node.rest();
    EXPECT_EQ(node.count(1, "like"), 1);
    FeedCall call;
    call.user_id = IdInput(7u);
    call.confirmed = true;
    const auto page = node->feed(call);
    ASSERT_OK(page);
    ASSERT_EQ(page->items.size(), 1u);
    EXPECT_EQ(page->items[0].entity.id, EntityId(1));

    hold(kBudget);
    node.put(item(4));
    EXPECT_EQ(node->stats().memory.refused, 5u);
}

TEST_F(Growth, IsRefusedLineByLine) {
    ASSERT_OK(node.open());
    node.put(item(1));
    hold(2 * kBudget);
    const auto replies = node.write({item(2), signal(1, "like"), deletion(1), item(1)});
    std::vector<std::string> reasons;
    for (const auto& reply : replies) reasons.push_back(reason_of(reply));
    EXPECT_THAT(reasons, testing::ElementsAre("memory_full", "taken", "taken", "memory_full"));
    EXPECT_FALSE(node->get({EntityKind::kItem, 1u}).ok());
}

TEST(GrowthOfASchema, IsNotLeftByWhatIsRefused) {
    std::string dynamic(schema::default_schema_yaml());
    dynamic.insert(dynamic.find("items:\n") + 7, "  dynamic: true\n");
    SimNode node({.shards = 2, .schema = dynamic, .memory_bytes_max = kBudget});
    ASSERT_OK(node.open());
    EntityWrite write = item(1);
    write.metadata.emplace_back("mood", "calm");
    node.runtime().set_held_bytes(2 * kBudget, 0);
    node.world().advance(kRoomNs);
    EXPECT_EQ(reason_of(node.write_one(write)), "memory_full");
    EXPECT_EQ(node->schema()->find_field(EntityKind::kItem, "mood"), nullptr);
    node.runtime().set_held_bytes(0, 0);
    node.world().advance(kRoomNs);
    ASSERT_OK(node.write_one(write));
    EXPECT_NE(node->schema()->find_field(EntityKind::kItem, "mood"), nullptr);
}

TEST_F(Growth, ARepeatIsAnsweredAsItWas) {
    ASSERT_OK(node.open());
    const CallContext with_key{.idempotency_key = "once"};
    ASSERT_OK(node.write_one(item(1), with_key));
    hold(2 * kBudget);
    const auto repeated = node.write_one(item(1), with_key);
    ASSERT_OK(repeated);
    EXPECT_TRUE(repeated->repeated);
    // A key of what is refused is free again.
    const CallContext other{.idempotency_key = "other"};
    EXPECT_EQ(reason_of(node.write_one(item(2), other)), "memory_full");
    hold(0);
    const auto taken = node.write_one(item(2), other);
    ASSERT_OK(taken);
    EXPECT_FALSE(taken->repeated);
}

TEST_F(Growth, IsTakenOnceTheAllocatorGaveBackWhatIsFree) {
    ASSERT_OK(node.open());
    hold(2 * kBudget, kBudget);
    EXPECT_EQ(reason_of(node.write_one(item(1))), "memory_full");
    node.world().advance(kRoomNs);
    EXPECT_EQ(reason_of(node.write_one(item(1))), "taken");
}

TEST_F(Growth, IsSaidOnceWhenRefusalsBeginAndOnceWhenTheyEnd) {
    std::vector<std::string> lines;
    node.options().logger = Logger::to_callback(
        LogLevel::kInfo, [&](LogLevel, std::string_view line) { lines.emplace_back(line); });
    ASSERT_OK(node.open());
    lines.clear();
    hold(2 * kBudget);
    for (int i = 0; i < 3; ++i) {
        (void)node.write_one(item(1));
        node.world().advance(kRoomNs);
    }
    hold(0);
    for (int i = 0; i < 3; ++i) {
        node.put(item(1));
        node.world().advance(kRoomNs);
    }
    EXPECT_THAT(lines, testing::ElementsAre(
                           testing::StartsWith("memory: writes that need more memory are refused"),
                           testing::StartsWith("memory: writes that need more memory are taken")));
}

// What is in the log is applied, whatever the process holds then.
TEST_F(Growth, IsNotRefusedOfTheLog) {
    ASSERT_OK(node.open());
    for (std::uint64_t id = 1; id <= 20; ++id) node.put(item(id));
    node.put(vector_of(20));
    node.power_off({.keep = runtime::CrashSpec::Keep::kNothing});
    node.options().memory_bytes_max = 1;
    ASSERT_OK(node.open());
    hold(kBudget);
    EXPECT_EQ(node->stats().items, 20u);
    ASSERT_OK(node->get({EntityKind::kItem, 20u}));
    EXPECT_EQ(reason_of(node.write_one(item(21))), "memory_full");
    node.options().memory_bytes_max = 0;
    ASSERT_OK(node.crash_and_open());
    hold(kBudget);
    node.put(item(21));
}

// Rows of an import that come when memory is full: none of them is passed over.
TEST_F(Growth, OfAnImportLeavesItsPositionWhereItIs) {
    ASSERT_OK(node.open());
    const auto import = [&](std::uint64_t first, std::uint64_t last) {
        std::vector<Write> rows;
        for (std::uint64_t id = first; id <= last; ++id) rows.push_back(item(id));
        auto answer = std::make_shared<std::optional<WriteReplies>>();
        node->write_import(std::move(rows), {.import_id = "rows", .first_position = first}, {},
                           [answer](WriteReplies replies) { answer->emplace(std::move(replies)); });
        node.world().run_until([&] { return answer->has_value(); });
        return std::move(**answer);
    };
    for (const auto& reply : import(1, 10)) ASSERT_OK(reply);
    hold(2 * kBudget);
    for (const auto& reply : import(11, 20)) EXPECT_EQ(reason_of(reply), "memory_full");
    EXPECT_EQ(node->stats().items, 10u);
    EXPECT_EQ(node->stats().memory.refused, 10u);
    hold(0);
    for (const auto& reply : import(11, 20)) {
        ASSERT_OK(reply);
        EXPECT_FALSE(reply->repeated);
    }
    EXPECT_EQ(node->stats().items, 20u);
}

// The leader's memory counts. The others apply what is committed, whatever they hold.
TEST(ClusterGrowth, WhoLeadsRefusesAndOthersFollow) {
    SimCluster cluster(5);
    cluster.options().memory_bytes_max = kBudget;
    ASSERT_NO_FATAL_FAILURE(cluster.begin(3));
    ASSERT_TRUE(cluster.until([&] { return cluster.all_lead() && cluster.at_rest(); }));
    const ShardId home = home_of(EntityKind::kItem, 1, 2);
    const std::uint32_t leads = cluster.leader(home);
    const std::uint32_t other = leads % 3 + 1;
    cluster.node(other).runtime->set_held_bytes(2 * kBudget);
    cluster.world().advance(kRoomNs);
    cluster.put(other, item(1));

    cluster.node(leads).runtime->set_held_bytes(2 * kBudget);
    cluster.node(other).runtime->set_held_bytes(0);
    cluster.world().advance(kRoomNs);
    const auto refused = cluster.write_one(other, item(1));
    EXPECT_EQ(reason_of(refused), "memory_full");
    EXPECT_THAT(refused.error().to_string(), testing::HasSubstr("--memory-mib"));
    EXPECT_EQ(reason_of(cluster.write_one(other, signal(1, "like"))), "taken");
    EXPECT_EQ(reason_of(cluster.write_one(other, deletion(1))), "taken");
    ASSERT_NO_FATAL_FAILURE(cluster.expect_equal());
}

}  // namespace growth_test
}  // namespace tidal::api
