#include "server/directory.h"

#include "api/cluster_directory.h"
#include "api/join_cluster.h"
#include "runtime/task.h"
#include "server/local_files.h"

namespace tidal::server {
namespace {

constexpr std::uint16_t kClusterShardsDefault = 8;

std::string_view host_of(std::string_view address) {
    return address.substr(0, address.rfind(':'));
}
std::string_view port_of(std::string_view address) {
    const std::size_t colon = address.rfind(':');
    return colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
}

/// Every interface, which is no address to send to.
bool is_any(std::string_view address) {
    const std::string_view host = host_of(address);
    return host == "0.0.0.0" || host == "[::]" || host.empty();
}

Result<std::string> advertised(const std::string& listen, const std::string& advertise,
                               const char* flag) {
    if (!advertise.empty()) return advertise;
    if (!is_any(listen)) return listen;
    return Error(ErrorCode::kInvalidArgument, "nobody can reach a node at " + listen)
        .with_field(flag)
        .with_hint(std::string("say where others reach it: --") + flag + " HOST:PORT");
}

/// Who holds it, or nullopt when nobody does.
Result<std::optional<api::Identity>> holder(runtime::Runtime& runtime) {
    auto identity = api::read_identity(runtime.disk());
    if (identity.ok()) return std::optional(*identity);
    if (identity.error().code() == ErrorCode::kNotFound) return std::optional<api::Identity>();
    return identity.take_error();
}

Error in_use(const Settings& settings, const api::Identity& identity) {
    const bool member = identity.mode == api::NodeMode::kCluster;
    return Error(ErrorCode::kConflict, member ? "the directory is node " +
                                                    std::to_string(identity.node) + " of cluster " +
                                                    identity.cluster_id
                                              : "the directory is a standalone database")
        .with("data_dir", settings.data_dir)
        .with_hint(member ? "`tidal-server start` runs it; a new node takes an empty directory"
                          : "`tidal-server standalone` runs it; a cluster takes an empty one");
}

Result<void> join(const Settings& settings, runtime::Runtime& runtime, const Logger& logger) {
    api::JoinOptions options;
    for (std::size_t at = 0; at <= settings.seed.size();) {
        const std::size_t comma = std::min(settings.seed.find(',', at), settings.seed.size());
        if (comma > at) options.seeds.push_back(settings.seed.substr(at, comma - at));
        at = comma + 1;
    }
    options.token = settings.token;
    TIDAL_ASSIGN(options.peer_advertise,
                 advertised(settings.peer_listen, settings.peer_advertise, "peer-advertise"));
    TIDAL_ASSIGN(options.http_address,
                 advertised(settings.listen, settings.http_advertise, "http-advertise"));
    options.timeout_ms = settings.join_timeout_ms;
    options.logger = logger;
    const auto executor = runtime.executors().create_executor("join");
    const auto joined =
        runtime::sync_wait(api::join_cluster(runtime, *executor, std::move(options)));
    executor->stop();
    if (!joined.ok()) return Error(joined.error());
    logger.info("joined a cluster", {{"cluster_id", joined->cluster_id}, {"node", joined->node}});
    return {};
}

}  // namespace

Result<void> prepare_directory(const Settings& settings, runtime::Runtime& runtime,
                               const Logger& logger) {
    if (settings.ephemeral) return {};
    TIDAL_ASSIGN(const auto identity, holder(runtime));
    const bool member = identity && identity->mode == api::NodeMode::kCluster;
    switch (settings.command) {
        case Command::kStandalone:
        case Command::kDemo:
            if (member) return in_use(settings, *identity);
            return {};
        case Command::kStart:
            if (member) return {};
            if (identity) return in_use(settings, *identity);
            return Error(ErrorCode::kNotFound, "the directory is empty: there is no node to start")
                .with("data_dir", settings.data_dir)
                .with_hint(
                    "`tidal-server init` makes a cluster, `tidal-server join` a node of one");
        case Command::kInit: {
            if (identity) return in_use(settings, *identity);
            api::InitOptions options{
                .shards = settings.shards != 0 ? settings.shards : kClusterShardsDefault,
                .log = {}};
            if (!settings.schema.empty()) {
                TIDAL_ASSIGN(options.schema, read_text(settings.schema));
            }
            TIDAL_ASSIGN(const api::Identity made, api::init_cluster(runtime, options));
            logger.info("made a cluster",
                        {{"cluster_id", made.cluster_id}, {"shards", made.shards}});
            return {};
        }
        case Command::kJoin:
            if (identity) return in_use(settings, *identity);
            return join(settings, runtime, logger);
    }
    return {};
}

Result<api::ClusterOptions> cluster_options(const Settings& settings, const Logger& logger) {
    api::ClusterOptions options;
    options.peer_listen = settings.peer_listen;
    TIDAL_ASSIGN(options.peer_advertise,
                 advertised(settings.peer_listen, settings.peer_advertise, "peer-advertise"));
    TIDAL_ASSIGN(options.http_address,
                 advertised(settings.listen, settings.http_advertise, "http-advertise"));
    // Port 0 is known only once it listens: such a node is reached by nobody's redirects.
    if (port_of(options.http_address) == "0") options.http_address.clear();
    if (port_of(options.peer_advertise) == "0") options.peer_advertise.clear();
    options.timing.heartbeat_ms = settings.heartbeat_ms;
    options.timing.election_ms_min = settings.election_ms_min;
    options.timing.election_ms_max = settings.election_ms_max;
    options.logger = logger;
    return options;
}

}  // namespace tidal::server
