// http/door.h: every HTTP route, over the typed operations of api. docs/reference/http.md.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/backups.h"
#include "api/database.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/bulk.h"
#include "http/http_server.h"
#include "http/import_spool.h"
#include "http/json_read.h"
#include "http/router.h"
#include "runtime/runtime.h"

namespace tidal::http {

class ExperimentCounts;
class ImportJobs;

struct DoorOptions {
    std::string version;
    std::string region_name = "local";  ///< The one `region=` that this server has.
    std::shared_ptr<runtime::DataClock>
        data_clock;                         ///< Null = the database keeps the world's time.
    SpoolLimits imports;                    ///< Files of imports kept aside.
    std::shared_ptr<api::Backups> backups;  ///< Null = there is no directory for them.
    bool require_keys = false;  ///< Every request names an API key, also before there is one.
};

/// Bodies of type application/x-ndjson are streamed and answered line by line where a route takes
/// many writes; all others are read whole. Threads: any. Lifetime: the database and the runtime
/// outlive it; stop the server, then call stop().
class Door final : public RequestHandler {
public:
    Door(api::Database& database, runtime::Runtime& runtime, Metrics& metrics, const Logger& logger,
         DoorOptions options);
    ~Door() override;

    /// /healthz and /health/ready answer 503 from now on; requests are still served.
    void begin_shutdown() { shutting_down_ = true; }
    /// Ends what runs on the door's own threads (exports, imports).
    void stop();

    Admission admit(Request& request) override;
    void handle(Request&& request, Responder&& responder) override;
    /// Neighbours that are one write each and ask for nothing special are one call of api.
    void handle_together(std::vector<Call> calls) override;
    std::shared_ptr<BodySink> stream(Request request, Responder responder) override;

    /// "POST /items" and so on, sorted; the test holds them against /openapi.json.
    std::vector<std::string> route_names() const;

private:
    void add_entity_routes(EntityKind kind, const std::string& path);
    void add_signal_routes();
    void add_relationship_routes();
    void add_feed_routes();
    void add_suggest_routes();
    void add_saved_search_routes();
    void add_session_routes();
    void add_session_signal_routes();
    void add_policy_routes();
    void add_catalog_routes();
    void add_collection_routes();
    void add_operations_routes();
    void add_bulk_routes();
    void add_export_routes();
    void add_import_routes();
    void add_backup_routes();
    void add_cluster_routes();
    void add_key_routes();
    void add_drain_routes();
    Admission route(Request& request);
    /// Who sends a request, and whether they may. Runs before the request is looked at further.
    Result<void> authenticate(Request& request) const;
    Result<void> authorize(const Request& request) const;
    void answer_shards(const Request& request, Responder responder);
    /// Runs `act` where this is a member of a cluster.
    using ClusterAct = std::function<void(api::Cluster&, const Request&, Responder)>;
    void add_cluster_act(Method method, const std::string& pattern, ClusterAct act);
    /// Runs `answer` on the door's thread for files.
    void answer_backup(Request request, Responder responder,
                       std::function<Result<Response>(api::Backups&, const Request&)> answer);
    std::shared_ptr<BodySink> begin_import(const Request& request, Responder responder);

    /// Runs `answer` once what is read here is as new as the request asks for, and what its token
    /// names is there.
    using LaterAnswer = absl::AnyInvocable<void(const Request&, Responder)>;
    void once_fresh(Request&& request, Responder&& responder, const api::FenceScope& scope,
                    LaterAnswer answer);
    /// Likewise for what is answered at once.
    void when_fresh(Request&& request, Responder&& responder, const api::FenceScope& scope,
                    absl::AnyInvocable<Response(const Request&)> answer);
    /// GET of the entity that the path names, or its redirection.
    void read_entity(
        EntityKind kind, Request request, Responder responder,
        absl::AnyInvocable<Response(const Request&, const api::EntityRequest&)> answer);
    /// Answers with 307, or with why not, where `redirect` is on and the entity's leader is
    /// elsewhere; nullopt: go on here.
    std::optional<Response> redirected(const Request& request, const api::EntityRequest& entity);
    std::optional<Response> redirected(const Request& request, const api::Write& write);
    /// Routes of catalogues, which only read.
    WholeHandler reading(std::function<Response(const Request&)> answer);
    /// Reads the one write of a request that has no parameters but `w` and `wtimeout_ms`.
    using ReadWrite = std::function<Result<api::Write>(JsonReader&, const Request&)>;
    struct WriteRoute {
        ReadWrite read;
        WholeHandler array;  ///< Answers a body that is an array; may be null.
    };
    void add_write(Method method, const std::string& pattern, ReadWrite read,
                   WholeHandler array = nullptr);
    /// What write_context() says. kInvalidArgument of field `w` for a level that cannot be had
    /// here.
    Result<api::CallContext> context_of(const Request& request);
    Result<api::Write> read_write(const WriteRoute& route, const Request& request);
    void write_one(const WriteRoute& route, Request request, Responder responder);
    void write_all(std::vector<api::Write> writes, std::vector<Responder> responders);
    StreamHandler bulk_handler(ParseLine parse);
    /// Line by line, like a stream.
    using ReadWrites =
        std::function<Result<std::vector<Result<api::Write>>>(JsonReader&, const Request&)>;
    void answer_array(const Request& request, const ReadWrites& read, Responder responder);
    /// Where lines need what the path says.
    using ParseFor = std::function<ParseLine(const Request&)>;
    StreamHandler bulk_handler_for(ParseFor parse_for);
    Result<void> check_region(const api::FeedCall& call) const;
    void answer_related(const Request& request, Responder responder);
    void answer_saved_search(const Request& request, Responder responder);
    void answer_suggest(const Request& request, Responder responder);
    void answer_search(const Request& request, Responder responder);
    void answer_feed(Result<api::FeedCall>&& call, const Request& request, Responder responder);
    void answer_query(const Request& request, Responder responder);
    void answer_results(const api::ExperimentRequest& call, const Request& request,
                        Responder responder);
    void answer_comparison(const Request& request, Responder responder);
    void add_catalog_writes(const std::string& path, record::CatalogKind kind);
    void add_retirement(const std::string& path, record::CatalogKind kind);
    /// PUT and DELETE of texts whose name the path has.
    void add_named_writes(const std::string& path, record::CatalogKind kind);
    void add_model_routes();
    void add_synonym_routes();
    std::string metrics_text();
    std::string health();
    /// "ok", or why this node shall get no requests.
    std::string_view own_state();

    api::Database& database_;
    runtime::Runtime& runtime_;
    Metrics& metrics_;
    std::mutex cluster_gauges_;  ///< Of nodes that left they are removed.
    const Logger logger_;
    const DoorOptions options_;
    std::atomic<bool> shutting_down_{false};
    Router whole_;
    Router ndjson_;
    Router archives_;                                  ///< Bodies of type application/x-tar.
    std::map<const Route*, WriteRoute> write_routes_;  ///< Those of whole_ that are one write.
    JsonReaders readers_;
    std::unique_ptr<runtime::Executor> exports_;
    const std::unique_ptr<ExperimentCounts> counts_;  ///< Runs on exports_.
    const std::shared_ptr<ImportJobs> imports_;
};

}  // namespace tidal::http
