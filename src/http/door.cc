#include "http/door.h"

#include <algorithm>

#include "http/call.h"
#include "http/experiment_counts.h"
#include "http/import_job.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

bool is_array(std::string_view body) {
    const std::size_t first = body.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && body[first] == '[';
}

/// One write under the conditions that every write has.
bool is_plain_request(const Request& request) {
    return request.query.all().empty() && !request.headers.find("Idempotency-Key") &&
           !is_array(request.body);
}

void answer_write(const Result<api::WriteReply>& reply, Responder responder) {
    if (!reply.ok()) return responder.fail(reply.error());
    Response response = Response::json(write_json(*reply));
    response.headers.push_back({"ETag", etag(reply->version)});
    response.headers.push_back({"Tidal-Token", reply->token});
    responder.send(std::move(response));
}

Admission refused(const Error& why) {
    Admission admission;
    admission.refusal = problem_response(why);
    if (admission.refusal->status == 401)
        admission.refusal->headers.push_back({"WWW-Authenticate", "Bearer"});
    return admission;
}

}  // namespace

Door::Door(api::Database& database, runtime::Runtime& runtime, Metrics& metrics,
           const Logger& logger, DoorOptions options)
    : database_(database),
      runtime_(runtime),
      metrics_(metrics),
      logger_(logger.named("http")),
      options_(std::move(options)),
      exports_(runtime.executors().create_executor("export")),
      counts_(std::make_unique<ExperimentCounts>(database, *exports_)),
      imports_(std::make_shared<ImportJobs>(runtime, options_.imports)) {
    add_entity_routes(EntityKind::kItem, "/items");
    add_entity_routes(EntityKind::kUser, "/users");
    add_entity_routes(EntityKind::kCreator, "/creators");
    add_signal_routes();
    add_relationship_routes();
    add_feed_routes();
    add_suggest_routes();
    add_saved_search_routes();
    add_session_routes();
    add_catalog_routes();
    add_collection_routes();
    add_operations_routes();
    add_bulk_routes();
    add_export_routes();
    add_import_routes();
    add_backup_routes();
    add_cluster_routes();
    add_key_routes();
    add_drain_routes();
}

Door::~Door() = default;

void Door::stop() {
    exports_->stop();
    imports_->stop();
    if (options_.backups) options_.backups->stop();
}

Admission Door::route(Request& request) {
    const std::string type = request.content_type();
    Router* const streamed = type == "application/x-ndjson" ? &ndjson_
                             : type == "application/x-tar"  ? &archives_
                                                            : nullptr;
    if (streamed != nullptr) {
        Admission admission = streamed->admit(request);
        if (!admission.refusal) return admission;
    }
    return whole_.admit(request);
}

Admission Door::admit(Request& request) {
    if (auto known = authenticate(request); !known.ok()) return refused(known.error());
    Admission admission = route(request);
    if (admission.refusal) return admission;
    if (auto allowed = authorize(request); !allowed.ok()) return refused(allowed.error());
    return admission;
}

void Door::handle(Request&& request, Responder&& responder) {
    whole_.handle(std::move(request), std::move(responder));
}

std::shared_ptr<BodySink> Door::stream(Request request, Responder responder) {
    if (request.content_type() == "application/x-tar")
        return archives_.stream(std::move(request), std::move(responder));
    return ndjson_.stream(std::move(request), std::move(responder));
}

std::vector<std::string> Door::route_names() const {
    std::vector<std::string> names;
    for (const Router* router : {&whole_, &ndjson_, &archives_})
        for (const Route* route : router->routes())
            names.push_back(std::string(method_name(route->method)) + " " + route->pattern);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

void Door::add_write(Method method, const std::string& pattern, ReadWrite read,
                     WholeHandler array) {
    auto route = std::make_shared<const WriteRoute>(WriteRoute{std::move(read), std::move(array)});
    const Route* added = whole_.add_overlapping(
        method, pattern, [this, route](Request request, Responder responder) {
            if (route->array && is_array(request.body))
                return route->array(std::move(request), std::move(responder));
            write_one(*route, std::move(request), std::move(responder));
        });
    write_routes_.emplace(added, *route);
}

Result<api::CallContext> Door::context_of(const Request& request) {
    TIDAL_ASSIGN(api::CallContext context, write_context(request));
    if (!context.write_concern) return context;
    using shard::WriteConcern;
    const WriteConcern& concern = *context.write_concern;
    const bool member = database_.cluster() != nullptr;
    const auto refused = [](const std::string& why, const std::string& hint) {
        return Error(ErrorCode::kInvalidArgument, why)
            .with_reason("write_concern")
            .with_field("w")
            .with_hint(hint);
    };
    if (member && concern.level == WriteConcern::kMemory)
        return refused("in a cluster nothing is answered from memory", "local at the least");
    const bool before_apply = concern.level == WriteConcern::kMemory
                                  ? database_.durable()
                                  : member && concern.level == WriteConcern::kLocal;
    if (before_apply && request.query.find("wait") != nullptr)
        return Error(ErrorCode::kInvalidArgument,
                     "with this w a write is answered before it is applied, and so before it is "
                     "found")
            .with_field("wait")
            .with_hint(member ? "w=majority" : "w=local");
    if (concern.level != WriteConcern::kReplicas) return context;
    std::size_t replicas = 1;
    if (member)
        for (const api::ShardStatus& shard : database_.cluster_status().shards)
            replicas = std::max(replicas, shard.voters.size());
    if (concern.replicas > replicas)
        return refused(
            "there are not so many replicas",
            "memory, local, majority, all, or a number up to " + std::to_string(replicas));
    return context;
}

Result<api::Write> Door::read_write(const WriteRoute& route, const Request& request) {
    TIDAL_TRY(check_parameters(request, kWriteParameters));
    return readers_.with(request.body.size(),
                         [&](JsonReader& reader) { return route.read(reader, request); });
}

void Door::write_one(const WriteRoute& route, Request request, Responder responder) {
    auto write = read_write(route, request);
    if (!write.ok()) return responder.fail(write.error());
    auto context = context_of(request);
    if (!context.ok()) return responder.fail(context.error());
    if (auto elsewhere = redirected(request, *write)) return responder.send(std::move(*elsewhere));
    std::vector<api::Write> writes;
    writes.push_back(std::move(*write));
    database_.write(std::move(writes), *context,
                    [responder = std::move(responder)](api::WriteReplies replies) mutable {
                        answer_write(replies.front(), std::move(responder));
                    });
}

void Door::write_all(std::vector<api::Write> writes, std::vector<Responder> responders) {
    if (writes.empty()) return;
    database_.write(std::move(writes), api::CallContext(),
                    [responders = std::move(responders)](api::WriteReplies replies) mutable {
                        for (std::size_t i = 0; i < replies.size(); ++i)
                            answer_write(replies[i], std::move(responders[i]));
                    });
}

void Door::handle_together(std::vector<Call> calls) {
    std::vector<api::Write> writes;
    std::vector<Responder> responders;
    for (Call& call : calls) {
        const auto route = write_routes_.find(call.request.route);
        if (route == write_routes_.end() || !is_plain_request(call.request)) {
            write_all(std::exchange(writes, {}), std::exchange(responders, {}));
            handle(std::move(call.request), std::move(call.responder));
            continue;
        }
        auto write = read_write(route->second, call.request);
        if (!write.ok()) {
            call.responder.fail(write.error());
            continue;
        }
        writes.push_back(std::move(*write));
        responders.push_back(std::move(call.responder));
    }
    write_all(std::move(writes), std::move(responders));
}

}  // namespace tidal::http
