// Calls that do not wait for each other: what one thread wrote last is what stands.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace write_order_test {

constexpr std::uint16_t kShards = 3;
constexpr std::size_t kWrites = 60;

std::string dynamic_schema() {
    std::string yaml(schema::default_schema_yaml());
    const std::size_t items = yaml.find("items:\n");
    EXPECT_NE(items, std::string::npos);
    return yaml.insert(items + 7, "  dynamic: true\n");
}

/// Each call on its own, none waiting; the replies in the order of the calls.
std::vector<Result<WriteReply>> write_all(SimNode& node, std::vector<EntityWrite> writes) {
    auto replies = std::make_shared<std::vector<std::optional<Result<WriteReply>>>>(writes.size());
    auto left = std::make_shared<std::size_t>(writes.size());
    for (std::size_t i = 0; i < writes.size(); ++i)
        node->write({std::move(writes[i])}, {}, [replies, left, i](WriteReplies one) {
            (*replies)[i].emplace(std::move(one.front()));
            --*left;
        });
    EXPECT_TRUE(node.world().run_until([&] { return *left == 0; }));
    std::vector<Result<WriteReply>> out;
    for (auto& reply : *replies) out.push_back(std::move(*reply));
    return out;
}

EntityWrite with_title(std::uint64_t id, std::size_t bytes) {
    EntityWrite write = item(id);
    write.metadata = {{"title", std::string(bytes, 'x')}};
    return write;
}

std::string title_of(SimNode& node, std::uint64_t id) {
    const auto reply = node->get({EntityKind::kItem, id});
    if (!reply.ok()) return reply.error().to_string();
    for (const auto& [name, value] : reply->metadata)
        if (name == "title") return std::get<std::string>(value);
    return "no title";
}

TEST(WriteOrder, HoldsWhileTheSchemaLearnsFields) {
    SimNode node({.shards = kShards, .schema = dynamic_schema(), .executors = kShards});
    ASSERT_OK(node.open());
    std::vector<EntityWrite> writes;
    for (std::size_t i = 0; i < kWrites; ++i) {
        EntityWrite write = item(1 + i % 5);
        write.metadata = {{"title", std::to_string(i)}};
        // Every third one brings a field that nobody knows yet, and so takes longer.
        if (i % 3 == 0) write.metadata.emplace_back("field_" + std::to_string(i), "x");
        writes.push_back(std::move(write));
    }
    const auto replies = write_all(node, std::move(writes));
    for (std::size_t i = 0; i < kWrites; ++i) {
        ASSERT_OK(replies[i]);
        if (i < 5) continue;
        EXPECT_GT(replies[i]->version, replies[i - 5]->version) << "call " << i;
    }
    for (std::uint64_t id = 1; id <= 5; ++id)
        EXPECT_EQ(title_of(node, id), std::to_string(kWrites - 6 + id));
}

/// What waits behind it takes memory that no shard counts yet.
TEST(WriteOrder, WhatWaitsForTheSchemaHasABudget) {
    constexpr std::size_t kBytes = 6'000, kBudget = 2 * kBytes;
    SimNode node({.shards = kShards,
                  .schema = dynamic_schema(),
                  .executors = kShards,
                  .writes_bytes_max = kBudget});
    ASSERT_OK(node.open());
    for (int round = 0; round < 2; ++round) {
        std::vector<EntityWrite> writes(1, item(1));
        writes[0].metadata.emplace_back("field_" + std::to_string(round), "x");
        for (std::uint64_t id = 2; id <= 8; ++id) writes.push_back(with_title(id, kBytes));
        const auto replies = write_all(node, std::move(writes));
        // Those until the budget is used up, and the one that does it.
        for (std::size_t i = 0; i <= 2; ++i) ASSERT_OK(replies[i]);
        for (std::size_t i = 3; i <= 7; ++i) {
            ASSERT_FALSE(replies[i].ok()) << "call " << i;
            EXPECT_EQ(replies[i].error().code(), ErrorCode::kOverloaded);
            EXPECT_NE(replies[i].error().hint().find("--writes-memory-mib"), std::string::npos);
            EXPECT_FALSE(node->get({EntityKind::kItem, 1 + i}).ok());
        }
        node.rest();
    }
    // With nothing that waits there is all of it.
    for (std::uint64_t id = 2; id <= 8; ++id) node.put(with_title(id, kBytes));
}

}  // namespace write_order_test
}  // namespace tidal::api
