#include "http/json_write.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/time_text.h"
#include "http/cluster_json.h"
#include "http/feed_text.h"
#include "http/json_text.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

json::value optional_id(const std::optional<EntityId>& id) {
    return id ? id_value(*id) : json::value(nullptr);
}

json::value field_value(const record::Value& value) {
    struct Visitor {
        json::value operator()(const std::string& text) const { return json::string(text); }
        json::value operator()(const std::vector<std::string>& texts) const {
            json::array out;
            for (const std::string& text : texts) out.emplace_back(text);
            return out;
        }
        json::value operator()(std::int64_t number) const { return number; }
        json::value operator()(double number) const { return number; }
        json::value operator()(bool flag) const { return flag; }
        json::value operator()(const record::GeoPoint& point) const {
            return json::object{{"lat", point.latitude}, {"lon", point.longitude}};
        }
    };
    return std::visit(Visitor(), value);
}

json::object metadata_object(const api::EntityReply& entity) {
    json::object out;
    for (const auto& [name, value] : entity.metadata) {
        // A json field's text was parsed on the way in.
        const bool is_json = entity.json_fields.contains(name);
        out[name] = is_json ? json::parse(std::get<std::string>(value)) : field_value(value);
    }
    return out;
}

/// Entity fields beside `entity_id` and `metadata`.
void add_times(const api::EntityReply& entity, json::object* out) {
    (*out)["creator_id"] = optional_id(entity.creator_id);
    (*out)["created_at"] = format_time(entity.created_at_ms);
    if (entity.publish_at_ms) (*out)["publish_at"] = format_time(*entity.publish_at_ms);
    if (entity.expires_at_ms) (*out)["expires_at"] = format_time(*entity.expires_at_ms);
}

json::object reading_object(const api::SignalReadings::One& one) {
    json::object counts, sums, velocity, acceleration;
    for (std::size_t w = 0; w < schema::kWindowCount; ++w) {
        const auto window = static_cast<schema::Window>(w);
        const auto& shown = one.spec->windows;
        if (std::find(shown.begin(), shown.end(), window) == shown.end()) continue;
        const std::string name(schema::window_name(window));
        counts[name] = one.reading.windows[w].count;
        sums[name] = record::weight_to_double(one.reading.windows[w].sum);
        if (window != schema::Window::kAll) velocity[name] = one.reading.velocity(window);
        if (w == 0 || window == schema::Window::kAll ||
            !counts.contains(schema::window_name(static_cast<schema::Window>(w - 1))))
            continue;
        const auto shorter = static_cast<schema::Window>(w - 1);
        acceleration[std::string(schema::window_name(shorter)) + "/" + name] =
            one.reading.acceleration(shorter, window);
    }
    json::object out{
        {"decayed", one.reading.decayed},
        {"total", record::weight_to_double(
                      one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].sum)},
        {"counts", std::move(counts)},
        {"sums", std::move(sums)},
        {"velocity", std::move(velocity)},
        {"acceleration", std::move(acceleration)}};
    if (one.unique)
        out["unique"] = json::object{{schema::window_name(one.spec->unique->window), *one.unique}};
    return out;
}

json::object shard_object(const shard::Shard::Stats& shard) {
    json::object out{{"shard", shard.shard.value()},
                     {"applied_index", shard.applied.value()},
                     {"checkpoint_index", shard.checkpointed.value()},
                     {"items", shard.items},
                     {"ledger_pairs", shard.ledger_pairs},
                     {"ledger_pairs_cold", shard.ledger_pairs_cold},
                     {"ledger_bytes", shard.ledger_bytes},
                     {"uniques_refused", shard.uniques_refused},
                     {"log_bytes_pinned", shard.log_bytes_pinned},
                     {"outbox_rows", shard.outbox_rows},
                     {"idempotency_keys", shard.idempotency_keys}};
    if (!shard.checkpoint_error.empty()) out["checkpoint_error"] = shard.checkpoint_error;
    return out;
}

json::object facets_object(const std::vector<api::FacetReply>& facets) {
    json::object out;
    for (const api::FacetReply& facet : facets) {
        json::object shown;
        json::array list;
        for (const auto& [value, count] : facet.values)
            list.push_back(json::object{{"value", value}, {"count", count}});
        for (const auto& [from, to, count] : facet.ranges) {
            json::object range;
            if (!from.empty()) range["from"] = from;
            if (!to.empty()) range["to"] = to;
            range["count"] = count;
            list.push_back(std::move(range));
        }
        shown[facet.ranges.empty() ? "values" : "ranges"] = std::move(list);
        if (facet.ranges.empty()) shown["others"] = facet.others;
        shown["missing"] = facet.missing;
        out[facet.name] = std::move(shown);
    }
    return out;
}

json::array filter_array(const std::vector<api::FilterNodeReply>& nodes) {
    json::array out;
    for (const api::FilterNodeReply& node : nodes)
        out.push_back(json::object{{"text", node.text},
                                   {"depth", node.depth},
                                   {"estimated", std::round(node.estimated)},
                                   {"examined", node.examined},
                                   {"matched", node.matched}});
    return out;
}

}  // namespace

std::string etag(HybridTime version) {
    return "\"" + std::to_string(version.bits()) + "\"";
}

std::string entity_json(const api::EntityReply& reply) {
    json::object out{{"entity_id", id_value(reply.id)}, {"metadata", metadata_object(reply)}};
    add_times(reply, &out);
    out["version"] = std::to_string(reply.version.bits());
    return json_text(out);
}

std::string signals_json(const api::SignalReadings& readings) {
    json::object signals;
    for (const auto& one : readings.signals) signals[one.name] = reading_object(one);
    return json_text(json::object{{"entity_id", id_value(readings.id)},
                                  {"at", format_time(readings.at_ms)},
                                  {"signals", std::move(signals)}});
}

namespace {

json::object impressions_object(const api::FeedReply::Impressions& impressions) {
    json::object out{{"written", impressions.written},
                     {"repeated", impressions.repeated},
                     {"failed", impressions.failed}};
    if (!impressions.token.empty()) out["token"] = impressions.token;
    return out;
}

void add_texts(const api::SourceReply::Texts& texts, json::object* out) {
    json::array terms;
    for (const auto& each : texts.terms) {
        json::object term{
            {"field", each.field}, {"term", each.term}, {"documents", each.documents}};
        if (!each.of.empty()) term["of"] = each.of;
        if (each.edits != 0) term["edits"] = each.edits;
        terms.push_back(std::move(term));
    }
    (*out)["terms"] = std::move(terms);
    (*out)["postings"] = texts.postings;
    (*out)["looked_at"] = texts.looked_at;
    (*out)["scored"] = texts.scored;
}

json::array sources_array(const std::vector<api::SourceReply>& sources) {
    json::array out;
    for (const api::SourceReply& each : sources) {
        json::object source{{"source", each.source},
                            {"path", each.path},
                            {"why", each.why},
                            {"candidates", each.candidates}};
        if (each.texts) {
            add_texts(*each.texts, &source);
        } else {
            source["visited"] = each.visited;
            source["coded"] = each.coded;
            source["compared"] = each.compared;
        }
        out.push_back(std::move(source));
    }
    return out;
}

/// What few pages say.
json::object extras_object(const api::FeedReply& reply) {
    json::object out;
    if (!reply.left_out.empty())
        out["left_out"] = json::array(reply.left_out.begin(), reply.left_out.end());
    if (!reply.facets.empty()) out["facets"] = facets_object(reply.facets);
    if (reply.cap)
        out["cap"] = json::object{{"per_day", reply.cap->per_day},
                                  {"delivered", reply.cap->delivered},
                                  {"resets_at", format_time(reply.cap->resets_ms)}};
    if (reply.impressions) out["impressions"] = impressions_object(*reply.impressions);
    if (!reply.filter.empty()) out["filter"] = filter_array(reply.filter);
    if (!reply.sources.empty()) out["sources"] = sources_array(reply.sources);
    if (!reply.query.empty()) out["query"] = reply.query;
    if (!reply.experiment.empty()) out["experiment"] = reply.experiment;
    return out;
}

json::object profile_object(const ranking::ProfileListing& profile) {
    json::object out{{"name", profile.name},         {"version", profile.version},
                     {"about", profile.about},       {"text", profile.text},
                     {"built_in", profile.built_in}, {"available", profile.available}};
    if (!profile.available) out["reason"] = profile.reason;
    if (!profile.warnings.empty())
        out["warnings"] = json::array(profile.warnings.begin(), profile.warnings.end());
    return out;
}

}  // namespace

std::string feed_json(const api::FeedReply& reply, std::optional<std::uint64_t> staleness_ms) {
    constexpr std::size_t kPageBytes = 512, kItemBytes = 160;  // Of most.
    std::string out;
    out.reserve(kPageBytes + kItemBytes * reply.items.size());
    out += R"({"items":[)";
    const ShownFields fields(reply.fields ? &*reply.fields : nullptr);
    for (std::size_t i = 0; i < reply.items.size(); ++i) {
        if (i > 0) out += ',';
        append_feed_item(reply.items[i], &out, fields);
    }
    out += ']';
    append_feed_facts(reply, staleness_ms, &out);
    const json::object extras = extras_object(reply);
    if (extras.empty()) {
        out += '}';
    } else {
        out += ',' + json_text(extras).substr(1);
    }
    return out;
}

std::string suggest_json(const api::SuggestReply& reply,
                         std::optional<std::uint64_t> staleness_ms) {
    constexpr std::string_view kKinds[] = {"item", "creator", "query"};
    json::array suggestions;
    for (const api::Suggestion& each : reply.suggestions) {
        json::object& one = suggestions.emplace_back(json::object()).as_object();
        one["text"] = each.text;
        one["kind"] = kKinds[static_cast<std::size_t>(each.kind)];
        if (each.id) one["entity_id"] = id_value(*each.id);
        one["score"] = each.score;
    }
    json::object out{{"suggestions", std::move(suggestions)},
                     {"warnings", json::array(reply.warnings.begin(), reply.warnings.end())},
                     {"degradation", reply.degradation}};
    if (staleness_ms) out["staleness_ms"] = *staleness_ms;
    return json_text(out);
}

std::string comparison_json(const api::FeedComparison& comparison,
                            std::optional<std::uint64_t> staleness_ms) {
    json::array moves;
    for (const auto& move : comparison.moves)
        moves.push_back(json::object{{"entity_id", id_value(move.id)},
                                     {"left_rank", move.left_rank},
                                     {"right_rank", move.right_rank}});
    std::string out = "{\"left\":" + feed_json(comparison.left, staleness_ms) +
                      ",\"right\":" + feed_json(comparison.right, staleness_ms) + ",";
    out += json_text(json::object{{"common", comparison.common}, {"moves", std::move(moves)}})
               .substr(1);
    return out;
}

/// So many replicas have what is committed, so most.
std::string_view durable_name(const shard::WriteConcern& durable) {
    switch (durable.level) {
        case shard::WriteConcern::kMemory:
            return "memory";
        case shard::WriteConcern::kLocal:
            return "local";
        case shard::WriteConcern::kAll:
            return "all";
        case shard::WriteConcern::kMajority:
        case shard::WriteConcern::kReplicas:
            break;
    }
    return "majority";
}

// By hand: bulks write one of these a line.
void append_write(const api::WriteReply& reply, std::string* out) {
    *out += R"({"status":"ok","token":)";
    append_json_string(reply.token, out);
    *out += R"(,"durable":")";
    *out += durable_name(reply.durable);
    *out += '"';
    if (reply.replicas > 1) *out += ",\"replicas\":" + std::to_string(reply.replicas);
    if (reply.may_be_lost) *out += R"(,"may_be_lost":true)";
    if (reply.created) *out += R"(,"created":true)";
    if (reply.repeated) *out += R"(,"repeated":true)";
    *out += '}';
}

std::string write_json(const api::WriteReply& reply) {
    std::string out;
    append_write(reply, &out);
    return out;
}

std::string schema_json(const schema::Schema& schema) {
    return json_text(json::object{{"version", schema.version.value()},
                                  {"fingerprint", schema::fingerprint(schema)},
                                  {"schema", schema::print_schema(schema)}});
}

std::string profiles_json(const ranking::ProfileRegistry& profiles, EntityKind kind) {
    json::array out;
    for (const auto& profile : profiles.list(kind)) out.push_back(profile_object(profile));
    return json_text(json::object{{"profiles", std::move(out)}});
}

std::string profile_json(const ranking::ProfileListing& profile) {
    json::object out = profile_object(profile);
    if (!profile.normalized.empty()) out["normalized"] = profile.normalized;
    return json_text(out);
}

std::string experiments_json(const std::vector<ranking::Experiment>& experiments) {
    json::array out;
    for (const ranking::Experiment& experiment : experiments) {
        json::array arms;
        for (const ranking::ExperimentArm& arm : experiment.arms)
            arms.push_back(json::object{{"profile", arm.profile}, {"weight", arm.weight}});
        out.push_back(json::object{{"name", experiment.name},
                                   {"version", experiment.version},
                                   {"about", experiment.about},
                                   {"salt", experiment.salt},
                                   {"arms", std::move(arms)},
                                   {"text", experiment.text}});
    }
    return json_text(json::object{{"experiments", std::move(out)}});
}

namespace {

template <typename Number>
json::value optional_number(const std::optional<Number>& number) {
    return number ? json::value(*number) : json::value(nullptr);
}
json::value interval_value(const std::optional<api::Interval>& interval) {
    if (!interval) return nullptr;
    return json::array{interval->low, interval->high};
}

}  // namespace

std::string experiment_results_json(const api::ExperimentResults& results) {
    json::array arms;
    for (const api::ArmResults& arm : results.arms)
        arms.push_back(json::object{{"profile", arm.profile},
                                    {"weight", arm.weight},
                                    {"users", arm.users},
                                    {"impressions", arm.impressions},
                                    {"open", arm.open},
                                    {"positive", arm.positive},
                                    {"ctr", optional_number(arm.ctr)},
                                    {"ctr_interval", interval_value(arm.ctr_interval)},
                                    {"reward", optional_number(arm.reward)},
                                    {"reward_interval", interval_value(arm.reward_interval)}});
    return json_text(json::object{{"experiment", results.experiment},
                                  {"within_ms", results.within_ms},
                                  {"arms", std::move(arms)},
                                  {"other_impressions", results.other_impressions}});
}

json::object synonyms_object(const api::StoredSynonyms& synonyms) {
    return {{"name", synonyms.name},
            {"version", synonyms.version},
            {"put_at", format_time(synonyms.put_ms)},
            {"bytes", synonyms.text.size()}};
}

json::object cohort_object(const query::Cohort& cohort) {
    json::object out{{"name", cohort.name},
                     {"version", cohort.version},
                     {"about", cohort.about},
                     {"signals", json::array(cohort.signals.begin(), cohort.signals.end())},
                     {"events_min", cohort.events_min},
                     {"text", cohort.text}};
    if (!cohort.parent.empty()) out["parent"] = cohort.parent;
    return out;
}

std::string cohorts_json(const query::Cohorts& cohorts) {
    json::array out;
    for (const query::BoundCohort& each : cohorts.all()) out.push_back(cohort_object(each.cohort));
    return json_text(json::object{{"cohorts", std::move(out)}});
}

std::string cohort_json(const api::CohortReply& cohort) {
    json::object out = cohort_object(cohort.cohort);
    out["events_7d"] = cohort.events_7d;
    return json_text(out);
}

json::object collection_object(const api::CollectionReply& reply) {
    const query::Collection& collection = reply.collection;
    return {{"name", collection.name},
            {"version", collection.version},
            {"description", collection.description},
            {"put_at", format_time(collection.put_ms)},
            {"items", reply.items}};
}

std::string collections_json(const std::vector<api::CollectionReply>& collections) {
    json::array out;
    for (const api::CollectionReply& each : collections) out.push_back(collection_object(each));
    return json_text(json::object{{"collections", std::move(out)}});
}

std::string collection_json(const api::CollectionReply& collection) {
    return json_text(collection_object(collection));
}

std::string collection_items_json(const std::string& name, const api::CollectionItems& items) {
    json::array out;
    for (const api::CollectionItems::One& each : items.items)
        out.push_back(json::object{{"entity_id", id_value(each.id)},
                                   {"position", each.position},
                                   {"added_at", format_time(each.added_ms)}});
    return json_text(
        json::object{{"collection", name},
                     {"items", std::move(out)},
                     {"next_cursor", items.next_cursor.empty() ? json::value(nullptr)
                                                               : json::value(items.next_cursor)}});
}

json::object model_object(const api::StoredModel& stored) {
    const auto inputs = stored.model->inputs();
    return {{"name", stored.name},
            {"version", stored.version},
            {"put_at", format_time(stored.put_ms)},
            {"bytes", stored.bytes},
            {"trees", stored.model->tree_count()},
            {"inputs", json::array(inputs.begin(), inputs.end())}};
}

std::string models_json(const std::vector<api::StoredModel>& models) {
    json::array out;
    for (const api::StoredModel& each : models) out.push_back(model_object(each));
    return json_text(json::object{{"models", std::move(out)}});
}

std::string model_json(const api::StoredModel& model, std::string_view text) {
    json::object out = model_object(model);
    out["text"] = text;
    return json_text(out);
}

std::string synonyms_json(const std::vector<api::StoredSynonyms>& all) {
    json::array out;
    for (const api::StoredSynonyms& each : all) out.push_back(synonyms_object(each));
    return json_text(json::object{{"synonyms", std::move(out)}});
}

std::string synonyms_json(const api::StoredSynonyms& synonyms) {
    json::object out = synonyms_object(synonyms);
    out["text"] = synonyms.text;
    return json_text(out);
}

std::string catalog_json(const api::CatalogReply& reply) {
    json::object out{{"status", "ok"},
                     {"name", reply.name},
                     {"version", reply.version},
                     {"created", reply.created}};
    if (!reply.warnings.empty())
        out["warnings"] = json::array(reply.warnings.begin(), reply.warnings.end());
    return json_text(out);
}

std::string health_json(const api::Database::Stats& stats, const api::ClusterStatus& cluster,
                        std::string_view version, std::string_view state) {
    json::array shards;
    for (const auto& shard : stats.shards) shards.push_back(shard_object(shard));
    json::object out =
        json::object{{"status", state},
                     {"version", version},
                     {"mode", api::node_mode_name(cluster.mode)},
                     {"ephemeral", stats.ephemeral},
                     {"cluster_id", stats.identity.cluster_id},
                     {"region", stats.identity.region.value()},
                     {"items", stats.items},
                     {"users", stats.users},
                     {"creators", stats.creators},
                     {"started_at", format_time(stats.started_ms)},
                     {"now", format_time(stats.now_ms)},
                     {"shards", std::move(shards)},
                     {"log", json::object{{"bytes_appended", stats.log.bytes_appended},
                                          {"batches", stats.log.batches},
                                          {"syncs", stats.log.syncs},
                                          {"files", stats.log.files},
                                          {"archive_segments", stats.log.archive_segments},
                                          {"archive_bytes", stats.log.archive_bytes}}}};
    if (cluster.mode == api::NodeMode::kCluster) out["cluster"] = cluster_object(cluster);
    return json_text(out);
}

}  // namespace tidal::http
