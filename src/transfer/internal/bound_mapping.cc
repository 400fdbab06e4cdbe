// Names to numbers, once per file. What a row then costs is in map_rows.cc.
#include "transfer/internal/bound_mapping.h"

#include <algorithm>

#include "transfer/internal/conversion.h"
#include "transfer/internal/yaml_map.h"

namespace tidal::transfer {
namespace {

using schema::yaml_error;

template <typename Specs>
std::vector<std::string_view> names_of(const Specs& specs) {
    std::vector<std::string_view> names;
    for (const auto& spec : specs) names.push_back(spec.name);
    return names;
}

Result<record::Value> constant_of(const FieldSource& source, const schema::FieldSpec& spec) {
    if (spec.type == schema::FieldType::kKeywords) {
        std::vector<std::string> keywords = source.constant;
        std::sort(keywords.begin(), keywords.end());
        keywords.erase(std::unique(keywords.begin(), keywords.end()), keywords.end());
        return record::Value(std::move(keywords));
    }
    if (source.constant.size() != 1)
        return Error(ErrorCode::kInvalidArgument, "one value expected");
    return to_value(source.constant[0], spec.type, source.unit);
}

}  // namespace

BoundMapping::ColumnIndex BoundMapping::index_of(const ColumnName& column) {
    const auto at = std::find_if(columns_.begin(), columns_.end(), [&](const ColumnName& known) {
        return known.name == column.name;
    });
    if (at != columns_.end()) return static_cast<ColumnIndex>(at - columns_.begin());
    columns_.push_back(column);
    return columns_.size() - 1;
}

std::optional<BoundMapping::ColumnIndex> BoundMapping::index_of(
    const std::optional<ColumnName>& column) {
    if (!column) return std::nullopt;
    return index_of(*column);
}

std::optional<BoundMapping::BoundTime> BoundMapping::bind_time(
    const std::optional<TimeSource>& source) {
    if (!source) return std::nullopt;
    return BoundTime{index_of(source->column), source->unit};
}

Result<BoundMapping::BoundField> BoundMapping::bind_field(const FieldSource& source,
                                                          EntityKind kind,
                                                          const schema::Schema& schema) {
    BoundField field{
        &source, schema.find_field(kind, source.field), index_of(source.column), {}, {}};
    if (field.spec == nullptr)
        return unknown_name(source.mark, std::string(entity_kind_name(kind)) + " field",
                            source.field, names_of(schema.kind(kind).fields));
    if (!source.split.empty() && field.spec->type != schema::FieldType::kKeywords)
        return yaml_error(source.mark, "split is for fields of type keywords, which '" +
                                           source.field + "' is not");
    if (!source.regex.empty()) {
        TIDAL_ASSIGN(field.pattern, Pattern::compile(source.regex));
    }
    if (source.constant.empty()) return field;
    auto value = constant_of(source, *field.spec);
    if (value.ok())
        if (auto checked = record::check_value(*field.spec, *value); !checked.ok())
            value = checked.take_error();
    if (!value.ok())
        return yaml_error(source.mark,
                          "constant of field '" + source.field + "': " + value.error().message());
    field.constant = std::move(*value);
    return field;
}

Result<void> BoundMapping::bind_entity(const EntityMapping& entity, const schema::Schema& schema) {
    BoundEntity bound;
    bound.kind = entity.kind;
    bound.text_ids = schema.kind(entity.kind).string_ids;
    bound.id = index_of(entity.id);
    for (const FieldSource& source : entity.fields) {
        TIDAL_ASSIGN(BoundField field, bind_field(source, entity.kind, schema));
        bound.fields.push_back(std::move(field));
    }
    for (const EmbeddingSource& source : entity.embeddings) {
        const auto* const slot = schema.find_embedding(entity.kind, source.slot);
        if (slot == nullptr)
            return unknown_name(source.mark, "embedding slot", source.slot,
                                names_of(schema.kind(entity.kind).embeddings));
        bound.embeddings.push_back({slot, index_of(source.column)});
    }
    bound.creator = index_of(entity.creator);
    bound.created_at = bind_time(entity.created_at);
    bound.publish_at = bind_time(entity.publish_at);
    bound.expires_at = bind_time(entity.expires_at);
    entity_ = std::move(bound);
    return {};
}

Result<void> BoundMapping::bind_signals(const SignalMapping& signals,
                                        const schema::Schema& schema) {
    BoundSignals bound;
    bound.text_item_ids = schema.kind(EntityKind::kItem).string_ids;
    bound.item = index_of(signals.item);
    bound.user = index_of(signals.user);
    bound.creator = index_of(signals.creator);
    bound.at = bind_time(signals.at);
    for (const SignalSource& source : signals.emit) {
        const schema::SignalSpec* spec = schema.find_signal(source.type);
        if (spec == nullptr)
            return unknown_name(source.mark, "signal", source.type, names_of(schema.signals));
        auto weight = record::fixed_weight(source.weight);
        if (!weight.ok()) return yaml_error(source.mark, weight.error().message());
        BoundSignal& signal = bound.emit.emplace_back();
        signal.type = spec->id;
        signal.weight = *weight;
        signal.weight_column = index_of(source.weight_column);
        for (const Condition& condition : source.when)
            signal.when.push_back(
                {index_of(condition.column), condition.comparison, condition.number});
    }
    signals_ = std::move(bound);
    return {};
}

Result<BoundMapping> BoundMapping::bind(const FileMapping& mapping, const schema::Schema& schema,
                                        const FirstSignals* first_signals) {
    if (mapping.needs_first_signals() && first_signals == nullptr)
        return Error(ErrorCode::kInvalidArgument,
                     "created_at: first_signal needs the signals to be read first")
            .with("file", mapping.name);
    BoundMapping bound;
    bound.first_signals_ = first_signals;
    bound.text_user_ids_ = schema.kind(EntityKind::kUser).string_ids;
    bound.text_creator_ids_ = schema.kind(EntityKind::kCreator).string_ids;
    if (mapping.entity) TIDAL_TRY(bound.bind_entity(*mapping.entity, schema));
    if (mapping.signals) TIDAL_TRY(bound.bind_signals(*mapping.signals, schema));
    return bound;
}

}  // namespace tidal::transfer
