// What can be asked for: schema, profiles, experiments, cohorts, models, synonyms, and how texts
// with names are put.
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

Error unreadable_model(const std::string& name) {
    return Error(ErrorCode::kUnsupported, "this version cannot read model `" + name + "`")
        .with_field("name")
        .with_hint("put it again, as text of LightGBM 3 or 4");
}

/// A text whose name the path has.
Result<CatalogText> named_text(Request& request) {
    TIDAL_TRY(check_parameters(request, {}));
    if (request.content_type() == "application/octet-stream")
        return CatalogText{.text = std::move(request.body)};
    TIDAL_TRY(check_json(request));
    return JsonReader().catalog_text(request.body);
}

api::Database::CatalogDone answer_catalog(Responder responder) {
    return [responder = std::move(responder)](Result<api::CatalogReply> reply) mutable {
        if (!reply.ok()) return responder.fail(reply.error());
        responder.send(Response::json(catalog_json(*reply)));
    };
}

}  // namespace

WholeHandler Door::reading(std::function<Response(const Request&)> answer) {
    return [this, answer = std::move(answer)](Request request, Responder responder) {
        if (auto known = check_parameters(request, kReadParameters); !known.ok())
            return responder.fail(known.error());
        when_fresh(std::move(request), std::move(responder), {}, answer);
    };
}

void Door::add_catalog_writes(const std::string& path, record::CatalogKind kind) {
    whole_.add(Method::kPost, path, [this, kind](Request request, Responder responder) {
        auto body = [&]() -> Result<CatalogText> {
            TIDAL_TRY(check_parameters(request, {}));
            TIDAL_TRY(check_json(request));
            return JsonReader().catalog_text(request.body);
        }();
        if (!body.ok()) return responder.fail(body.error());
        auto answer = answer_catalog(std::move(responder));
        if (kind == record::CatalogKind::kCohort)
            database_.put_cohort(std::move(body->text), body->dry_run, std::move(answer));
        else if (kind == record::CatalogKind::kProfile)
            database_.put_profile(std::move(body->text), body->dry_run, std::move(answer));
        else
            database_.put_experiment(std::move(body->text), body->dry_run, std::move(answer));
    });
    add_retirement(path, kind);
}

void Door::add_retirement(const std::string& path, record::CatalogKind kind) {
    whole_.add(
        Method::kDelete, path + "/{name}", [this, kind](Request request, Responder responder) {
            if (auto known = check_parameters(request, {}); !known.ok())
                return responder.fail(known.error());
            database_.retire(kind, request.parameters.text("name"),
                             [responder = std::move(responder)](Result<void> retired) mutable {
                                 if (!retired.ok()) return responder.fail(retired.error());
                                 responder.send(Response::json("{\"status\":\"ok\"}"));
                             });
        });
}

/// The text itself, or as JSON.
void Door::add_model_routes() {
    whole_.add(Method::kGet, "/models", reading([this](const Request&) {
                   return Response::json(models_json(*database_.models()));
               }));
    whole_.add(Method::kGet, "/models/{name}", reading([this](const Request& request) {
                   const std::string& name = request.parameters.text("name");
                   auto text = database_.model_text(name);
                   if (!text.ok()) return problem_response(text.error());
                   for (const auto models = database_.models();
                        const api::StoredModel& each : *models)
                       if (each.name == name) return Response::json(model_json(each, *text));
                   return problem_response(unreadable_model(name));
               }));
    add_named_writes("/models", record::CatalogKind::kModel);
}

void Door::add_named_writes(const std::string& path, record::CatalogKind kind) {
    whole_.add(Method::kPut, path + "/{name}", [this, kind](Request request, Responder responder) {
        auto body = named_text(request);
        if (!body.ok()) return responder.fail(body.error());
        const std::string& name = request.parameters.text("name");
        auto answer = answer_catalog(std::move(responder));
        if (kind == record::CatalogKind::kModel)
            database_.put_model(name, std::move(body->text), body->dry_run, std::move(answer));
        else if (kind == record::CatalogKind::kSynonyms)
            database_.put_synonyms(name, std::move(body->text), body->dry_run, std::move(answer));
        else
            database_.put_policy(name, std::move(body->text), body->dry_run, std::move(answer));
    });
    add_retirement(path, kind);
}

/// The text itself, or as JSON.
void Door::add_synonym_routes() {
    whole_.add(Method::kGet, "/synonyms", reading([this](const Request&) {
                   return Response::json(synonyms_json(database_.synonyms()));
               }));
    whole_.add(
        Method::kGet, "/synonyms/{name}", reading([this](const Request& request) {
            const std::string& name = request.parameters.text("name");
            for (const api::StoredSynonyms& each : database_.synonyms())
                if (each.name == name) return Response::json(synonyms_json(each));
            return problem_response(
                Error(ErrorCode::kNotFound, "no synonyms `" + name + "`").with_field("name"));
        }));
    add_named_writes("/synonyms", record::CatalogKind::kSynonyms);
}

void Door::add_catalog_routes() {
    whole_.add(Method::kGet, "/schema", reading([this](const Request&) {
                   return Response::json(schema_json(*database_.schema()));
               }));
    whole_.add(Method::kPut, "/schema", [this](Request request, Responder responder) {
        auto yaml = [&]() -> Result<std::string> {
            TIDAL_TRY(check_parameters(request, {}));
            if (request.content_type() == "application/yaml") return request.body;
            TIDAL_TRY(check_json(request));
            return JsonReader().schema(request.body);
        }();
        if (!yaml.ok()) return responder.fail(yaml.error());
        database_.put_schema(*yaml,
                             [this, responder = std::move(responder)](Result<void> put) mutable {
                                 if (!put.ok()) return responder.fail(put.error());
                                 responder.send(Response::json(schema_json(*database_.schema())));
                             });
    });
    whole_.add(Method::kGet, "/profiles", reading([this](const Request&) {
                   return Response::json(profiles_json(*database_.profiles(), EntityKind::kItem));
               }));
    whole_.add(Method::kGet, "/profiles/{name}", reading([this](const Request& request) {
                   auto listing = database_.profiles()->listing(request.parameters.text("name"),
                                                                EntityKind::kItem);
                   if (!listing.ok()) return problem_response(listing.error());
                   return Response::json(profile_json(*listing));
               }));
    add_catalog_writes("/profiles", record::CatalogKind::kProfile);
    whole_.add(Method::kGet, "/experiments", reading([this](const Request&) {
                   return Response::json(experiments_json(*database_.experiments()));
               }));
    add_catalog_writes("/experiments", record::CatalogKind::kExperiment);
    whole_.add(Method::kGet, "/cohorts", reading([this](const Request&) {
                   return Response::json(cohorts_json(*database_.cohorts()));
               }));
    whole_.add(Method::kGet, "/cohorts/{name}", reading([this](const Request& request) {
                   const auto cohort = database_.cohort(request.parameters.text("name"));
                   if (!cohort.ok()) return problem_response(cohort.error());
                   return Response::json(cohort_json(*cohort));
               }));
    add_catalog_writes("/cohorts", record::CatalogKind::kCohort);
    add_model_routes();
    add_synonym_routes();
}

}  // namespace tidal::http
