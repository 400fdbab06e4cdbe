// A cluster of whole databases in one simulated world: nodes that begin, join, die, are cut off and
// come back. Everything follows from the seed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/cluster_directory.h"
#include "api/join_cluster.h"
#include "api/tests/sim_node.h"
#include "runtime/sim_network.h"

namespace tidal::api {

inline constexpr std::uint64_t kMsNs = 1'000'000;

class SimCluster {
public:
    struct Member {
        std::uint32_t number = 0;
        std::string name;
        cluster::NodeId id = cluster::kNoNode;  ///< As which it was let in.
        bool retired = false;  ///< It is to be no member any more: nothing is awaited of it.
        bool alone = false;    ///< A database of its own, and no member of anything.
        std::unique_ptr<runtime::SimDisk> disk;
        std::unique_ptr<runtime::SimRuntime> runtime;
        std::unique_ptr<Database> database;

        bool alive() const { return database != nullptr && !runtime->crashed(); }
        Database& operator*() { return *database; }
        Database* operator->() { return database.get(); }
    };
    /// A new node on its way in.
    struct Joining {
        std::uint32_t number = 0;
        std::vector<std::string> seeds;
        std::uint64_t timeout_ms = 60'000;
        std::optional<Result<NewJoinToken>> token;
        std::unique_ptr<runtime::Executor> executor;  ///< From the token on.
        std::optional<Result<Identity>> joined;
    };

    explicit SimCluster(std::uint64_t seed, std::uint16_t shards = 2,
                        std::uint32_t crowd_permille = 0)
        : shards_(shards),
          world_({.seed = seed, .work_ns = 1'000, .crowd_permille = crowd_permille}) {
        options_.log.file_bytes = 64 << 10;
        options_.checkpoint_interval_ms = 2'000;
    }
    ~SimCluster() {
        for (auto& [number, member] : members_) {
            if (member.runtime) member.runtime->kill();
            member.database.reset();
            member.runtime.reset();
        }
    }

    runtime::SimWorld& world() { return world_; }
    DatabaseOptions& options() { return options_; }
    Member& node(std::uint32_t number) { return members_.at(number); }
    std::map<std::uint32_t, Member>& nodes() { return members_; }

    /// Node 1, which has yet to lead and to configure its shards.
    void found() {
        Member& first = make(1);
        first.id = cluster::NodeId(1);
        ASSERT_OK(init_cluster(*first.runtime, {.shards = shards_, .log = options_.log}));
        open(first);
    }
    /// A machine for a database that is no member of anything; open() it.
    Member& make_alone(std::uint32_t number) {
        Member& member = make(number);
        member.alone = true;
        return member;
    }
    /// The machine goes away with all it has.
    void remove(std::uint32_t number) {
        Member& member = node(number);
        if (member.runtime) member.runtime->kill();
        member.database.reset();
        member.runtime.reset();
        members_.erase(number);
    }
    /// Nodes 1 .. count, all voters of every group.
    void begin(std::uint32_t count) {
        found();
        Member& first = node(1);
        ASSERT_TRUE(until([&] { return first->ready(); })) << problems(first);
        for (std::uint32_t number = 2; number <= count; ++number) join(number, 1);
        ASSERT_TRUE(until([&] { return all_voters(count); })) << problems(first);
    }
    /// Asks `by` for a token; the rest is go_on()'s.
    std::shared_ptr<Joining> begin_join(std::uint32_t number, std::uint32_t by) {
        auto joining = std::make_shared<Joining>();
        joining->number = number;
        joining->seeds = {address(by)};
        make(number);
        node(by)->cluster()->create_join_token(600'000, [joining](Result<NewJoinToken> made) {
            joining->token.emplace(std::move(made));
        });
        return joining;
    }
    /// True once the node was let in and runs, or was not.
    bool go_on(const std::shared_ptr<Joining>& joining) {
        Member& member = node(joining->number);
        if (joining->token && joining->token->ok() && !joining->executor) ask(member, joining);
        if (!joining->joined) return joining->token && !joining->token->ok();
        joining->executor->stop();
        if (!joining->joined->ok()) return true;
        member.id = cluster::NodeId((**joining->joined).node);
        open(member);
        return true;
    }
    /// The machine of a node that is not let in, and all it has, go away.
    void discard(const std::shared_ptr<Joining>& joining) {
        Member& member = node(joining->number);
        member.runtime->kill();
        if (joining->executor) joining->executor->stop();
        joining->executor.reset();
        members_.erase(joining->number);
    }
    /// A new node, let in by `by`.
    void join(std::uint32_t number, std::uint32_t by) {
        const auto joining = begin_join(number, by);
        ASSERT_TRUE(until([&] { return joining->token && go_on(joining); }));
        ASSERT_TRUE(joining->token->ok()) << joining->token->error().to_string();
        ASSERT_TRUE(joining->joined->ok()) << joining->joined->error().to_string();
        ASSERT_EQ(node(number).id, cluster::NodeId(number));
    }
    void open(Member& member) {
        auto opened = try_open(member);
        ASSERT_TRUE(opened.ok()) << opened.error().to_string();
        member.database = std::move(*opened);
        ASSERT_OK(wait([&](Database::Done done) { member->start(std::move(done)); }));
    }
    Result<std::unique_ptr<Database>> try_open(Member& member) {
        if (!member.runtime) member.runtime = world_.create_node(member.name, *member.disk);
        DatabaseOptions options = options_;
        options.shards = shards_;
        if (member.alone) return Database::open(options, *member.runtime);
        options.cluster.emplace();
        if (std::getenv("TIDAL_SIM_LOG") != nullptr)
            options.cluster->logger = Logger::to_stderr(LogLevel::kDebug).named(member.name);
        options.cluster->peer_listen = address(member.number);
        options.cluster->http_address = member.name + ":80";
        options.cluster->timing = {
            .tick_ms = 10, .heartbeat_ms = 20, .election_ms_min = 200, .election_ms_max = 400};
        options.cluster->reconcile_ms = 100;
        options.cluster->without_tls = true;
        return Database::open(options, *member.runtime);
    }
    /// The process dies; what of the disk was not synced is lost or not.
    void kill(std::uint32_t number, runtime::CrashSpec spec = {}) {
        Member& member = node(number);
        member.runtime->kill();
        member.database.reset();
        member.runtime.reset();
        member.disk->crash(spec);
    }
    void restart(std::uint32_t number) { open(node(number)); }

    template <typename Predicate>
    bool until(Predicate holds, std::uint64_t timeout_ns = 120 * kSecondNs) {
        return world_.run_until(std::move(holds), timeout_ns);
    }
    template <typename Begin>
    Result<void> wait(Begin begin) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        begin(
            Database::Done([answer](Result<void> result) { answer->emplace(std::move(result)); }));
        until([&] { return answer->has_value(); });
        return answer->has_value() ? std::move(**answer) : Error(ErrorCode::kTimeout, "no answer");
    }
    WriteReplies write(std::uint32_t by, std::vector<Write> writes,
                       const CallContext& context = {}) {
        auto answer = std::make_shared<std::optional<WriteReplies>>();
        node(by)->write(std::move(writes), context,
                        [answer](WriteReplies replies) { answer->emplace(std::move(replies)); });
        until([&] { return answer->has_value(); });
        if (answer->has_value()) return std::move(**answer);
        WriteReplies none;
        none.emplace_back(Error(ErrorCode::kTimeout, "no answer"));
        return none;
    }
    Result<WriteReply> write_one(std::uint32_t by, Write write, const CallContext& context = {}) {
        return std::move(this->write(by, {std::move(write)}, context).front());
    }
    WriteReply put(std::uint32_t by, Write write) {
        auto reply = write_one(by, std::move(write));
        EXPECT_TRUE(reply.ok()) << reply.error().to_string();
        return reply.ok() ? std::move(*reply) : WriteReply();
    }
    Result<FenceReply> fence(std::uint32_t by, const ReadFence& fence, const FenceScope& scope = {},
                             std::uint64_t timeout_ms = 10'000) {
        auto answer = std::make_shared<std::optional<Result<FenceReply>>>();
        node(by)->fence(fence, scope, timeout_ms,
                        [answer](Result<FenceReply> reply) { answer->emplace(std::move(reply)); });
        until([&] { return answer->has_value(); });
        return answer->has_value() ? std::move(**answer) : Error(ErrorCode::kTimeout, "no answer");
    }
    /// kNoNode when none is known by anybody alive.
    std::uint32_t leader(ShardId shard) {
        for (auto& [number, member] : members_) {
            if (!member.alive() || member.retired) continue;
            const auto leader = member->cluster()->leader_of(shard);
            if (leader && leader->here) return number;
        }
        return 0;
    }
    bool all_lead() {
        for (std::uint16_t shard = 0; shard <= shards_; ++shard)
            if (leader(ShardId(shard)) == 0) return false;
        return true;
    }
    bool all_voters(std::size_t count) {
        for (auto& [number, member] : members_) {
            if (member.retired) continue;
            if (!member.alive() || !member->ready()) return false;
            for (const ShardStatus& shard : member->cluster_status().shards)
                if (shard.voters.size() != count || shard.joint || !shard.learners.empty())
                    return false;
        }
        return true;
    }
    /// Every replica alive has applied all that is committed, and no row waits for another shard.
    bool at_rest() {
        std::map<ShardId, LogIndex> ends;
        for (auto& [number, member] : members_) {
            if (member.retired) continue;
            if (!member.alive() || !member->ready()) return false;
            for (const auto& shard : member->stats().shards)
                if (shard.outbox_rows > 0) return false;
            for (const ShardStatus& shard : member->cluster_status().shards) {
                // What a lost leader proposed is decided once the log has grown beyond it.
                const bool proposing = shard.role == "leader" && shard.proposals > 0;
                if (shard.leader == cluster::kNoNode || proposing) return false;
                const LogIndex end = ends.try_emplace(shard.shard, shard.last).first->second;
                if (shard.last != end || shard.applied != end) return false;
            }
        }
        return true;
    }
    /// Hashes of all shards, the metadata's too, equal on all members.
    void expect_equal() {
        // Between two looks much happens: a look at all of a cluster after each piece of work takes
        // minutes where a row goes round for ever.
        constexpr std::uint64_t kLookNs = 5'000'000;
        std::uint64_t look_ns = 0;
        const bool rests = until([&] {
            if (world_.now_ns() < look_ns) return false;
            look_ns = world_.now_ns() + kLookNs;
            return at_rest();
        });
        ASSERT_TRUE(rests) << problems(members_.begin()->second);
        std::optional<std::vector<ShardContent>> first;
        for (auto& [number, member] : members_) {
            if (!member.alive() || member.retired) continue;
            const auto contents = member->contents();
            ASSERT_TRUE(contents.ok()) << contents.error().to_string();
            if (!first) first = *contents;
            for (std::size_t shard = 0; shard < contents->size(); ++shard) {
                EXPECT_EQ(contents->at(shard).applied, first->at(shard).applied);
                EXPECT_EQ(contents->at(shard).hash, first->at(shard).hash)
                    << "shard " << shard << " of node " << number;
            }
        }
    }
    std::string problems(Member& member) {
        std::string out = "seed " + std::to_string(world_.seed()) + "\n";
        for (auto& [number, each] : members_) {
            if (!each.alive()) continue;
            out += "machine " + std::to_string(number) + ", node " +
                   std::to_string(each.id.value()) + (each.retired ? ", retired" : "") +
                   (each->ready() ? "" : " not ready");
            for (const ShardStatus& shard : each->cluster_status().shards)
                out += "\n  shard " + std::to_string(shard.shard.value()) + " " + shard.role +
                       " term " + std::to_string(shard.term.value()) + " leader " +
                       std::to_string(shard.leader.value()) + " commit " +
                       std::to_string(shard.commit.value()) + " applied " +
                       std::to_string(shard.applied.value()) + " last " +
                       std::to_string(shard.last.value()) + " voters " +
                       std::to_string(shard.voters.size()) + " learners " +
                       std::to_string(shard.learners.size()) + " proposals " +
                       std::to_string(shard.proposals);
            for (const auto& shard : each->stats().shards)
                if (shard.outbox_rows > 0)
                    out += "\n  shard " + std::to_string(shard.shard.value()) + " has " +
                           std::to_string(shard.outbox_rows) + " rows for others";
            for (const NodeStatus& node : each->cluster_status().nodes)
                out += "\n  node " + std::to_string(node.node.value()) + " " + node.state + " at " +
                       node.peer_address + (node.up ? " up " : " down ") + node.newest_refusal;
            out += "\n";
        }
        if (member.alive())
            for (const std::string& problem : member->cluster_status().problems)
                out += problem + "\n";
        return out;
    }

    static std::string address(std::uint32_t number) { return "n" + std::to_string(number) + ":7"; }

private:
    void ask(Member& member, const std::shared_ptr<Joining>& joining) {
        joining->executor = member.runtime->executors().create_executor("join");
        JoinOptions options;
        options.seeds = joining->seeds;
        options.token = (**joining->token).token;
        options.listen = member.name + ":8";
        options.peer_advertise = address(member.number);
        options.http_address = member.name + ":80";
        options.timeout_ms = joining->timeout_ms;
        options.log = options_.log;
        runtime::spawn(keep(join_cluster(*member.runtime, *joining->executor, options), joining));
    }
    Member& make(std::uint32_t number) {
        Member& member = members_[number];
        member.number = number;
        member.name = "n" + std::to_string(number);
        member.disk = std::make_unique<runtime::SimDisk>(
            runtime::SimDiskOptions{.seed = world_.seed() * 100 + number, .sync_ns = 200'000});
        member.runtime = world_.create_node(member.name, *member.disk);
        return member;
    }
    static runtime::Task<void> keep(runtime::Task<Result<Identity>> task,
                                    std::shared_ptr<Joining> into) {
        Result<Identity> result = co_await std::move(task);
        into->joined.emplace(std::move(result));
    }

    const std::uint16_t shards_;
    DatabaseOptions options_;
    runtime::SimWorld world_;
    std::map<std::uint32_t, Member> members_;
};

}  // namespace tidal::api
