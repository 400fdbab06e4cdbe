// transfer/tests/recording_sink.h: keeps what a mapper hands on, as text that is easy to compare.
#pragma once

#include <string>
#include <vector>

#include "schema/schema.h"
#include "transfer/file_mapper.h"

namespace tidal::transfer {

inline std::string text_of(const record::Value& value) {
    struct Printer {
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(const std::vector<std::string>& keywords) const {
            std::string text;
            for (const std::string& keyword : keywords) text += (text.empty() ? "" : "|") + keyword;
            return "{" + text + "}";
        }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return std::to_string(number); }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(const record::GeoPoint& point) const {
            return std::to_string(point.latitude) + "," + std::to_string(point.longitude);
        }
    };
    return std::visit(Printer{}, value);
}

class RecordingSink : public ImportSink {
public:
    explicit RecordingSink(const schema::Schema& schema) : schema_(schema) {}

    bool on_row(ImportRow row, const RowPlace& place, std::string_view) override {
        std::string text = "line " + std::to_string(place.line) + ": ";
        if (const auto* signal = std::get_if<SignalRow>(&row)) {
            text += schema_.signals[signal->body.signal.value()].name + " " +
                    signal->body.item.to_string();
            if (signal->body.user) text += " by " + signal->body.user->to_string();
            if (signal->body.creator) text += " of " + signal->body.creator->to_string();
            if (signal->at_ms) text += " at " + std::to_string(*signal->at_ms);
            if (signal->body.weight != record::kWeightOne)
                text += " weight " + std::to_string(record::weight_to_double(signal->body.weight));
        } else if (const auto* vector = std::get_if<record::EmbeddingBody>(&row)) {
            text += std::string(entity_kind_name(vector->kind)) + " " + vector->id.to_string() +
                    " slot " + std::to_string(vector->slot.value());
            for (const float v : vector->values) text += " " + std::to_string(v);
        } else {
            text += upsert_text(std::get<record::UpsertBody>(row));
        }
        rows.push_back(std::move(text));
        return rows.size() < rows_max;
    }
    void on_rejected(const RejectedRow& row) override {
        std::string text = "line " + std::to_string(row.place.line);
        if (row.column != 0) text += " column " + std::to_string(row.column);
        if (!row.column_name.empty()) text += " (" + std::string(row.column_name) + ")";
        rejected.push_back(text + ": " + std::string(row.reason));
        rejected_texts.emplace_back(row.text);
    }

    std::vector<std::string> rows, rejected, rejected_texts;
    std::size_t rows_max = SIZE_MAX;

private:
    std::string upsert_text(const record::UpsertBody& body) const {
        std::string text = std::string(entity_kind_name(body.kind)) + " " + body.id.to_string();
        for (const record::FieldChange& change : body.fields)
            text += " " + schema_.kind(body.kind).fields[change.field.value()].name + "=" +
                    text_of(*change.value);
        if (body.creator) text += " creator=" + (*body.creator)->to_string();
        if (body.created_at) text += " created_at=" + std::to_string(**body.created_at);
        if (body.publish_at) text += " publish_at=" + std::to_string(**body.publish_at);
        if (body.expires_at) text += " expires_at=" + std::to_string(**body.expires_at);
        return text;
    }
    const schema::Schema& schema_;
};

}  // namespace tidal::transfer
