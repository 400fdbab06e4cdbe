// What one row of a file becomes. A cell that does not convert rejects its row as a whole.
#include <algorithm>

#include "entity/vector_codec.h"
#include "transfer/internal/bound_mapping.h"
#include "transfer/internal/conversion.h"

namespace tidal::transfer {
namespace {

std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Trims, matches and drops, as the mapping says; nullopt = absent.
Result<std::optional<std::string_view>> prepare(std::string_view text, const FieldSource& source,
                                                const std::optional<Pattern>& pattern) {
    if (source.trim) text = trim(text);
    if (pattern) {
        if (text.size() > kPatternTextBytesMax)
            return Error(ErrorCode::kInvalidArgument,
                         "longer than the 1024 bytes that a regex reads");
        const auto found = pattern->find(text);
        if (!found) return std::optional<std::string_view>();
        text = *found;
    }
    const bool dropped =
        std::find(source.drop.begin(), source.drop.end(), text) != source.drop.end();
    if (text.empty() || dropped) return std::optional<std::string_view>();
    return std::optional(text);
}

Result<std::optional<record::Value>> keywords_of(const SourceCell& cell, const FieldSource& source,
                                                 const std::optional<Pattern>& pattern) {
    std::vector<std::string_view> pieces = cell.list;
    if (!cell.is_list) {
        std::string_view rest = cell.text;
        if (!source.split.empty()) {
            for (std::size_t at; (at = rest.find(source.split)) != std::string_view::npos;) {
                pieces.push_back(rest.substr(0, at));
                rest.remove_prefix(at + source.split.size());
            }
        }
        pieces.push_back(rest);
    }
    std::vector<std::string> keywords;
    for (const std::string_view piece : pieces) {
        TIDAL_ASSIGN(const auto prepared, prepare(piece, source, pattern));
        if (prepared) keywords.emplace_back(*prepared);
    }
    if (keywords.empty()) return std::optional<record::Value>();
    std::sort(keywords.begin(), keywords.end());
    keywords.erase(std::unique(keywords.begin(), keywords.end()), keywords.end());
    return std::optional(record::Value(std::move(keywords)));
}

Result<std::optional<record::Value>> value_of(const SourceCell& cell, const FieldSource& source,
                                              const schema::FieldSpec& spec,
                                              const std::optional<Pattern>& pattern) {
    if (spec.type == schema::FieldType::kKeywords) return keywords_of(cell, source, pattern);
    if (cell.is_list && spec.type != schema::FieldType::kJson)
        return Error(ErrorCode::kInvalidArgument, "a list, where one value is expected");
    TIDAL_ASSIGN(const auto prepared, prepare(cell.text, source, pattern));
    if (!prepared) return std::optional<record::Value>();
    TIDAL_ASSIGN(record::Value value, to_value(*prepared, spec.type, source.unit));
    return std::optional(std::move(value));
}

bool compare(double a, Comparison comparison, double b) {
    switch (comparison) {
        case Comparison::kLess:
            return a < b;
        case Comparison::kAtMost:
            return a <= b;
        case Comparison::kGreater:
            return a > b;
        case Comparison::kAtLeast:
            return a >= b;
        case Comparison::kEqual:
            return a == b;
        case Comparison::kNotEqual:
            return a != b;
    }
    return false;
}

}  // namespace

std::optional<BoundMapping::Rejected> BoundMapping::read_id(Cells cells, ColumnIndex column,
                                                            bool text_ids, EntityId* id) const {
    if (!cells[column].present || cells[column].is_list)
        return Rejected{column, "an id is missing"};
    auto read = to_id(cells[column].text, text_ids);
    if (!read.ok()) return Rejected{column, read.error().message()};
    *id = std::move(*read);
    return std::nullopt;
}

std::optional<BoundMapping::Rejected> BoundMapping::read_time(
    Cells cells, const std::optional<BoundTime>& source, const EntityId& item,
    std::optional<UnixMillis>* time) const {
    if (!source) return std::nullopt;
    if (!source->column) {
        *time = first_signals_->created_at(item);
        return std::nullopt;
    }
    const SourceCell& cell = cells[*source->column];
    if (!cell.present) return std::nullopt;
    auto read = to_time(cell.text, source->unit);
    if (!read.ok()) return Rejected{*source->column, read.error().message()};
    *time = *read;
    return std::nullopt;
}

std::optional<BoundMapping::Rejected> BoundMapping::map_field(
    const BoundField& field, Cells cells, std::optional<record::Value>* value) const {
    if (field.constant) {
        *value = field.constant;
        return std::nullopt;
    }
    const SourceCell& cell = cells[*field.column];
    if (!cell.present) return std::nullopt;
    auto converted = value_of(cell, *field.source, *field.spec, field.pattern);
    if (converted.ok() && *converted)
        if (auto checked = record::check_value(*field.spec, **converted); !checked.ok())
            converted = checked.take_error();
    if (!converted.ok()) return Rejected{*field.column, converted.error().message()};
    *value = std::move(*converted);
    return std::nullopt;
}

std::optional<BoundMapping::Rejected> BoundMapping::map_entity(Cells cells,
                                                               record::UpsertBody* body) const {
    const BoundEntity& entity = *entity_;
    body->kind = entity.kind;
    if (auto rejected = read_id(cells, entity.id, entity.text_ids, &body->id)) return rejected;
    for (const BoundField& field : entity.fields) {
        std::optional<record::Value> value;
        if (auto rejected = map_field(field, cells, &value)) return rejected;
        if (value) body->fields.push_back({field.spec->id, std::move(value)});
    }
    if (entity.creator && cells[*entity.creator].present) {
        EntityId creator;
        if (auto rejected = read_id(cells, *entity.creator, text_creator_ids_, &creator))
            return rejected;
        body->creator = std::optional(std::move(creator));
    }
    const auto set_time = [&](const std::optional<BoundTime>& source,
                              record::Change<UnixMillis>* change) {
        std::optional<UnixMillis> time;
        auto rejected = read_time(cells, source, body->id, &time);
        if (time) *change = time;
        return rejected;
    };
    if (auto rejected = set_time(entity.created_at, &body->created_at)) return rejected;
    if (auto rejected = set_time(entity.publish_at, &body->publish_at)) return rejected;
    return set_time(entity.expires_at, &body->expires_at);
}

std::optional<BoundMapping::Rejected> BoundMapping::map_embeddings(
    Cells cells, const EntityId& id, std::vector<ImportRow>* rows) const {
    for (const BoundEmbedding& embedding : entity_->embeddings) {
        const SourceCell& cell = cells[embedding.column];
        if (!cell.present) continue;
        if (!cell.is_list) return Rejected{embedding.column, "not an array of numbers"};
        record::EmbeddingBody body{entity_->kind, id, embedding.spec->id, {}};
        body.values.reserve(cell.list.size());
        for (const std::string_view text : cell.list) {
            const auto number = to_number(text);
            if (!number.ok()) return Rejected{embedding.column, number.error().message()};
            body.values.push_back(static_cast<float>(*number));
        }
        if (const auto checked = entity::check_vector(*embedding.spec, body.values); !checked.ok())
            return Rejected{embedding.column, checked.error().to_string()};
        rows->emplace_back(std::move(body));
    }
    return std::nullopt;
}

std::optional<BoundMapping::Rejected> BoundMapping::holds(const BoundSignal& signal, Cells cells,
                                                          bool* all) const {
    *all = true;
    for (const BoundCondition& condition : signal.when) {
        const SourceCell& cell = cells[condition.column];
        // An absent value meets no condition; one that is no number is damage.
        if (!cell.present) {
            *all = false;
            continue;
        }
        const auto number = to_number(cell.text);
        if (!number.ok()) return Rejected{condition.column, number.error().message()};
        *all = *all && compare(*number, condition.comparison, condition.number);
    }
    return std::nullopt;
}

std::optional<BoundMapping::Rejected> BoundMapping::map_signals(
    Cells cells, std::vector<ImportRow>* rows) const {
    const BoundSignals& signals = *signals_;
    SignalRow row;
    if (auto rejected = read_id(cells, signals.item, signals.text_item_ids, &row.body.item))
        return rejected;
    const auto read_optional = [&](const std::optional<ColumnIndex>& column, bool text_ids,
                                   std::optional<EntityId>* id) -> std::optional<Rejected> {
        if (!column || !cells[*column].present) return std::nullopt;
        return read_id(cells, *column, text_ids, &id->emplace());
    };
    if (auto rejected = read_optional(signals.user, text_user_ids_, &row.body.user))
        return rejected;
    if (auto rejected = read_optional(signals.creator, text_creator_ids_, &row.body.creator))
        return rejected;
    if (auto rejected = read_time(cells, signals.at, row.body.item, &row.at_ms)) return rejected;
    if (signals.at && !row.at_ms) return Rejected{*signals.at->column, "a time is missing"};
    for (const BoundSignal& signal : signals.emit) {
        bool wanted = false;
        if (auto rejected = holds(signal, cells, &wanted)) return rejected;
        if (!wanted) continue;
        row.body.signal = signal.type;
        row.body.weight = signal.weight;
        if (signal.weight_column) {
            const SourceCell& cell = cells[*signal.weight_column];
            const auto number = to_number(cell.text);
            if (!number.ok()) return Rejected{*signal.weight_column, number.error().message()};
            const auto weight = record::fixed_weight(*number);
            if (!weight.ok()) return Rejected{*signal.weight_column, weight.error().message()};
            row.body.weight = *weight;
        }
        rows->emplace_back(row);
    }
    return std::nullopt;
}

std::optional<Rejection> BoundMapping::map(std::span<const SourceCell> cells,
                                           std::vector<ImportRow>* rows) const {
    const std::size_t before = rows->size();
    std::optional<Rejected> rejected;
    if (entity_) {
        record::UpsertBody body;
        rejected = map_entity(cells, &body);
        if (!rejected) {
            const EntityId id = body.id;
            rows->emplace_back(std::move(body));
            rejected = map_embeddings(cells, id, rows);
        }
    }
    if (signals_ && !rejected) rejected = map_signals(cells, rows);
    if (!rejected) return std::nullopt;
    rows->erase(rows->begin() + static_cast<std::ptrdiff_t>(before), rows->end());
    return Rejection{columns_[rejected->column].name, std::move(rejected->reason)};
}

}  // namespace tidal::transfer
