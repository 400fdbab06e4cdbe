// tidal-server: wiring, flags and signals. docs/operations/running.md.
#include <csignal>
#include <cstdio>

#include "api/database.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time_text.h"
#include "http/door.h"
#include "runtime/data_clock.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"
#include "server/demo.h"
#include "server/directory.h"
#include "server/local_files.h"
#include "server/settings.h"

namespace tidal::server {
namespace {

constexpr const char* kVersion = TIDAL_VERSION;
constexpr std::uint32_t kRequestsDeadlineMs = 10'000;

template <typename Start>
runtime::Task<Result<void>> answered(Start start) {
    runtime::Completion<void> done;
    start(done.completer());
    Result<void> result = co_await done;
    co_return result;
}

/// SIGINT and SIGTERM are taken by wait_for_signal alone; threads made later inherit the mask.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

/// Of a budget that the directory has when it is not given.
std::optional<std::uint64_t> bytes_of(std::uint64_t mib) {
    return mib == 0 ? std::nullopt : std::optional(mib << 20);
}

Result<std::unique_ptr<api::Database>> open_database(const Settings& settings,
                                                     runtime::Runtime& runtime,
                                                     const Logger& logger) {
    api::DatabaseOptions options;
    options.logger = logger;
    if (is_cluster(settings.command)) {
        TIDAL_ASSIGN(options.cluster, cluster_options(settings, logger));
    }
    options.ephemeral = settings.ephemeral;
    if (settings.shards != 0 && !options.cluster) options.shards = settings.shards;
    if (!settings.schema.empty()) {
        TIDAL_ASSIGN(options.schema, read_text(settings.schema));
    }
    options.executors = settings.executors;
    options.checkpoint_interval_ms = settings.checkpoint_interval_ms;
    options.memory_bytes_max = settings.memory_mib << 20;
    options.ledger_bytes_max = settings.ledger_memory_mib << 20;
    options.writes_bytes_max = settings.writes_memory_mib << 20;
    options.memory = {.user_states = bytes_of(settings.user_states_memory_mib),
                      .tastes = bytes_of(settings.tastes_memory_mib),
                      .co_engagement = bytes_of(settings.co_engagement_memory_mib),
                      .cohorts = bytes_of(settings.cohorts_memory_mib),
                      .collections = bytes_of(settings.collections_memory_mib)};
    options.graph_vectors_min = settings.graph_vectors_min;
    options.load = {.level_1_ms = settings.degrade_1_ms,
                    .level_2_ms = settings.degrade_2_ms,
                    .shed_ms = settings.shed_ms,
                    .running_max = settings.queries_running};
    TIDAL_ASSIGN(auto database, api::Database::open(options, runtime));
    TIDAL_TRY(runtime::sync_wait(answered([&](auto done) { database->start(std::move(done)); })));
    return database;
}

/// Null where the database keeps the world's time.
Result<std::shared_ptr<runtime::DataClock>> make_data_clock(const Settings& settings,
                                                            runtime::Runtime& world) {
    if (settings.data_clock.empty()) return std::shared_ptr<runtime::DataClock>();
    TIDAL_ASSIGN(const UnixMillis start_ms, parse_time(settings.data_clock, "data_clock"));
    if (start_ms < 0)
        return Error(ErrorCode::kInvalidArgument, "the data's clock starts in 1970 or later")
            .with_field("data_clock");
    return std::make_shared<runtime::DataClock>(world.clock(), start_ms);
}

/// Null where there are no backups.
Result<std::unique_ptr<runtime::Runtime>> make_backup_world(const Settings& settings) {
    if (settings.backup_dir.empty()) return std::unique_ptr<runtime::Runtime>();
    return runtime::make_real_runtime({settings.backup_dir, {}});
}

/// What this node leads is handed on while it still answers. A cluster of one has nobody to take
/// it; and where that takes too long, the others elect.
void hand_on(api::Database& database, const Logger& logger) {
    if (database.cluster() == nullptr) return;
    const auto drained = runtime::sync_wait(
        answered([&](auto done) { database.cluster()->drain(std::move(done)); }));
    if (!drained.ok())
        logger.warning("not all leaderships were handed on",
                       {{"cause", drained.error().to_string()}});
}

Result<void> serve_until_signal(http::Door& door, api::Database& database, const Settings& settings,
                                runtime::Runtime& world, const Logger& logger, Metrics& metrics,
                                const sigset_t& signals) {
    http::ServerOptions options;
    options.listen = settings.listen;
    options.insecure = settings.insecure;
    options.io_threads = settings.http_threads;
    TIDAL_ASSIGN(const auto server, http::Server::start(options, world, door, logger, &metrics));
    std::printf("serving on http://%s (Ctrl+C stops)\n", server->address().c_str());
    std::fflush(stdout);
    int number = 0;
    sigwait(&signals, &number);
    logger.info("shutdown signal received", {{"signal", number == SIGINT ? "SIGINT" : "SIGTERM"}});
    door.begin_shutdown();
    hand_on(database, logger);
    server->stop(kRequestsDeadlineMs);
    door.stop();
    return {};
}

Result<void> serve(const Settings& settings, const Logger& logger, const sigset_t& signals) {
    TIDAL_ASSIGN(const auto world,
                 runtime::make_real_runtime(
                     {settings.ephemeral ? "" : settings.data_dir,
                      [&](const Error& error) { logger.error("cannot go on", error); }}));
    TIDAL_ASSIGN(const auto data_clock, make_data_clock(settings, *world));
    std::optional<runtime::DataRuntime> data_runtime;
    if (data_clock) data_runtime.emplace(*world, *data_clock);
    runtime::Runtime& runtime = data_runtime ? *data_runtime : *world;
    TIDAL_ASSIGN(const auto backup_world, make_backup_world(settings));
    TIDAL_TRY(prepare_directory(settings, runtime, logger));
    TIDAL_ASSIGN(auto database, open_database(settings, runtime, logger));
    const auto stats = database->stats();
    // A directory that was replayed into goes on at the time it had.
    for (const auto& shard : stats.shards)
        if (data_clock) data_clock->advance_to(shard.last_stamp.wall_ms());
    logger.info("database open",
                {{"directory", settings.ephemeral ? "(memory)" : settings.data_dir},
                 {"cluster_id", stats.identity.cluster_id},
                 {"shards", stats.identity.shards},
                 {"items", stats.items}});
    Result<void> served;
    if (settings.command == Command::kDemo) {
        served = import_sample(*database, runtime, settings.sample);
        if (served.ok()) served = print_feeds(*database);
    }
    if (served.ok()) {
        Metrics metrics;
        http::DoorOptions door_options{kVersion};
        door_options.imports.bytes_max = settings.import_spool_mib << 20;
        door_options.data_clock = data_clock;
        door_options.require_keys = settings.require_keys;
        if (backup_world) {
            door_options.backups =
                std::make_shared<api::Backups>(*database, runtime, backup_world->disk());
            TIDAL_TRY(door_options.backups->open());
        }
        http::Door door(*database, runtime, metrics, logger, door_options);
        served = serve_until_signal(door, *database, settings, *world, logger, metrics, signals);
    }
    TIDAL_TRY(runtime::sync_wait(answered(
        [&](auto done) { database->stop([done = std::move(done)]() mutable { done({}); }); })));
    logger.info("stopped");
    return served;
}

int run(int argc, char** argv) {
    Answer answer;
    auto settings = read_settings(argc, argv, kVersion, &answer);
    if (!settings.ok()) answer = {"tidal-server: " + settings.error().to_string() + "\n", 2};
    if (answer.text.empty() && settings->print_config) answer = {print_settings(*settings), 0};
    if (!answer.text.empty()) {
        std::fputs(answer.text.c_str(), answer.exit_code == 0 ? stdout : stderr);
        return answer.exit_code;
    }
    const auto level = parse_log_level(settings->log_level);
    if (!level.ok()) {
        std::fprintf(stderr, "tidal-server: %s\n", level.error().to_string().c_str());
        return 2;
    }
    const Logger logger = Logger::to_stderr(*level);
    const sigset_t signals = block_signals();
    const auto served = serve(*settings, logger, signals);
    if (served.ok()) return 0;
    std::fprintf(stderr, "tidal-server: %s [%s]\n", served.error().to_string().c_str(),
                 std::string(served.error().reason()).c_str());
    return 1;
}

}  // namespace
}  // namespace tidal::server

int main(int argc, char** argv) {
    return tidal::server::run(argc, argv);
}
