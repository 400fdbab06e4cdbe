// Signals and undos of them.
#include "http/internal/json_in.h"
#include "http/internal/plain_signal.h"

namespace tidal::http {
namespace json_in {
namespace {

constexpr std::array<std::string_view, 11> kSignalKeys = {
    "entity_id",  "signal",  "weight",          "at",   "user_id", "creator_id",
    "session_id", "context", "idempotency_key", "undo", "sequence"};

/// Kept as text: an object as its shortest one.
Result<std::string> context(const element& json) {
    if (json.is_object()) return std::string(simdjson::minify(json));
    std::string_view text;
    if (json.get(text) == simdjson::SUCCESS) return std::string(text);
    return wrong_type("context", "a string or an object");
}

}  // namespace

Result<void> read_signal(const element& json, api::Write* out) {
    auto& write = out->emplace<api::SignalWrite>();
    std::string undo;
    bool has_id = false;
    std::string_view beside_undo;
    TIDAL_TRY(
        members(json, kSignalKeys, [&](std::string_view key, const element& value) -> Result<void> {
            if (key == "entity_id") {
                TIDAL_ASSIGN(write.id, id(value, key));
                has_id = true;
                return {};
            }
            if (key == "undo") {
                TIDAL_ASSIGN(undo, text(value, key));
                if (undo.empty()) return missing("undo");
                return {};
            }
            if (key == "signal") {
                TIDAL_ASSIGN(write.signal, text(value, key));
                return {};
            }
            if (key == "session_id") {
                TIDAL_ASSIGN(write.session_id, session_id(value));
                return {};
            }
            beside_undo = key;
            if (key == "weight") {
                TIDAL_ASSIGN(write.weight, number(value, key));
            } else if (key == "at") {
                TIDAL_ASSIGN(write.at_ms, time(value, key));
            } else if (key == "user_id") {
                TIDAL_ASSIGN(write.user_id, id(value, key));
            } else if (key == "creator_id") {
                TIDAL_ASSIGN(write.creator_id, id(value, key));
            } else if (key == "sequence") {
                TIDAL_ASSIGN(write.sequence, sequence(value));
            } else if (key == "context") {
                TIDAL_ASSIGN(write.context, context(value));
            } else {
                TIDAL_ASSIGN(write.idempotency_key, text(value, key));
            }
            return {};
        }));
    if (!has_id) return missing("entity_id");
    if (!undo.empty()) {
        if (!beside_undo.empty())
            return Error(ErrorCode::kInvalidArgument,
                         "an undo takes `undo`, `entity_id`, `signal` and `session_id` only")
                .with_field(beside_undo);
        out->emplace<api::SignalUndo>(
            api::SignalUndo{write.id, undo, write.signal, write.session_id});
        return {};
    }
    if (write.signal.empty()) return missing("signal");
    return {};
}

}  // namespace json_in

Result<void> JsonReader::signal(std::string_view json, api::Write* out) {
    if (read_plain_signal(json, out)) return {};
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_signal(root, out);
}

Result<api::Write> JsonReader::signal(std::string_view json) {
    api::Write out;
    TIDAL_TRY(signal(json, &out));
    return out;
}

Result<std::vector<Result<api::Write>>> JsonReader::signals(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    std::vector<Result<api::Write>> out;
    const auto add = [&](const simdjson::dom::element& one) {
        api::Write write;
        auto read = json_in::read_signal(one, &write);
        if (read.ok())
            out.emplace_back(std::move(write));
        else
            out.emplace_back(read.take_error());
    };
    simdjson::dom::array array;
    if (root.get(array) == simdjson::SUCCESS) {
        for (const auto each : array) add(each);
    } else {
        add(root);
    }
    return out;
}

}  // namespace tidal::http
