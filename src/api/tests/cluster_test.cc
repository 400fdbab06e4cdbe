// A cluster of whole databases: any node takes any write and any read; nodes die, come back and
// join.
#include <gtest/gtest.h>

#include <set>

#include "api/tests/inner_view.h"
#include "api/tests/sim_cluster.h"
#include "cluster/peer_packet.h"

namespace tidal::api {
namespace cluster_test {

constexpr const char* kProfile = R"(profile applauded version 1 {
    about 'Most applauded.';
    candidates scan;
    score sum(applaud, all);
    order score desc;
})";

std::int64_t count_on(SimCluster& cluster, std::uint32_t node, EntityKind kind, std::uint64_t id,
                      const std::string& name) {
    const auto readings = cluster.node(node)->signals({kind, id});
    if (!readings.ok()) return -1;
    for (const auto& one : readings->signals)
        if (one.name == name)
            return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
    return -1;
}

class ClusterTest : public ::testing::TestWithParam<std::uint64_t> {
protected:
    ClusterTest() : cluster_(GetParam()) { RecordProperty("seed", std::to_string(GetParam())); }
    SimCluster cluster_;
};

TEST_P(ClusterTest, AnyNodeTakesAnyWriteAndAnyRead) {
    cluster_.begin(3);
    for (std::uint64_t id = 1; id <= 12; ++id) {
        const auto by = static_cast<std::uint32_t>(1 + id % 3);
        const WriteReply reply = cluster_.put(by, item(id, 7));
        EXPECT_EQ(reply.durable, shard::WriteConcern::kMajority);
        EXPECT_GE(reply.replicas, 2u);
        EXPECT_FALSE(reply.may_be_lost);
        const auto reader = static_cast<std::uint32_t>(1 + (id + 1) % 3);
        ASSERT_OK(cluster_.fence(reader, {}, FenceScope{EntityRequest{EntityKind::kItem, id}}));
        const auto found = cluster_.node(reader)->get({EntityKind::kItem, id});
        ASSERT_TRUE(found.ok()) << found.error().to_string();
    }
    // By token: the item's count, and the creator's on another shard.
    for (std::uint32_t by = 1; by <= 3; ++by) {
        const WriteReply liked = cluster_.put(by, signal(by, "like"));
        const std::uint32_t reader = by % 3 + 1;
        ReadFence fence{{Consistency::Kind::kEventual, 0}, liked.token};
        ASSERT_OK(cluster_.fence(reader, fence));
        EXPECT_EQ(count_on(cluster_, reader, EntityKind::kItem, by, "like"), 1);
        EXPECT_EQ(count_on(cluster_, reader, EntityKind::kCreator, 7, "like"),
                  static_cast<std::int64_t>(by));
    }
    const auto calls = cluster_.node(1)->cluster_status().calls;
    EXPECT_GT(calls.local + calls.forwarded, 0u);
    cluster_.expect_equal();
}

TEST_P(ClusterTest, RefusalsOfAnotherNodeReadLikeOnesOfThisOne) {
    cluster_.begin(3);
    cluster_.put(1, item(1));
    EntityWrite stale = item(1);
    stale.if_match = HybridTime::from_bits(17);
    EntityWrite absent = item(99);
    absent.must_exist = true;
    std::vector<Write> writes{stale, absent, signal(4711, "like"), signal(1, "like", "key"),
                              signal(1, "like", "key")};
    std::set<std::string> seen;
    for (std::uint32_t by = 1; by <= 3; ++by) {
        const WriteReplies replies = cluster_.write(by, writes);
        std::string text;
        for (const auto& reply : replies)
            text += reply.ok() ? "ok " + std::string(reply->repeated ? "repeated" : "") + "\n"
                               : std::string(error_info(reply.error().code()).name) + " " +
                                     std::string(reply.error().reason()) + " " +
                                     reply.error().to_string() + "\n";
        if (by > 1) seen.insert(text);
    }
    EXPECT_EQ(seen.size(), 1u) << *seen.begin() << "---\n" << *seen.rbegin();
    cluster_.expect_equal();
}

TEST_P(ClusterTest, WhatIsAskedOfANewClusterWaitsForItsConfiguration) {
    cluster_.found();
    std::vector<Result<NewJoinToken>> made;
    std::size_t asked = 0;
    while (!cluster_.node(1)->ready() && asked < 5'000) {
        cluster_.node(1)->cluster()->create_join_token(
            600'000, [&](Result<NewJoinToken> token) { made.push_back(std::move(token)); });
        ++asked;
        cluster_.until([] { return false; }, kMsNs);
    }
    ASSERT_TRUE(cluster_.node(1)->ready());
    ASSERT_TRUE(cluster_.until([&] { return made.size() == asked; }));
    for (const Result<NewJoinToken>& token : made)
        EXPECT_TRUE(token.ok()) << token.error().to_string();
}

TEST_P(ClusterTest, ALeaderDiesAndNothingAcknowledgedIsLost) {
    cluster_.begin(3);
    std::set<std::uint64_t> acknowledged;
    std::uint64_t next = 1;
    const auto write_some = [&](std::uint32_t by, int count) {
        for (int i = 0; i < count; ++i) {
            EntityWrite write = item(next);
            CallContext context;
            context.idempotency_key = "item-" + std::to_string(next);
            const auto reply = cluster_.write_one(by, write, context);
            if (reply.ok()) acknowledged.insert(next);
            ++next;
        }
    };
    write_some(1, 5);
    for (int round = 0; round < 3; ++round) {
        const std::uint32_t victim = cluster_.leader(ShardId(1));
        ASSERT_NE(victim, 0u);
        const std::uint32_t other = victim % 3 + 1;
        cluster_.kill(victim);
        const std::size_t before = acknowledged.size();
        write_some(other, 5);
        EXPECT_EQ(acknowledged.size(), before + 5) << "writes with keys go on by themselves";
        cluster_.restart(victim);
        ASSERT_TRUE(cluster_.until([&] { return cluster_.node(victim)->ready(); }))
            << cluster_.problems(cluster_.node(other));
        write_some(victim, 2);
    }
    cluster_.expect_equal();
    for (std::uint32_t reader = 1; reader <= 3; ++reader)
        for (const std::uint64_t id : acknowledged)
            EXPECT_TRUE(cluster_.node(reader)->get({EntityKind::kItem, id}).ok())
                << "node " << reader << " lost item " << id;
}

TEST_P(ClusterTest, AllGoDownAndComeBack) {
    cluster_.begin(3);
    for (std::uint64_t id = 1; id <= 8; ++id) cluster_.put(1 + id % 3, item(id));
    for (std::uint32_t node = 1; node <= 3; ++node) cluster_.kill(node);
    for (std::uint32_t node = 1; node <= 3; ++node) cluster_.restart(node);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.all_voters(3) && cluster_.all_lead(); }))
        << cluster_.problems(cluster_.node(1));
    ASSERT_OK(cluster_.fence(2, {}));
    for (std::uint64_t id = 1; id <= 8; ++id)
        EXPECT_TRUE(cluster_.node(2)->get({EntityKind::kItem, id}).ok()) << id;
    cluster_.put(3, item(9));
    cluster_.expect_equal();
}

TEST_P(ClusterTest, AFourthNodeJoinsWithEverything) {
    cluster_.begin(3);
    for (std::uint64_t id = 1; id <= 20; ++id) cluster_.put(1 + id % 3, item(id, 3));
    ASSERT_OK(
        cluster_.wait([&](Database::Done done) { cluster_.node(2)->checkpoint(std::move(done)); }));
    cluster_.join(4, 2);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.all_voters(4); }))
        << cluster_.problems(cluster_.node(4));
    cluster_.put(4, item(21));
    ASSERT_OK(cluster_.fence(4, {}));
    for (std::uint64_t id = 1; id <= 21; ++id)
        EXPECT_TRUE(cluster_.node(4)->get({EntityKind::kItem, id}).ok()) << id;
    cluster_.expect_equal();
    ClusterStatus status;
    EXPECT_TRUE(cluster_.until([&] {
        status = cluster_.node(4)->cluster_status();
        return status.nodes.size() == 4 && status.nodes[3].state == "active";
    }));
    EXPECT_TRUE(status.nodes[3].self);
    EXPECT_EQ(status.nodes[0].http_address, "n1:80");
}

TEST_P(ClusterTest, WhatIsDeclaredOnOneNodeIsUsedOnAll) {
    cluster_.begin(3);
    std::string more(schema::default_schema_yaml());
    more.insert(more.find("items:\n") + 7, "  dynamic: true\n");
    more += "  applaud: {polarity: positive, half_life: 1d, windows: [24h, all]}\n";
    ASSERT_OK(cluster_.wait(
        [&](Database::Done done) { cluster_.node(2)->put_schema(more, std::move(done)); }));
    std::optional<Result<CatalogReply>> put;
    cluster_.node(3)->put_profile(
        kProfile, false, [&](Result<CatalogReply> reply) { put.emplace(std::move(reply)); });
    ASSERT_TRUE(cluster_.until([&] { return put.has_value(); }));
    ASSERT_TRUE(put->ok()) << put->error().to_string();
    for (std::uint32_t by = 1; by <= 3; ++by) {
        ASSERT_OK(cluster_.fence(by, {}));
        EntityWrite write = item(by);
        write.metadata.push_back({"mood_" + std::to_string(by), std::string("calm")});
        const auto reply = cluster_.write_one(by, write);
        ASSERT_TRUE(reply.ok()) << "node " << by << ": " << reply.error().to_string();
        const auto applauded = cluster_.write_one(by, signal(by, "applaud"));
        ASSERT_TRUE(applauded.ok()) << "node " << by << ": " << applauded.error().to_string();
        ASSERT_OK(cluster_.fence(by, ReadFence{{}, applauded->token}));
        FeedCall call;
        call.profile = "applauded";
        const auto feed = cluster_.node(by)->feed(call);
        ASSERT_TRUE(feed.ok()) << "node " << by << ": " << feed.error().to_string();
        EXPECT_EQ(feed->items.size(), by);
    }
    cluster_.expect_equal();
}

TEST_P(ClusterTest, KeysAreKnownOnAllNodes) {
    cluster_.begin(3);
    std::optional<Result<NewApiKey>> made;
    cluster_.node(2)->create_api_key("reports", KeyRole::kReader,
                                     [&](Result<NewApiKey> key) { made.emplace(std::move(key)); });
    ASSERT_TRUE(cluster_.until([&] { return made.has_value(); }));
    ASSERT_TRUE(made->ok()) << made->error().to_string();
    for (std::uint32_t node = 1; node <= 3; ++node) {
        ASSERT_TRUE(cluster_.until([&] { return cluster_.node(node)->api_keys().size() == 1; }));
        const auto who = cluster_.node(node)->check_api_key((*made)->key);
        ASSERT_TRUE(who.ok());
        EXPECT_EQ(who->name, "reports");
        EXPECT_EQ(cluster_.node(node)->check_api_key((*made)->key + "x").error().code(),
                  ErrorCode::kUnauthenticated);
    }
    std::optional<Result<NewApiKey>> again;
    cluster_.node(3)->create_api_key("reports", KeyRole::kAdmin,
                                     [&](Result<NewApiKey> key) { again.emplace(std::move(key)); });
    ASSERT_TRUE(cluster_.until([&] { return again.has_value(); }));
    EXPECT_EQ(again->error().reason(), "key_exists");
    ASSERT_OK(cluster_.wait([&](Database::Done done) {
        cluster_.node(1)->revoke_api_key("reports", std::move(done));
    }));
    for (std::uint32_t node = 1; node <= 3; ++node)
        EXPECT_TRUE(
            cluster_.until([&] { return !cluster_.node(node)->check_api_key((*made)->key).ok(); }));
}

TEST_P(ClusterTest, WithoutAMajorityNothingIsWrittenAndStrongReadsAreRefused) {
    cluster_.begin(3);
    cluster_.put(1, item(1));
    ASSERT_OK(cluster_.fence(1, {}));
    cluster_.kill(2);
    cluster_.kill(3);
    CallContext context;
    context.timeout_ms = 3'000;
    const auto refused = cluster_.write_one(1, item(2), context);
    ASSERT_FALSE(refused.ok());
    EXPECT_TRUE(refused.error().code() == ErrorCode::kUnavailable ||
                refused.error().code() == ErrorCode::kTimeout)
        << refused.error().to_string();
    const auto strong = cluster_.fence(1, {}, {}, 1'000);
    EXPECT_EQ(strong.error().reason(), "no_leader");
    const Consistency any{Consistency::Kind::kEventual, 0};
    const auto eventual = cluster_.fence(1, ReadFence{any, ""});
    ASSERT_TRUE(eventual.ok());
    ASSERT_TRUE(eventual->staleness_ms.has_value());
    EXPECT_GT(*eventual->staleness_ms, 500u);
    const Consistency recent{Consistency::Kind::kBounded, 100};
    EXPECT_EQ(cluster_.fence(1, ReadFence{recent, ""}, {}, 500).error().reason(), "no_leader");
    EXPECT_TRUE(cluster_.node(1)->get({EntityKind::kItem, std::uint64_t{1}}).ok());
    cluster_.restart(2);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.write_one(2, item(3)).ok(); }));
    const auto bounded = cluster_.fence(2, ReadFence{{Consistency::Kind::kBounded, 500}, ""});
    ASSERT_OK(bounded);
    EXPECT_LE(*bounded->staleness_ms, 500u);
}

TEST_P(ClusterTest, AReadThatFindsNoRoomSaysThatAndNotThatNobodyLeads) {
    cluster_.begin(1);
    ASSERT_OK(cluster_.fence(1, {}));
    // More than the groups' inbox holds, until the loop comes to it.
    constexpr std::size_t kQuestions = (64 << 20) / 256 + 1;
    InnerView(*cluster_.node(1)).ask_group(ShardId(0), kQuestions);
    const auto refused = cluster_.fence(1, {}, {}, 20);  // over before it asks again
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded) << refused.error().to_string();
    ASSERT_OK(cluster_.fence(1, {}));
}

TEST_P(ClusterTest, AWriteThatWaitsForAnotherNodeIsAnsweredWhenThisOneStops) {
    cluster_.begin(3);
    const std::uint64_t id = id_at(EntityKind::kItem, 1, 2);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.all_lead(); }));
    const std::uint32_t asked = cluster_.leader(ShardId(1)) == 1 ? 2 : 1;
    ASSERT_TRUE(cluster_.until([&] {
        const auto leader = cluster_.node(asked)->cluster()->leader_of(ShardId(1));
        return leader && !leader->here;
    }));
    const auto answer = std::make_shared<std::optional<WriteReplies>>();
    std::vector<Write> writes;
    writes.emplace_back(item(id));
    cluster_.node(asked)->write(std::move(writes), {}, [answer](WriteReplies replies) {
        answer->emplace(std::move(replies));
    });
    ASSERT_FALSE(answer->has_value()) << "it is on its way";
    cluster_.kill(asked);  // whose database is taken down all the same
    ASSERT_TRUE(answer->has_value());
    EXPECT_FALSE((**answer).front().ok());
}

// The answer to the first attempt is lost; the second one finds no room beside the first.
TEST_P(ClusterTest, ARefusalOfASecondAttemptIsNoAnswerToTheFirst) {
    constexpr std::uint64_t kRoomBytes = 2'000, kStalledMs = 30'000;
    cluster_.options().writes_bytes_max = kRoomBytes;
    cluster_.begin(3);
    const std::uint64_t id = id_at(EntityKind::kItem, 1, 2);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.all_lead(); }));
    const std::uint32_t leader = cluster_.leader(ShardId(1));
    const std::uint32_t asked = leader == 1 ? 2 : 1;
    for (std::uint32_t number = 1; number <= 3; ++number)
        if (number != leader) cluster_.node(number).runtime->pause(kStalledMs * kMsNs, "wal");
    const auto answer = std::make_shared<std::optional<WriteReplies>>();
    std::vector<Write> writes;
    EntityWrite write = item(id);
    write.metadata = {{"title", std::string(2 * kRoomBytes, 'x')}};
    writes.emplace_back(std::move(write));
    CallContext context;
    context.idempotency_key = "once";
    context.timeout_ms = 2 * kStalledMs;
    cluster_.node(asked)->write(std::move(writes), context, [answer](WriteReplies replies) {
        answer->emplace(std::move(replies));
    });
    ASSERT_TRUE(cluster_.until(
        [&] { return cluster_.node(leader)->stats().shards[1].proposed_bytes > kRoomBytes; }));
    const auto retried = [&] { return cluster_.node(asked)->cluster_status().calls.retried; };
    const std::uint64_t before = retried();
    cluster_.world().network().partition(cluster_.node(asked).name, cluster_.node(leader).name);
    ASSERT_TRUE(cluster_.until([&] { return retried() > before; }));
    ASSERT_FALSE(answer->has_value());
    EXPECT_GT(cluster_.node(leader)->stats().shards[1].proposed_bytes, kRoomBytes);
    cluster_.world().network().heal_all();
    ASSERT_TRUE(cluster_.until([&] { return answer->has_value(); }));
    const Result<WriteReply>& reply = (**answer).front();
    ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    EXPECT_TRUE(reply->repeated) << "it is the first one's";
    EXPECT_TRUE(cluster_.node(leader)->get({EntityKind::kItem, id}).ok());
    cluster_.expect_equal();
}

TEST_P(ClusterTest, LeadershipsMoveAndNodesLeave) {
    cluster_.begin(3);
    cluster_.put(1, item(1));
    const std::uint32_t leader = cluster_.leader(ShardId(1));
    const std::uint32_t next = leader % 3 + 1;
    ASSERT_OK(cluster_.wait([&](Database::Done done) {
        cluster_.node(next % 3 + 1)
            ->cluster()
            ->transfer(ShardId(1), cluster::NodeId(next), std::move(done));
    }));
    EXPECT_EQ(cluster_.leader(ShardId(1)), next);
    ASSERT_OK(cluster_.wait(
        [&](Database::Done done) { cluster_.node(next)->cluster()->drain(std::move(done)); }));
    EXPECT_NE(cluster_.leader(ShardId(1)), next);
    cluster_.node(next)->cluster()->undrain();
    ASSERT_OK(cluster_.wait(
        [&](Database::Done done) { cluster_.node(next)->cluster()->leave(std::move(done)); }));
    const std::uint32_t stays = next % 3 + 1;
    ASSERT_TRUE(cluster_.until([&] {
        const auto status = cluster_.node(stays)->cluster_status();
        return std::ranges::all_of(status.shards, [](const ShardStatus& shard) {
            return shard.voters.size() == 2 && !shard.joint;
        });
    })) << cluster_.problems(cluster_.node(stays));
    EXPECT_EQ(cluster_.node(stays)->cluster_status().nodes[next - 1].state, "left");
    cluster_.put(stays, item(2));
    bool refused = false;
    cluster_.node(stays)->cluster()->remove_node(cluster::NodeId(99), [&](Result<void> result) {
        refused = !result.ok() && result.error().code() == ErrorCode::kNotFound;
    });
    EXPECT_TRUE(cluster_.until([&] { return refused; }));
}

TEST_P(ClusterTest, ATransferSaysWhatIsMissingOrWaitsForIt) {
    cluster_.begin(3);
    const std::uint64_t id = id_at(EntityKind::kItem, 1, 2);
    cluster_.put(1, item(id));
    const std::uint32_t leader = cluster_.leader(ShardId(1));
    const std::uint32_t target = leader % 3 + 1;
    const std::uint32_t other = target % 3 + 1;
    const auto transfer = [&](std::uint32_t by) {
        return cluster_.wait([&](Database::Done done) {
            cluster_.node(by)->cluster()->transfer(ShardId(1), cluster::NodeId(target),
                                                   std::move(done));
        });
    };
    cluster_.kill(target);
    for (int i = 0; i < 300; ++i) cluster_.put(leader, signal(id, "like"));
    ASSERT_TRUE(cluster_.until([&] {
        return std::ranges::none_of(
            cluster_.node(leader)->cluster_status().nodes,
            [&](const NodeStatus& node) { return node.up && node.node.value() == target; });
    }));
    for (const std::uint32_t by : {leader, other}) {
        const std::uint64_t asked_ns = cluster_.world().now_ns();
        const auto refused = transfer(by);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().reason(), "target_down") << refused.error().to_string();
        EXPECT_NE(refused.error().to_string().find("entries_behind=3"), std::string::npos)
            << "300 and what else came: " << refused.error().to_string();
        EXPECT_LT(cluster_.world().now_ns() - asked_ns, kSecondNs) << "at once";
    }
    // It has the log to catch up with, and the leader may take it for its life before.
    cluster_.restart(target);
    ASSERT_TRUE(cluster_.until([&] {
        return std::ranges::any_of(
            cluster_.node(leader)->cluster_status().nodes,
            [&](const NodeStatus& node) { return node.up && node.node.value() == target; });
    }));
    ASSERT_OK(transfer(other));
    EXPECT_EQ(cluster_.leader(ShardId(1)), target);
}

TEST_P(ClusterTest, ATransferIsTriedAgainWhereItsMessageIsLost) {
    cluster_.begin(3);
    cluster_.put(1, item(1));
    const std::uint32_t leader = cluster_.leader(ShardId(1));
    const std::uint32_t target = leader % 3 + 1;
    // For less than what makes a node silent, and more than an attempt takes.
    cluster_.world().network().cut(cluster_.node(leader).name, cluster_.node(target).name);
    cluster_.world().at(cluster_.world().now_ns() + 150 * kMsNs,
                        [&] { cluster_.world().network().heal_all(); });
    ASSERT_OK(cluster_.wait([&](Database::Done done) {
        cluster_.node(leader)->cluster()->transfer(ShardId(1), cluster::NodeId(target),
                                                   std::move(done));
    }));
    EXPECT_EQ(cluster_.leader(ShardId(1)), target);
}

TEST_P(ClusterTest, BeforeItsStartANodeHasAStatus) {
    cluster_.begin(2);
    cluster_.kill(2);
    const auto opened = cluster_.try_open(cluster_.node(2));
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    const ClusterStatus status = (**opened).cluster_status();
    EXPECT_FALSE(status.ready);
    EXPECT_EQ(status.node, cluster::NodeId(2));
    const auto own = std::ranges::find(status.nodes, true, &NodeStatus::self);
    ASSERT_NE(own, status.nodes.end());
    EXPECT_EQ(own->peer_address, "") << "it listens nowhere yet";
}

TEST_P(ClusterTest, ANodeOfAnotherBuildIsRefusedAndItsNeighboursSayWhy) {
    cluster_.begin(3);
    const auto status = cluster_.node(1)->cluster_status();
    cluster_.kill(3);
    // In its place a build that applies records as the version before.
    cluster::Introduction older;
    older.identity = {status.cluster_id, cluster::NodeId(3), status.nodes[2].instance_id,
                      status.region};
    older.boot = cluster::BootId(5);
    older.version_min = older.version_max = cluster::kPeerVersionMax - 1;
    runtime::SimDisk disk;
    auto node = cluster_.world().create_node("older", disk);
    const auto executor = node->executors().create_executor("peers");
    std::unique_ptr<runtime::Endpoint> endpoint;
    auto listens = node->network().listen(
        {.address = SimCluster::address(3)}, *executor,
        [&](const runtime::Sender& sender, const std::string& bytes) {
            const auto packet = cluster::decode_packet(bytes);
            const auto* hello = packet.ok() ? std::get_if<cluster::Hello>(&*packet) : nullptr;
            if (hello == nullptr) return;
            const cluster::Welcome welcome{older, 1, hello->from.boot, hello->nonce};
            EXPECT_TRUE(endpoint->send(sender.address, cluster::encode_packet(welcome)).ok());
        });
    ASSERT_TRUE(listens.ok()) << listens.error().to_string();
    endpoint = std::move(*listens);
    for (const std::uint32_t by : {1u, 2u}) {
        std::string why;
        EXPECT_TRUE(cluster_.until([&] {
            why = cluster_.node(by)->cluster_status().nodes[2].newest_refusal;
            return why.find("start each with the newer build") != std::string::npos;
        })) << why;
        EXPECT_FALSE(cluster_.node(by)->cluster_status().nodes[2].up);
    }
    cluster_.put(1, item(1));  // the two others go on
    executor->stop();
}

TEST_P(ClusterTest, AnImportGoesOnThroughAnotherNodeAndWritesEachRowOnce) {
    cluster_.begin(3);
    const auto chunk = [&](std::uint32_t by, std::uint64_t first) {
        std::vector<Write> rows;
        for (std::uint64_t i = 0; i < 6; ++i) {
            rows.emplace_back(item(first + i));
            rows.emplace_back(signal(first + i, "view"));
        }
        auto answer = std::make_shared<std::optional<WriteReplies>>();
        cluster_.node(by)->write_import(
            std::move(rows), {"movies", first * 2 - 1}, {},
            [answer](WriteReplies replies) { answer->emplace(std::move(replies)); });
        EXPECT_TRUE(cluster_.until([&] { return answer->has_value(); }));
        return std::move(**answer);
    };
    for (const auto& reply : chunk(1, 1)) ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    for (const auto& reply : chunk(2, 7)) ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    // Again, by a node that may not have applied it yet.
    for (const auto& reply : chunk(3, 7)) {
        ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        EXPECT_TRUE(reply->repeated);
    }
    cluster_.kill(cluster_.leader(ShardId(1)));
    const std::uint32_t left = cluster_.node(1).alive() ? 1 : 2;
    for (const auto& reply : chunk(left, 13)) ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    for (const auto& reply : chunk(left, 13)) EXPECT_TRUE(reply.ok() && reply->repeated);
    ASSERT_OK(cluster_.wait([&](Database::Done done) {
        cluster_.node(left)->put_import_note("movies/done", 1, std::move(done));
    }));
    const std::uint32_t other = cluster_.node(3).alive() ? 3 : 2;
    std::optional<Result<std::uint64_t>> note;
    cluster_.node(other)->newest_import_note(
        "movies/done", [&](Result<std::uint64_t> value) { note.emplace(std::move(value)); });
    ASSERT_TRUE(cluster_.until([&] { return note.has_value(); }));
    ASSERT_TRUE(note->ok());
    EXPECT_EQ(**note, 1u);
    ASSERT_OK(cluster_.fence(other, {}));
    for (std::uint64_t id = 1; id <= 18; ++id)
        EXPECT_EQ(count_on(cluster_, other, EntityKind::kItem, id, "view"), 1) << id;
}

TEST_P(ClusterTest, WriteConcernsAreKeptOrRefused) {
    cluster_.begin(3);
    CallContext context;
    context.write_concern = shard::WriteConcern::kAll;
    for (std::uint32_t by = 1; by <= 3; ++by) {
        const auto all = cluster_.write_one(by, item(by), context);
        ASSERT_TRUE(all.ok()) << all.error().to_string();
        EXPECT_EQ(all->durable, shard::WriteConcern::kAll);
        EXPECT_EQ(all->replicas, 3u);
    }
    context.write_concern = shard::WriteConcern::on(4);
    EXPECT_EQ(cluster_.write_one(2, item(9), context).error().field(), "w");
    context.write_concern = shard::WriteConcern::kMemory;
    EXPECT_EQ(cluster_.write_one(2, item(9), context).error().field(), "w");
    context.write_concern = shard::WriteConcern::kLocal;
    const auto local = cluster_.write_one(3, item(10), context);
    ASSERT_TRUE(local.ok()) << local.error().to_string();
    EXPECT_EQ(local->may_be_lost, local->durable == shard::WriteConcern::kLocal);
    context = {};
    context.forwarded = true;
    const std::uint32_t leader = cluster_.leader(ShardId(1));
    const std::uint64_t id = id_at(EntityKind::kItem, 1, 2, 100);
    EXPECT_TRUE(cluster_.write_one(leader, item(id), context).ok());
    EXPECT_EQ(cluster_.write_one(leader % 3 + 1, item(id), context).error().reason(), "not_leader");
    const auto where = cluster_.node(leader % 3 + 1)->leader_of({EntityKind::kItem, id});
    ASSERT_TRUE(where.ok() && where->has_value());
    EXPECT_EQ((*where)->node.value(), leader);
    EXPECT_EQ((*where)->http_address, "n" + std::to_string(leader) + ":80");
    cluster_.expect_equal();
}

TEST_P(ClusterTest, TokensAreGoodForOneNodeAndATime) {
    cluster_.begin(1);
    std::optional<Result<NewJoinToken>> made;
    cluster_.node(1)->cluster()->create_join_token(
        10, [&](Result<NewJoinToken> token) { made.emplace(std::move(token)); });
    ASSERT_TRUE(cluster_.until([&] { return made.has_value(); }));
    EXPECT_EQ(made->error().field(), "ttl_ms");
    made.reset();
    cluster_.node(1)->cluster()->create_join_token(
        60'000, [&](Result<NewJoinToken> token) { made.emplace(std::move(token)); });
    ASSERT_TRUE(cluster_.until([&] { return made.has_value(); }));
    ASSERT_TRUE(made->ok());
    runtime::SimDisk disks[3];
    const auto join = [&](int which) -> Result<Identity> {
        const std::string name = "j" + std::to_string(which);
        const auto runtime = cluster_.world().create_node(name, disks[which]);
        const auto executor = runtime->executors().create_executor("join");
        auto joined = std::make_shared<std::optional<Result<Identity>>>();
        JoinOptions options;
        options.seeds = {SimCluster::address(1)};
        options.token = (*made)->token;
        options.listen = name + ":8";
        options.peer_advertise = name + ":7";
        options.timeout_ms = 5'000;
        const auto keep =
            [](runtime::Task<Result<Identity>> task,
               std::shared_ptr<std::optional<Result<Identity>>> into) -> runtime::Task<void> {
            Result<Identity> result = co_await std::move(task);
            into->emplace(std::move(result));
        };
        runtime::spawn(keep(join_cluster(*runtime, *executor, options), joined));
        EXPECT_TRUE(cluster_.until([&] { return joined->has_value(); }));
        executor->stop();
        return std::move(**joined);
    };
    const auto first = join(0);
    ASSERT_TRUE(first.ok()) << first.error().to_string();
    EXPECT_EQ(first->node, 2u);
    EXPECT_EQ(first->cluster_id, cluster_.node(1)->stats().identity.cluster_id);
    EXPECT_EQ(join(1).error().code(), ErrorCode::kConflict) << "it was used";
    made.reset();
    cluster_.node(1)->cluster()->create_join_token(
        1'000, [&](Result<NewJoinToken> token) { made.emplace(std::move(token)); });
    ASSERT_TRUE(cluster_.until([&] { return made.has_value(); }));
    cluster_.world().advance(3 * kSecondNs);
    EXPECT_EQ(join(2).error().code(), ErrorCode::kUnauthenticated) << "it has expired";
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterTest, ::testing::Values(1, 2, 3));

}  // namespace cluster_test
}  // namespace tidal::api
