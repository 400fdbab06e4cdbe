// Health, metrics, version, the OpenAPI description.
#include "http/call.h"
#include "http/cluster_metrics.h"
#include "http/door.h"
#include "http/json_write.h"
#include "http/openapi.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

/// Routes without parameters that answer from what the door has.
WholeHandler plain(std::function<Response()> answer) {
    return [answer = std::move(answer)](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        responder.send(answer());
    };
}

Response state_response(std::string_view state) {
    return Response::json("{\"status\":\"" + std::string(state) + "\"}",
                          state == "ok" ? std::uint16_t{200} : std::uint16_t{503});
}

void set_shard_gauges(Metrics& metrics, const shard::Shard::Stats& shard) {
    const std::string id = std::to_string(shard.shard.value());
    const auto set = [&](std::string_view name, std::string_view help, double value) {
        metrics.gauge(name, help, {{"shard", id}}).set(value);
    };
    const auto count = [](auto number) { return static_cast<double>(number); };
    set("tidal_shard_applied_index", "Newest record applied.", count(shard.applied.value()));
    set("tidal_shard_checkpoint_index", "Newest record in a durable checkpoint.",
        count(shard.checkpointed.value()));
    set("tidal_shard_items", "Items.", count(shard.items));
    set("tidal_shard_ledger_pairs", "Ledger pairs in memory.", count(shard.ledger_pairs));
    set("tidal_shard_ledger_cold_pairs", "Ledger pairs on disk.", count(shard.ledger_pairs_cold));
    set("tidal_shard_ledger_bytes", "Memory of the ledgers.", count(shard.ledger_bytes));
    set("tidal_shard_unique_bytes", "Memory of the unique users.", count(shard.unique_bytes));
    set("tidal_shard_uniques_refused", "Unique users not counted for want of memory, ever.",
        count(shard.uniques_refused));
    set("tidal_shard_user_states", "States of users and items: seen, liked, hidden and so on.",
        count(shard.user_state_rows));
    set("tidal_shard_user_state_users", "Users of whom there are states.",
        count(shard.user_state_users));
    set("tidal_shard_user_state_bytes", "Memory of the user states, estimated.",
        count(shard.user_state_bytes));
    set("tidal_shard_user_states_refused",
        "User states not kept for want of memory since the start.",
        count(shard.user_states_refused));
    set("tidal_shard_taste_users", "Users whose likes and dislikes are kept.",
        count(shard.taste_users));
    set("tidal_shard_taste_bytes", "Memory of what users liked and disliked.",
        count(shard.taste_bytes));
    set("tidal_shard_tastes_refused",
        "Signals of users not kept for want of memory since the start.",
        count(shard.tastes_refused));
    set("tidal_shard_tastes_forgotten",
        "Users forgotten for want of memory since the start, the longest silent first.",
        count(shard.tastes_forgotten));
    set("tidal_shard_co_engagement_pairs", "Neighbours of items: what was liked together.",
        count(shard.co_engagement_pairs));
    set("tidal_shard_co_engagement_bytes", "Memory of them, estimated.",
        count(shard.co_engagement_bytes));
    set("tidal_shard_co_engagement_refused",
        "Neighbours not kept for want of memory since the start.",
        count(shard.co_engagement_refused));
    set("tidal_shard_sessions", "Sessions of its users: open ones, and ended ones for a day.",
        count(shard.sessions));
    set("tidal_shard_sessions_open",
        "Of those, the ones that nobody has closed, nor the sweep of overdue ones.",
        count(shard.sessions_open));
    set("tidal_shard_cohort_cells",
        "Hours of cohorts, items and signals in which there were events.",
        count(shard.cohort_cells));
    set("tidal_shard_cohort_bytes", "Memory of them, estimated.", count(shard.cohort_bytes));
    set("tidal_shard_cohorts_refused",
        "Events of cohorts not kept for want of memory since the start.",
        count(shard.cohort_refused));
    set("tidal_shard_cohort_user_bytes", "Memory of distinct users of cohorts.",
        count(shard.cohort_user_bytes));
    set("tidal_shard_cohort_users_refused",
        "Distinct users of cohorts not counted for want of memory, ever.",
        count(shard.cohort_users_refused));
    set("tidal_shard_collection_members", "Items in collections, each once for each of them.",
        count(shard.collection_members));
    set("tidal_shard_collection_bytes", "Memory of them, estimated.",
        count(shard.collection_bytes));
    set("tidal_shard_log_pinned_bytes", "Bytes of the log that wait for the shard's checkpoint.",
        count(shard.log_bytes_pinned));
    set("tidal_shard_vectors", "Vectors of entities.", count(shard.vectors));
    set("tidal_shard_vector_bytes", "Memory of the vectors of entities, without mapped files.",
        count(shard.vector_bytes));
    set("tidal_shard_vector_mapped_bytes",
        "Vectors that are read in mapped files of graphs: pages that the kernel may drop and read "
        "again.",
        count(shard.vector_mapped_bytes));
    set("tidal_shard_graphs", "Graphs over vectors.", count(shard.graphs));
    set("tidal_shard_graphs_filed", "Graphs over vectors that a start finds in files.",
        count(shard.graphs_filed));
    set("tidal_shard_graph_vectors", "Vectors that a graph has as they are.",
        count(shard.graph_vectors));
    set("tidal_shard_graph_bytes", "Memory of graphs over vectors, without mapped files.",
        count(shard.graph_bytes));
    set("tidal_shard_graph_mapped_bytes",
        "Files of graphs over vectors that are mapped: pages that the kernel may drop and read "
        "again.",
        count(shard.graph_mapped_bytes));
    set("tidal_shard_graph_builds", "Graphs made since the start.", count(shard.graph_builds));
    set("tidal_shard_row_cache_bytes", "Memory of the entity rows kept for the next read.",
        count(shard.row_cache_bytes));
    set("tidal_shard_views", "Top views ready.", count(shard.views));
    set("tidal_shard_view_pages", "Pages read from top views since the start.",
        count(shard.view_pages));
    for (std::size_t why = 0; why < query::kViewMissCount; ++why)
        metrics
            .gauge(
                "tidal_shard_view_misses",
                "Pages scanned although their profile ranks all items, by reason.",
                {{"reason", std::string(query::view_miss_name(static_cast<query::ViewMiss>(why)))},
                 {"shard", id}})
            .set(count(shard.view_misses[why]));
    set("tidal_shard_view_risers",
        "Items in top views that time may move up, as they have negative weights that age.",
        count(shard.view_risers));
    set("tidal_shard_view_builds", "Top views made since the start, refills among them.",
        count(shard.view_builds));
    set("tidal_shard_outbox_rows", "Effects waiting for other shards.", count(shard.outbox_rows));
    set("tidal_shard_idempotency_keys", "Idempotency keys kept.", count(shard.idempotency_keys));
    set("tidal_shard_proposed_bytes", "Writes not yet committed.", count(shard.proposed_bytes));
    set("tidal_shard_checkpoints", "Checkpoints since the start.", count(shard.checkpoints));
}

}  // namespace

std::string_view Door::own_state() {
    if (shutting_down_) return "shutting_down";
    if (database_.cluster() == nullptr) return "ok";
    if (!database_.ready()) return "catching_up";
    return database_.cluster_status().draining ? "draining" : "ok";
}

std::string Door::health() {
    return health_json(database_.stats(), database_.cluster_status(), options_.version,
                       own_state());
}

namespace {

void set_query_gauges(Metrics& metrics, const api::Database::Stats& stats) {
    const auto set = [&](std::string_view name, std::string_view help, double value) {
        metrics.gauge(name, help).set(value);
    };
    const auto count = [](std::uint64_t number) { return static_cast<double>(number); };
    const api::QueryGate::Stats& queries = stats.queries;
    set("tidal_query_degradation_level", "What queries get under load: 0 full to 3 refused.",
        count(queries.level));
    set("tidal_query_running", "Queries of more than one step under way.", count(queries.running));
    set("tidal_query_running_max", "So many of more than one step may be under way.",
        count(queries.running_max));
    set("tidal_query_waiting", "Queries that wait to go on.", count(queries.waiting));
    set("tidal_query_waited_seconds", "Time queries have waited since the start.",
        count(queries.waited_ns) / 1e9);
    set("tidal_query_refused", "Queries refused under load since the start.",
        count(queries.refused));
    set("tidal_query_steps", "Steps of queries since the start.", count(stats.query_steps));
    for (std::size_t level = 0; level < queries.admitted.size(); ++level)
        metrics
            .gauge("tidal_query_admitted", "Queries admitted since the start.",
                   {{"level", std::to_string(level)}})
            .set(count(queries.admitted[level]));
}

}  // namespace

std::string Door::metrics_text() {
    const api::Database::Stats stats = database_.stats();
    for (const auto& shard : stats.shards) set_shard_gauges(metrics_, shard);
    set_query_gauges(metrics_, stats);
    const auto set = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        metrics_.gauge(name, help).set(static_cast<double>(value));
    };
    set("tidal_log_appended_bytes", "Bytes appended to the log since the start.",
        stats.log.bytes_appended);
    set("tidal_log_batches", "Batches appended to the log since the start.", stats.log.batches);
    set("tidal_log_syncs", "Syncs of the log since the start.", stats.log.syncs);
    set("tidal_log_files", "Files of the log.", stats.log.files);
    set("tidal_log_queue_bytes", "Bytes waiting for the log.", stats.log.queue_bytes);
    set("tidal_archive_segments", "Archive segments.", stats.log.archive_segments);
    set("tidal_archive_bytes", "Bytes of the archive.", stats.log.archive_bytes);
    if (stats.held_bytes)
        set("tidal_memory_held_bytes",
            "Memory of the process, swapped out or not, without mapped files.", *stats.held_bytes);
    set("tidal_memory_budget_bytes",
        "Above it writes that need more memory are refused; 0 = never.", stats.memory.bytes_max);
    set("tidal_memory_refused", "Writes refused for want of memory of the process since the start.",
        stats.memory.refused);
    if (database_.cluster() != nullptr) {
        const std::lock_guard lock(cluster_gauges_);
        set_cluster_gauges(metrics_, database_.cluster_status());
    }
    return metrics_.text();
}

void Door::add_operations_routes() {
    whole_.add(Method::kGet, "/health", plain([this] { return Response::json(health()); }));
    whole_.add(Method::kGet, "/health/live",
               plain([] { return Response::json("{\"status\":\"ok\"}"); }));
    // A load balancer shall look elsewhere while nobody leads a shard here; who asks whether this
    // node has come up shall not.
    whole_.add(Method::kGet, "/health/ready",
               plain([this] { return state_response(own_state()); }));
    whole_.add(Method::kGet, "/healthz", plain([this] {
                   const std::string_view state = own_state();
                   if (state != "ok" || database_.cluster() == nullptr)
                       return state_response(state);
                   return state_response(database_.cluster_status().healthy ? "ok" : "no_leader");
               }));
    whole_.add(Method::kGet, "/metrics", plain([this] {
                   Response response;
                   response.content_type = "text/plain; version=0.0.4";
                   response.body = metrics_text();
                   return response;
               }));
    whole_.add(Method::kGet, "/version", plain([this] {
                   const api::FormatVersions formats = database_.stats().identity.formats;
                   return Response::json(
                       "{\"version\":\"" + options_.version +
                       "\",\"formats\":{\"directory\":" + std::to_string(formats.directory) +
                       ",\"log\":" + std::to_string(formats.log) +
                       ",\"pages\":" + std::to_string(formats.pages) +
                       ",\"rows\":" + std::to_string(formats.rows) + "}}");
               }));
    whole_.add(Method::kGet, "/openapi.json",
               plain([] { return Response::json(std::string(openapi_json())); }));
}

}  // namespace tidal::http
