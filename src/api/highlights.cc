#include "api/internal/highlights.h"

#include <algorithm>

#include "base/edit_distance.h"
#include "text/highlight.h"

namespace tidal::api {

Result<void> check_highlight(const FeedCall& call, const schema::Schema& schema) {
    if (call.highlight.empty()) return {};
    if (!call.query)
        return Error(ErrorCode::kInvalidArgument, "without a query there are no words to mark")
            .with_field("highlight")
            .with_reason("missing_query");
    for (std::size_t i = 0; i < call.highlight.size(); ++i) {
        const std::string& name = call.highlight[i];
        const schema::FieldSpec* const field = schema.find_field(call.kind, name);
        if (field != nullptr && field->type == schema::FieldType::kText) continue;
        std::vector<std::string_view> known;
        for (const auto& each : schema.kind(call.kind).fields)
            if (each.type == schema::FieldType::kText) known.push_back(each.name);
        return Error(ErrorCode::kUnknownName, "`" + name + "` is no field of texts")
            .with_field("highlight")
            .with("index", i)
            .with_hint(name_hint(name, known))
            .with_reason("unknown_field");
    }
    return {};
}

void add_highlights(const FeedCall& call, const query::FeedPlan& plan, const schema::Schema& schema,
                    FeedReply* reply) {
    if (!plan.text) return;
    for (const std::string& name : call.highlight) {
        const schema::FieldSpec& field = *schema.find_field(call.kind, name);
        text::Highlighter highlighter({field.language, field.text.stop_words}, field.id, name,
                                      plan.text->query, plan.text->statistics, plan.text->typos);
        for (FeedItem& item : reply->items) {
            const auto& metadata = item.entity.metadata;
            const auto found =
                std::ranges::find(metadata, name, &std::pair<std::string, record::Value>::first);
            if (found == metadata.end()) continue;
            if (auto marked = highlighter.mark(std::get<std::string>(found->second)))
                item.highlights.emplace_back(name, std::move(*marked));
        }
    }
    if (call.highlight.empty() || !reply->fields || !reply->fields->empty()) return;
    for (FeedItem& item : reply->items) {  // Read for the marks alone.
        EntityReply bare;
        bare.id = std::move(item.entity.id);
        item.entity = std::move(bare);
    }
}

}  // namespace tidal::api
