#include "sim/crash_points.h"

#include <vector>

#include "api/database.h"
#include "runtime/sim_runtime.h"
#include "sim/client_model.h"
#include "sim/model_check.h"

namespace tidal::sim {
namespace {

using runtime::CrashSpec;

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr int kWritesAfterCrash = 3;

/// A node on `disk`, in a world of its own: dead when an operation says so, else until destroyed.
class Node {
public:
    Node(runtime::SimDisk& disk, const CrashPointsOptions& options)
        : options_(options),
          world_(runtime::SimWorldOptions{.seed = options.seed, .work_ns = 1'000}),
          runtime_(world_.create_node("node", disk)) {}
    ~Node() {
        runtime_->kill();
        database_.reset();
    }

    bool crashed() const { return runtime_->crashed(); }
    api::Database& database() { return *database_; }

    /// Empty, or why not; a crash under way is no failure.
    std::string open() {
        api::DatabaseOptions options;
        options.shards = options_.shards;
        options.log.file_bytes = 4 << 10;
        options.checkpoint_interval_ms = 3'600'000;  // only when told
        auto opened = api::Database::open(options, *runtime_);
        if (!opened.ok()) return crashed() ? "" : "open: " + opened.error().to_string();
        database_ = std::move(*opened);
        return await("start", [&](auto done) { database_->start(std::move(done)); });
    }
    std::string checkpoint() {
        return await("checkpoint", [&](auto done) { database_->checkpoint(std::move(done)); });
    }
    std::string stop() {
        return await("stop", [&](auto done) {
            database_->stop([done = std::move(done)]() mutable { done({}); });
        });
    }
    std::string write(ClientModel& client) {
        std::string key;
        const std::vector<api::Write>& writes = client.current(&key);
        client.set_waiting(true);
        return await("write " + key, [&](auto done) {
            api::CallContext context;
            context.idempotency_key = key;
            database_->write(writes, context,
                             [&client, done = std::move(done)](api::WriteReplies replies) mutable {
                                 if (!replies.front().ok()) return done(replies.front().error());
                                 client.set_waiting(false);
                                 client.acknowledged();
                                 done({});
                             });
        });
    }
    std::string rest() {
        if (world_.run_until([&] { return crashed() || at_rest(*database_); }, 60 * kSecondNs))
            return {};
        return "the relay does not come to rest";
    }

private:
    template <typename Begin>
    std::string await(const std::string& what, Begin begin) {
        bool finished = false;
        Result<void> result;
        begin(api::Database::Done([&](Result<void> done) {
            finished = true;
            result = std::move(done);
        }));
        world_.run_until([&] { return finished || crashed(); }, 60 * kSecondNs);
        if (crashed()) return {};
        if (!finished) return what + " does not end";
        return result.ok() ? "" : what + ": " + result.error().to_string();
    }

    const CrashPointsOptions& options_;
    runtime::SimWorld world_;
    std::unique_ptr<runtime::SimRuntime> runtime_;
    std::unique_ptr<api::Database> database_;
};

/// The whole life, or as much of it as the disk lets happen.
std::string live(Node& node, ClientModel& client, int writes) {
    std::string failure = node.open();
    for (int i = 1; i <= writes && failure.empty() && !node.crashed(); ++i) {
        failure = node.write(client);
        if ((i == writes / 3 || i == 2 * writes / 3) && failure.empty() && !node.crashed())
            failure = node.checkpoint();
    }
    if (failure.empty() && !node.crashed()) failure = node.rest();
    if (failure.empty() && !node.crashed()) failure = check_model(node.database(), {&client, 1});
    if (failure.empty() && !node.crashed()) failure = node.stop();
    return failure;
}

std::vector<CrashSpec> endings(const runtime::SimDisk& disk, std::uint64_t point) {
    const std::uint64_t sectors = disk.unsynced_sectors();
    std::vector<CrashSpec> all = {{.keep = CrashSpec::Keep::kNothing},
                                  {.keep = CrashSpec::Keep::kAll},
                                  {.keep = CrashSpec::Keep::kSeeded, .seed = point}};
    if (sectors > 0) all.push_back({.keep = CrashSpec::Keep::kPrefix, .sectors = sectors / 2});
    if (sectors > 2) all.push_back({.keep = CrashSpec::Keep::kPrefix, .sectors = sectors - 1});
    return all;
}

std::string name(const CrashSpec& ending) {
    switch (ending.keep) {
        case CrashSpec::Keep::kNothing:
            return "nothing kept";
        case CrashSpec::Keep::kAll:
            return "all kept";
        case CrashSpec::Keep::kSeeded:
            return "random sectors kept";
        default:
            return "the first " + std::to_string(ending.sectors) + " sectors kept";
    }
}

/// Every write that was acknowledged is there; the one without an answer may be.
std::string check_acknowledged(api::Database& database, const ClientModel& client) {
    std::string failure = check_model(database, {&client, 1});
    if (failure.empty() || !client.waiting()) return failure;
    ClientModel with_unanswered(client);
    with_unanswered.acknowledged();
    if (check_model(database, {&with_unanswered, 1}).empty()) return {};
    return failure + " (nor does the unanswered write explain it)";
}

/// The life after the crash.
std::string go_on(runtime::SimDisk& disk, ClientModel& client, const CrashPointsOptions& options) {
    Result<std::vector<std::uint64_t>> before = std::vector<std::uint64_t>();
    {
        Node node(disk, options);
        std::string failure = node.open();
        if (failure.empty()) failure = node.rest();
        if (failure.empty()) failure = check_acknowledged(node.database(), client);
        for (int i = 0; i < kWritesAfterCrash && failure.empty(); ++i) failure = node.write(client);
        if (failure.empty()) failure = node.rest();
        if (failure.empty()) failure = check_model(node.database(), {&client, 1});
        if (!failure.empty()) return failure;
        before = node.database().content_hashes();
    }
    disk.crash({.keep = CrashSpec::Keep::kNothing});
    Node node(disk, options);
    std::string failure = node.open();
    if (!failure.empty()) return "second restart: " + failure;
    const auto after = node.database().content_hashes();
    if (!before.ok() || !after.ok()) return "content hash: an error";
    return *before == *after ? "" : "second restart: another content hash";
}

}  // namespace

CrashPointsReport run_crash_points(const CrashPointsOptions& options) {
    CrashPointsReport report;
    for (std::uint64_t point = 0; point <= report.operations; ++point) {
        runtime::SimDisk disk({.seed = options.seed, .sync_ns = 200'000});
        runtime::SeededRandom choices(options.seed);
        ClientModel client(1, choices);
        disk.set_crash_after(point);  // 0: never, to count
        {
            Node node(disk, options);
            report.failure = live(node, client, options.writes);
            if (report.failure.empty() && node.crashed() != (point > 0))
                report.failure = "the run is not the same twice";
        }
        if (point == 0) report.operations = disk.mutating_ops();
        if (!report.failure.empty()) {
            report.failure += ", before the crash at operation " + std::to_string(point);
            return report;
        }
        if (point == 0) continue;
        for (const CrashSpec& ending : endings(disk, point)) {
            const auto survivor = disk.survivor(ending);
            runtime::SeededRandom further(point);
            ClientModel same_client(client, further);
            report.failure = go_on(*survivor, same_client, options);
            ++report.endings;
            if (report.failure.empty()) continue;
            report.failure +=
                ", after a crash at operation " + std::to_string(point) + " with " + name(ending);
            return report;
        }
    }
    return report;
}

}  // namespace tidal::sim
