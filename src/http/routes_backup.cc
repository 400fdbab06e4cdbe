// Backups: made in the directory the operator chose, listed, removed.
#include <boost/json.hpp>

#include "base/time_text.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_text.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

std::string_view state_name(api::BackupReport::State state) {
    switch (state) {
        case api::BackupReport::State::kRunning:
            return "running";
        case api::BackupReport::State::kDone:
            return "done";
        case api::BackupReport::State::kFailed:
            return "failed";
    }
    return "failed";
}

json::object backup_object(const api::BackupReport& report) {
    json::object out{{"name", report.name},
                     {"state", state_name(report.state)},
                     {"bytes", report.bytes},
                     {"bytes_total", std::max(report.bytes, report.bytes_total)}};
    if (!report.error.empty()) out["error"] = report.error;
    if (report.state != api::BackupReport::State::kDone) return out;
    const api::BackupManifest& manifest = report.manifest;
    out["taken_at"] = format_time(manifest.taken_ms);
    out["files"] = manifest.files.size();
    out["cluster_id"] = manifest.cluster_id;
    out["schema_version"] = manifest.schema_version;
    out["schema_fingerprint"] = manifest.schema_fingerprint;
    out["log_position"] =
        json::object{{"file", manifest.log_file}, {"offset", manifest.log_offset}};
    return out;
}

Response backup_response(const api::BackupReport& report, int status = 200) {
    return Response::json(json_text(backup_object(report)), status);
}

std::string list_json(const std::vector<api::BackupReport>& reports) {
    json::array backups;
    for (const api::BackupReport& report : reports) backups.push_back(backup_object(report));
    return json_text(json::object{{"backups", std::move(backups)}});
}

}  // namespace

void Door::answer_backup(Request request, Responder responder,
                         std::function<Result<Response>(api::Backups&, const Request&)> answer) {
    if (auto known = check_parameters(request, {}); !known.ok())
        return responder.fail(known.error());
    if (!options_.backups)
        return responder.fail(Error(ErrorCode::kUnsupported, "this server makes no backups")
                                  .with_reason("no_backup_dir")
                                  .with_hint("start it with --backup-dir"));
    exports_->post([this, request = std::move(request), responder = std::move(responder),
                    answer = std::move(answer)]() mutable {
        auto response = answer(*options_.backups, request);
        if (!response.ok()) return responder.fail(response.error());
        responder.send(std::move(*response));
    });
}

void Door::add_backup_routes() {
    using Answer = std::function<Result<Response>(api::Backups&, const Request&)>;
    const auto add = [this](Method method, const char* pattern, Answer answer) {
        whole_.add(method, pattern, [this, answer](Request request, Responder responder) {
            answer_backup(std::move(request), std::move(responder), answer);
        });
    };
    add(Method::kPost, "/backups",
        [](api::Backups& backups, const Request& request) -> Result<Response> {
            TIDAL_TRY(check_json(request));
            TIDAL_ASSIGN(const std::string name, JsonReader().name(request.body));
            TIDAL_ASSIGN(const api::BackupReport report, backups.create(name));
            return backup_response(report, 202);
        });
    add(Method::kGet, "/backups", [](api::Backups& backups, const Request&) -> Result<Response> {
        TIDAL_ASSIGN(const auto reports, backups.list());
        return Response::json(list_json(reports));
    });
    add(Method::kGet, "/backups/{name}",
        [](api::Backups& backups, const Request& request) -> Result<Response> {
            TIDAL_ASSIGN(const api::BackupReport report,
                         backups.find(request.parameters.text("name")));
            return backup_response(report);
        });
    add(Method::kDelete, "/backups/{name}",
        [](api::Backups& backups, const Request& request) -> Result<Response> {
            TIDAL_TRY(backups.remove(request.parameters.text("name")));
            return Response::json("{\"status\":\"ok\"}");
        });
}

}  // namespace tidal::http
