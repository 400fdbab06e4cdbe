#include "sim/node_life.h"

#include <vector>

#include "api/database.h"
#include "runtime/sim_runtime.h"
#include "sim/client_model.h"
#include "sim/model_check.h"

namespace tidal::sim {
namespace {

constexpr std::uint64_t kNodeSecondNs = 1'000'000'000;
constexpr std::uint64_t kSoonNs = 2'000'000;

/// One life of the node: from open to crash or stop.
struct Life {
    std::unique_ptr<runtime::SimRuntime> runtime;
    std::unique_ptr<api::Database> database;
    std::unique_ptr<runtime::Executor>
        reader;  ///< Of clients that come in when it pleases the seed.
};

class NodeLife {
public:
    explicit NodeLife(const NodeLifeOptions& options)
        : options_(options),
          world_(world_options(options)),
          disk_({.seed = options.seed, .sync_ns = 200'000}) {
        for (int i = 0; i < options.clients; ++i)
            clients_.emplace_back(i + 1, world_.random(), options.burst_max);
    }

    NodeLifeReport run() {
        for (int life = 1; life <= options_.lives && report_.failure.empty(); ++life) live(life);
        if (report_.failure.empty()) settle_and_check();
        report_.let_in = world_.let_in();
        report_.final_hash = world_.trace_hash() ^ disk_.trace_hash();
        return report_;
    }

private:
    static runtime::SimWorldOptions world_options(const NodeLifeOptions& options) {
        runtime::SimWorldOptions world;
        world.seed = options.seed;
        world.work_ns = 1'000;
        world.crowd_permille = 500;
        return world;
    }

    void fail(std::string what) {
        if (report_.failure.empty()) report_.failure = std::move(what);
    }

    bool open(Life* life) {
        life->runtime = world_.create_node("node", disk_);
        api::DatabaseOptions options;
        options.shards = options_.shards;
        options.executors = options_.shards;
        options.checkpoint_interval_ms = 1'000;
        // Often; or mostly when asked for.
        options.checkpoint_events = options_.seed % 2 == 0 ? 25 : 1'000;
        options.slice_records = 1 + options_.seed % 3;
        options.log.file_bytes = 64 << 10;  // so that new files are made, and meet a full disk
        auto opened = api::Database::open(options, *life->runtime);
        if (!opened.ok()) {
            // A sync that fails while opening ends the life as well, by refusing to start.
            const bool injected = failing_ && opened.error().code() == ErrorCode::kIo;
            if (!life->runtime->crashed() && !injected) fail("open: " + opened.error().to_string());
            return false;
        }
        life->database = std::move(*opened);
        bool started = false;
        Result<void> result;
        life->database->start([&](Result<void> done) {
            started = true;
            result = std::move(done);
        });
        world_.run_until([&] { return started || life->runtime->crashed(); }, 120 * kNodeSecondNs);
        if (life->runtime->crashed()) return false;
        life->reader = life->runtime->executors().create_executor("reader");
        if (!started) fail("the database does not start");
        if (started && !result.ok()) fail("start: " + result.error().to_string());
        return started && result.ok();
    }

    static void end(Life* life) {
        life->runtime->kill();
        life->reader.reset();
        life->database.reset();
        life->runtime.reset();
    }

    void crash(Life* life) {
        end(life);
        disk_.crash();
        disk_.clear_faults();
        disk_.set_capacity(~0ULL);
        for (ClientModel& client : clients_) client.set_waiting(false);
        ++report_.crashes;
    }

    /// What will end this life, or make it hard.
    void plan_faults(bool last) {
        auto& random = world_.random();
        failing_ = !last && options_.failed_sync && random.below(4) == 0;
        if (last) return;
        if (failing_) {
            disk_.add_fault({.op = runtime::DiskOp::kSync,
                             .path_contains = "wal",
                             .nth = 1 + random.below(40)});
        } else {
            disk_.set_crash_after(1 + random.below(random.below(2) == 0 ? 120 : 400));
        }
    }

    void live(int number) {
        Life life;
        const bool last = number == options_.lives;
        plan_faults(last);
        if (open(&life)) run_clients(life, options_.writes_per_client * number / options_.lives);
        if (!report_.failure.empty()) return;
        if (last) {
            if (life.runtime->crashed()) fail("the last life crashed without a fault");
            life_ = std::move(life);
            return;
        }
        crash(&life);
    }

    void send(Life& life, ClientModel& client) {
        std::string key;
        const std::vector<api::Write>& writes = client.current(&key);
        api::CallContext context;
        context.idempotency_key = key;
        client.set_waiting(true);
        life.database->write(writes, context, [this, &client](api::WriteReplies replies) {
            client.set_waiting(false);
            bool all = true;
            for (const auto& reply : replies) all = take_reply(reply) && all;
            if (all) client.acknowledged();
        });
    }

    bool take_reply(const Result<api::WriteReply>& reply) {
        if (reply.ok()) {
            report_.acknowledged += 1;
            report_.retried += reply->repeated ? 1 : 0;
            return true;
        }
        const ErrorCode code = reply.error().code();
        report_.refused_full += code == ErrorCode::kDiskFull ? 1 : 0;
        // Sent again later: the disk is full, the node is going down, or an answer was lost.
        if (code != ErrorCode::kDiskFull && code != ErrorCode::kUnavailable &&
            code != ErrorCode::kTimeout && code != ErrorCode::kOverloaded)
            fail("a correct write was refused: " + reply.error().to_string());
        return false;
    }

    /// Somebody reads the items of a client, or asks for a checkpoint: now, or between two slices
    /// of a batch.
    void send_others(Life& life) {
        api::Database* const database = life.database.get();
        if (world_.random().below(4) == 0)
            life.reader->post_after(world_.random().below(kSoonNs),
                                    [database] { database->checkpoint([](Result<void>) {}); });
        for (std::uint64_t reads = world_.random().below(6); reads > 0; --reads) {
            const ClientModel& client = clients_[world_.random().below(clients_.size())];
            life.reader->post_after(world_.random().below(kSoonNs), [this, &client, database] {
                for (const auto& [id, item] : client.items())
                    if (item.exists) read(*database, client, id, item);
            });
        }
    }

    void read(api::Database& database, const ClientModel& client, std::uint64_t id,
              const ItemModel& item) {
        const auto readings = database.signals({EntityKind::kItem, id});
        if (!readings.ok()) return;  // an upsert or a deletion is under way
        std::int64_t seen = 0, acknowledged = 0;
        for (const auto& one : readings->signals)
            seen += one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        for (const auto& [name, counts] : item.signals) acknowledged += counts.events;
        ++report_.reads;
        if (client.erases(id) && seen == 0) return;
        if (seen == acknowledged) return;
        ++report_.reads_between;
        if (std::abs(seen - acknowledged) > client.uncertain(id))
            fail("item " + std::to_string(id) + " is read with " + std::to_string(seen) + " of " +
                 std::to_string(acknowledged) + " signals");
    }

    void disturb(Life& life) {
        auto& random = world_.random();
        if (options_.clock_jumps && random.below(200) == 0)
            life.runtime->jump_wall(static_cast<std::int64_t>(random.below(120'000)) - 60'000);
        if (!options_.full_disk || random.below(40) != 0) return;
        disk_.set_capacity(disk_.used_bytes() + random.below(4096));
        const std::uint64_t until_ns = world_.now_ns() + random.below(3 * kNodeSecondNs);
        world_.at(until_ns, [this] { disk_.set_capacity(~0ULL); });
    }

    void run_clients(Life& life, int writes_each) {
        const auto finished = [&] {
            for (const ClientModel& client : clients_)
                if (client.waiting() || client.writes() < writes_each) return false;
            return true;
        };
        const std::uint64_t deadline_ns = world_.now_ns() + 3600 * kNodeSecondNs;
        while (!finished() && !life.runtime->crashed() && report_.failure.empty()) {
            if (world_.now_ns() > deadline_ns) return fail("writes are not answered for an hour");
            for (ClientModel& client : clients_)
                if (!client.waiting() && client.writes() < writes_each &&
                    world_.random().below(3) == 0)
                    send(life, client);
            send_others(life);
            disturb(life);
            world_.advance(world_.random().below(2'000'000));
        }
        disk_.set_capacity(~0ULL);
    }

    /// Every unanswered write is answered, every relay row has arrived; then the model must hold.
    void settle_and_check() {
        for (ClientModel& client : clients_) {
            std::string key;
            client.current(&key);
        }
        run_clients(life_, options_.writes_per_client + 1);
        const bool quiet =
            world_.run_until([&] { return at_rest(*life_.database); }, 600 * kNodeSecondNs);
        if (!quiet) return fail("the relay does not come to rest");
        check("after the last write");
        const auto before = life_.database->content_hashes();
        restart(false);
        if (!report_.failure.empty()) return;
        compare(before, "after a restart without a stop");
        restart(true);
        if (!report_.failure.empty()) return;
        compare(before, "after a clean stop");
        check("after the restarts");
        end(&life_);
    }

    void restart(bool clean) {
        if (clean) {
            bool stopped = false;
            life_.database->stop([&] { stopped = true; });
            if (!world_.run_until([&] { return stopped; }, 600 * kNodeSecondNs))
                return fail("the database does not stop");
        }
        crash(&life_);
        life_ = Life();
        if (!open(&life_)) fail("the database does not open again");
    }

    void compare(const Result<std::vector<std::uint64_t>>& before, const std::string& when) {
        const auto after = life_.database->content_hashes();
        if (!before.ok() || !after.ok())
            return fail("content hash: " + (before.ok() ? after : before).error().to_string());
        if (*before != *after) fail("the content hash differs " + when);
        for (const std::uint64_t hash : *after) world_.note(hash);
    }

    void check(const std::string& when) {
        const std::string failure = check_model(*life_.database, clients_);
        if (!failure.empty()) fail(failure + ", " + when);
    }

    const NodeLifeOptions options_;
    runtime::SimWorld world_;
    runtime::SimDisk disk_;
    std::vector<ClientModel> clients_;
    NodeLifeReport report_;
    Life life_;
    bool failing_ = false;  ///< A sync will fail in this life.
};

}  // namespace

NodeLifeReport run_node_life(const NodeLifeOptions& options) {
    return NodeLife(options).run();
}

}  // namespace tidal::sim
