// Three databases with threads, sockets, TLS and files of this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <thread>

#include "api/cluster_directory.h"
#include "api/join_cluster.h"
#include "api/tests/inner_view.h"
#include "api/tests/sim_node.h"
#include "runtime/real_runtime.h"

namespace tidal::api {
namespace cluster_real_test {

class RealCluster : public ::testing::Test {
protected:
    struct Node {
        std::unique_ptr<runtime::Runtime> runtime;
        std::unique_ptr<Database> database;
    };

    void SetUp() override {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "tidal-cluster-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    void TearDown() override {
        for (auto& [number, node] : nodes_) close(number);
        std::filesystem::remove_all(folder_);
    }

    template <typename Predicate>
    static bool until(Predicate holds, std::chrono::seconds at_most = std::chrono::seconds(60)) {
        const auto deadline = std::chrono::steady_clock::now() + at_most;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));  // allowed: polls
        }
        return true;
    }
    /// What `begin` hands its callback.
    template <typename T, typename Begin>
    static Result<T> wait(Begin begin) {
        const auto answered = [](Begin start) -> runtime::Task<Result<T>> {
            runtime::Completion<T> done;
            start(done.completer());
            Result<T> result = co_await done;
            co_return result;
        };
        return runtime::sync_wait(answered(std::move(begin)));
    }

    void make_runtime(std::uint32_t number) {
        nodes_[number].runtime =
            std::move(*runtime::make_real_runtime({folder_ + "/" + std::to_string(number), {}}));
    }
    void open(std::uint32_t number) {
        Node& node = nodes_[number];
        if (!node.runtime) make_runtime(number);
        DatabaseOptions options;
        options.executors = executors_;
        options.cluster.emplace();
        options.cluster->peer_listen = "127.0.0.1:0";
        options.cluster->http_address = "127.0.0.1:" + std::to_string(9500 + number);
        options.cluster->timing = {
            .tick_ms = 20, .heartbeat_ms = 60, .election_ms_min = 400, .election_ms_max = 800};
        auto opened = Database::open(options, *node.runtime);
        ASSERT_TRUE(opened.ok()) << opened.error().to_string();
        node.database = std::move(*opened);
        ASSERT_OK(wait<void>([&](auto done) { node.database->start(std::move(done)); }));
    }
    void close(std::uint32_t number) {
        Node& node = nodes_[number];
        if (node.database)
            (void)wait<void>([&](auto done) {
                node.database->stop([done = std::move(done)]() mutable { done({}); });
            });
        node.database.reset();
        node.runtime.reset();
    }
    void join(std::uint32_t number) {
        const auto token = wait<NewJoinToken>(
            [&](auto done) { (*this)[1].cluster()->create_join_token(60'000, std::move(done)); });
        ASSERT_TRUE(token.ok()) << token.error().to_string();
        make_runtime(number);
        const auto executor = nodes_[number].runtime->executors().create_executor("join");
        JoinOptions options;
        options.seeds = {(*this)[1].cluster_status().nodes.front().peer_address};
        options.token = token->token;
        options.peer_advertise = "127.0.0.1:1";  // said anew at the start, when it is known
        const auto joined = runtime::sync_wait(
            join_cluster(*nodes_[number].runtime, *executor, std::move(options)));
        ASSERT_TRUE(joined.ok()) << joined.error().to_string();
        executor->stop();
        open(number);
    }
    Database& operator[](std::uint32_t number) { return *nodes_[number].database; }
    bool all_voters(std::size_t count) {
        for (auto& [number, node] : nodes_)
            for (const ShardStatus& shard : node.database->cluster_status().shards)
                if (shard.voters.size() != count || shard.joint) return false;
        return true;
    }
    Result<WriteReply> write(std::uint32_t by, Write write) {
        auto replies = wait<WriteReplies>([&](auto done) {
            (*this)[by].write(
                {std::move(write)}, {},
                [done = std::move(done)](WriteReplies all) mutable { done(std::move(all)); });
        });
        if (!replies.ok()) return replies.take_error();
        return std::move(replies->front());
    }

    /// Three voters of a metadata shard and of two data shards.
    void make_three() {
        make_runtime(1);
        ASSERT_OK(init_cluster(*nodes_[1].runtime, {.shards = 2, .log = {}}));
        open(1);
        ASSERT_TRUE(until([&] { return (*this)[1].ready(); }));
        join(2);
        join(3);
        ASSERT_TRUE(until([&] { return all_voters(3); }));
    }
    /// An item that lives there.
    std::uint64_t item_of(ShardId shard) {
        std::uint64_t id = 1;
        while (InnerView((*this)[1]).home_of(EntityKind::kItem, EntityId(id)) != shard) ++id;
        return id;
    }

    std::string folder_;
    std::uint16_t executors_ = 2;
    std::map<std::uint32_t, Node> nodes_;
};

/// What comes later, and whether it came; good for longer than the test that waits for it.
struct Later {
    std::shared_ptr<std::promise<Result<void>>> promise =
        std::make_shared<std::promise<Result<void>>>();
    std::shared_future<Result<void>> future = promise->get_future().share();

    template <typename T>
    auto done() const {
        return [promise = promise](Result<T> result) {
            promise->set_value(result.ok() ? Result<void>() : Result<void>(result.take_error()));
        };
    }
    bool came() const {
        return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
};

// Installing a large snapshot takes seconds, in which nobody enters the shard. The one thread of
// consensus and sockets does not wait for it, and neither does what shares the shard's executor.
TEST_F(RealCluster, WhileAShardIsReplacedTheNodeGoesOn) {
    executors_ = 1;
    ASSERT_NO_FATAL_FAILURE(make_three());
    const std::uint64_t away = item_of(ShardId(1)), here = item_of(ShardId(2));
    ASSERT_TRUE(write(1, item(away)).ok());
    // The others lead, so that node 3 only follows.
    ASSERT_OK(wait<void>([&](auto done) { (*this)[3].cluster()->drain(std::move(done)); }));
    ASSERT_OK(
        wait<FenceReply>([&](auto done) { (*this)[3].fence({}, {}, 10'000, std::move(done)); }));
    InnerView third((*this)[3]);
    ASSERT_TRUE(until([&] {
        return wait<void>([&](auto done) { (*this)[3].checkpoint(std::move(done)); }).ok() &&
               third.is_checkpointed(ShardId(1));
    }));

    const auto all_up = [&](std::uint32_t by) {
        return std::ranges::all_of((*this)[by].cluster_status().nodes,
                                   [](const NodeStatus& node) { return node.up; });
    };
    ASSERT_TRUE(until([&] { return all_up(1) && all_up(2); }));

    std::promise<void> gate;
    std::atomic<bool> closed = true;
    const auto begun = std::make_shared<std::atomic<bool>>(false);
    const auto open_gate = [&] {
        if (closed.exchange(false)) gate.set_value();
    };
    struct AtTheEnd {
        std::function<void()> run;
        ~AtTheEnd() { run(); }
    } const opened{open_gate};
    const Later replaced;
    third.replace_state(
        ShardId(1),
        [begun, opens = gate.get_future().share()]() -> Result<void> {
            *begun = true;
            opens.wait();
            return {};
        },
        replaced.done<void>());
    ASSERT_TRUE(until([&] { return begun->load(); }));

    // A read that has to wait for the shard, and a token of it; after both come those of others.
    const auto fence_of = [&](std::uint64_t id) {
        Later passed;
        (*this)[3].fence({}, {.entity = EntityRequest{EntityKind::kItem, id}, .session = {}},
                         60'000, passed.done<FenceReply>());
        return passed;
    };
    const Later waits = fence_of(away);
    const auto soon = [](const Later& later) {
        return until([&] { return later.came(); }, std::chrono::seconds(20)) &&
               later.future.get().ok();
    };
    for (std::uint64_t round = 1; round <= 30; ++round) {
        Later written;
        (*this)[3].write({item(here)}, {}, [done = written.done<WriteReply>()](WriteReplies all) {
            done(std::move(all.front()));
        });
        ASSERT_TRUE(soon(written)) << round;
        ASSERT_TRUE(soon(fence_of(here))) << round;
        EXPECT_TRUE((*this)[3].get({EntityKind::kItem, here}).ok());
    }
    EXPECT_EQ((*this)[3].get({EntityKind::kItem, away}).error().reason(), "state_replaced");
    EXPECT_FALSE(waits.came());
    EXPECT_FALSE(replaced.came());
    for (const std::uint32_t by : {1U, 2U}) EXPECT_TRUE(all_up(by)) << by;

    open_gate();
    EXPECT_TRUE(soon(replaced));
    EXPECT_TRUE(soon(waits));
    EXPECT_TRUE((*this)[3].get({EntityKind::kItem, away}).ok());
}

/// As a node that ended before it led anything: the start is told of no schema.
TEST_F(RealCluster, BeginsWithTheSchemaItsDirectoryWasMadeWith) {
    make_runtime(1);
    EXPECT_FALSE(init_cluster(*nodes_[1].runtime, {.schema = "signals: 3"}).ok());
    const schema::Schema built_in = *schema::parse_schema(schema::default_schema_yaml());
    std::string yaml = schema::print_schema(built_in);
    const std::string_view before = "signals:\n";
    ASSERT_NE(yaml.find(before), std::string::npos) << yaml;
    yaml.insert(yaml.find(before) + before.size(), "  applause: {half_life: 1d, windows: [all]}\n");
    ASSERT_OK(init_cluster(*nodes_[1].runtime, {.shards = 1, .log = {}, .schema = yaml}));
    open(1);
    ASSERT_TRUE(until([&] { return (*this)[1].ready(); }));
    EXPECT_TRUE((*this)[1].schema()->find_signal("applause"));
    close(1);
    open(1);
    ASSERT_TRUE(until([&] { return (*this)[1].ready(); }));
    EXPECT_TRUE((*this)[1].schema()->find_signal("applause"));
}

TEST_F(RealCluster, WritesAndReadsOnAnyNodeAndGoesOnWithoutOne) {
    make_runtime(1);
    ASSERT_OK(init_cluster(*nodes_[1].runtime, {.shards = 2, .log = {}}));
    EXPECT_EQ(init_cluster(*nodes_[1].runtime, {}).error().code(), ErrorCode::kConflict);
    open(1);
    ASSERT_TRUE(until([&] { return (*this)[1].ready(); }));
    join(2);
    join(3);
    ASSERT_TRUE(until([&] { return all_voters(3); }));
    for (std::uint64_t id = 1; id <= 20; ++id) {
        const auto by = static_cast<std::uint32_t>(1 + id % 3);
        const auto reply = write(by, item(id));
        ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        EXPECT_GE(reply->replicas, 2u);
        const std::uint32_t reader = by % 3 + 1;
        const auto passed = wait<FenceReply>(
            [&](auto done) { (*this)[reader].fence({}, {}, 10'000, std::move(done)); });
        ASSERT_TRUE(passed.ok()) << passed.error().to_string();
        EXPECT_TRUE((*this)[reader].get({EntityKind::kItem, id}).ok());
    }
    const auto status = (*this)[2].cluster_status();
    EXPECT_EQ(status.mode, NodeMode::kCluster);
    ASSERT_EQ(status.nodes.size(), 3u);
    EXPECT_TRUE(until([&] {
        const auto nodes = (*this)[2].cluster_status().nodes;
        return std::ranges::all_of(nodes, &NodeStatus::up);
    }));

    // TLS keys are for their owner's eyes.
    for (const char* key : {"/2/tls/node.key", "/2/tls/authority.key"})
        EXPECT_EQ(std::filesystem::status(folder_ + key).permissions() &
                      (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
                  std::filesystem::perms::none);

    close(1);
    nodes_.erase(1);
    ASSERT_TRUE(until([&] { return write(2, item(21)).ok(); }));
    open(1);
    ASSERT_TRUE(until([&] { return (*this)[1].ready(); }));
    ASSERT_OK(
        wait<FenceReply>([&](auto done) { (*this)[1].fence({}, {}, 30'000, std::move(done)); }));
    EXPECT_TRUE((*this)[1].get({EntityKind::kItem, std::uint64_t{21}}).ok());
}

}  // namespace cluster_real_test
}  // namespace tidal::api
