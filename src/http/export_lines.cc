#include "http/export_lines.h"

#include <boost/json.hpp>

#include "base/time_text.h"
#include "http/json_text.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

/// As a client would have sent it: a text that is a JSON object becomes one, where it reads back as
/// the same text.
json::value context_value(const std::string& text) {
    if (text.front() != '{') return json::string(text);
    json::error_code failed;
    json::value parsed = json::parse(text, failed);
    if (failed || json_text(parsed) != text) return json::string(text);
    return parsed;
}

/// RFC 4180: quoted where a separator, a quote or a line break is inside.
std::string cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

std::string id_cell(const std::optional<EntityId>& id) {
    return id ? cell(id->to_string()) : std::string();
}

}  // namespace

std::string exported_json(const api::ExportedSignal& signal) {
    json::object out{{"entity_id", id_value(signal.id)}};
    if (signal.undo) {
        out["undo"] = signal.undo_key;
    } else {
        out["signal"] = signal.signal;
        out["weight"] = signal.weight;
        if (signal.user_id) out["user_id"] = id_value(*signal.user_id);
        if (signal.creator_id) out["creator_id"] = id_value(*signal.creator_id);
        if (!signal.context.empty()) out["context"] = context_value(signal.context);
    }
    out["at"] = format_time(signal.at_ms);
    if (!signal.session_id.empty()) out["session_id"] = signal.session_id;
    out["position"] = signal.position;
    return json_text(out);
}

std::string exported_csv_header() {
    return "entity_id,signal,weight,at,user_id,creator_id,session_id,context,undo,position\n";
}

std::string exported_csv(const api::ExportedSignal& signal) {
    const std::string weight = signal.undo ? "" : json_text(json::value(signal.weight));
    return cell(signal.id.to_string()) + "," + signal.signal + "," + weight + "," +
           format_time(signal.at_ms) + "," + id_cell(signal.user_id) + "," +
           id_cell(signal.creator_id) + "," + cell(signal.session_id) + "," + cell(signal.context) +
           "," + cell(signal.undo_key) + "," + signal.position;
}

namespace {

/// The members of a context that a feed writes, as an export names them.
constexpr std::pair<std::string_view, std::string_view> kOfFeeds[] = {
    {"position", "rank"},         {"profile", "profile"}, {"experiment", "experiment"},
    {"request_id", "request_id"}, {"score", "score"},     {"features", "features"}};

/// By the export's names; what is left of the context stays `context`.
json::object shown_object(const api::ShownItem& shown) {
    json::object out{{"entity_id", id_value(shown.id)}, {"at", format_time(shown.at_ms)}};
    if (shown.user_id) out["user_id"] = id_value(*shown.user_id);
    if (!shown.session_id.empty()) out["session_id"] = shown.session_id;
    json::value context =
        shown.context.empty() ? json::value(json::object()) : context_value(shown.context);
    if (auto* members = context.if_object()) {
        for (const auto& [name, shown_as] : kOfFeeds)
            if (const auto* value = members->if_contains(name)) {
                out[shown_as] = *value;
                members->erase(name);
            }
        if (!members->empty()) out["context"] = *members;
    } else {
        out["context"] = context;
    }
    json::array signals;
    for (const api::ShownSignal& one : shown.signals)
        signals.push_back(json::object{
            {"signal", one.signal}, {"weight", one.weight}, {"at", format_time(one.at_ms)}});
    out["signals"] = std::move(signals);
    out["reward"] = shown.reward;
    out["complete"] = shown.complete;
    out["position"] = shown.position;
    return out;
}

constexpr std::string_view kShownColumns[] = {"entity_id", "at",      "user_id",    "session_id",
                                              "rank",      "profile", "experiment", "request_id",
                                              "score",     "reward",  "complete",   "signals",
                                              "features",  "context", "position"};

}  // namespace

std::string shown_json(const api::ShownItem& shown) {
    return json_text(shown_object(shown));
}

std::string shown_csv(const api::ShownItem& shown) {
    const json::object values = shown_object(shown);
    std::string out;
    for (const std::string_view column : kShownColumns) {
        if (column != kShownColumns[0]) out += ',';
        const auto* value = values.if_contains(column);
        if (value == nullptr) continue;
        out += cell(value->is_string() ? std::string(value->as_string()) : json_text(*value));
    }
    return out;
}

std::string shown_csv_header() {
    std::string out;
    for (const std::string_view column : kShownColumns)
        out += (out.empty() ? "" : ",") + std::string(column);
    return out + "\n";
}

}  // namespace tidal::http
