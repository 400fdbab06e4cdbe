// Sessions and what is noted of them.
#include "http/internal/json_in.h"

namespace tidal::http {
namespace json_in {
namespace {

Result<std::map<std::string, std::string>> annotations(const element& json) {
    object all;
    if (json.get(all) != simdjson::SUCCESS) return wrong_type("annotations", "an object of texts");
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : all) {
        TIDAL_ASSIGN(std::string one, text(value, "annotations." + std::string(key)));
        if (!out.emplace(key, std::move(one)).second)
            return Error(ErrorCode::kInvalidArgument, "an annotation is given twice")
                .with_field("annotations." + std::string(key));
    }
    return out;
}

Result<api::SessionOpen> read_session(const element& root) {
    api::SessionOpen out;
    bool has_user = false;
    constexpr std::array<std::string_view, 4> keys = {"user_id", "agent", "policy", "annotations"};
    TIDAL_TRY(members(root, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "user_id") {
            TIDAL_ASSIGN(out.user_id, id(value, key));
            has_user = true;
        } else if (key == "agent") {
            TIDAL_ASSIGN(out.agent, text(value, key));
        } else if (key == "policy") {
            TIDAL_ASSIGN(out.policy, text(value, key));
        } else {
            TIDAL_ASSIGN(out.annotations, annotations(value));
        }
        return {};
    }));
    if (!has_user) return missing("user_id");
    return out;
}

Result<api::SessionAnnotate> read_annotations(const element& root) {
    api::SessionAnnotate out;
    bool has_any = false;
    constexpr std::array<std::string_view, 2> keys = {"annotations", "sequence"};
    TIDAL_TRY(members(root, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "sequence") {
            TIDAL_ASSIGN(out.sequence, sequence(value));
        } else {
            TIDAL_ASSIGN(out.annotations, annotations(value));
            has_any = true;
        }
        return {};
    }));
    if (!has_any) return missing("annotations");
    return out;
}

}  // namespace
}  // namespace json_in

Result<api::SessionOpen> JsonReader::session(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_session(root);
}

Result<api::SessionAnnotate> JsonReader::annotations(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_annotations(root);
}

}  // namespace tidal::http
