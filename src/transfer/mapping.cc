#include "transfer/mapping.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/hash.h"
#include "transfer/internal/pattern.h"
#include "transfer/internal/yaml_map.h"

namespace tidal::transfer {
namespace {

using schema::yaml_error;
using schema::YamlNode;

constexpr std::string_view kFormats[] = {"csv", "tsv", "ndjson", "fvecs", "npy"};
constexpr std::string_view kUnits[] = {"s", "ms", "rfc3339"};
constexpr std::string_view kPackedSuffix = ".zst";
constexpr std::string_view kFirstSignal = "first_signal";

Result<ColumnName> read_column(const YamlNode& node, std::string_view what) {
    TIDAL_ASSIGN(std::string name, read_text(node, what));
    return ColumnName{std::move(name), node.mark};
}

Result<TimeUnit> read_unit(const YamlNode& node) {
    TIDAL_ASSIGN(const std::size_t choice, read_choice(node, "unit", kUnits));
    return static_cast<TimeUnit>(choice);
}

/// `column`, `{column: c, unit: s}` or, where allowed, `first_signal`.
Result<TimeSource> read_time(const YamlNode& node, std::string_view what,
                             bool may_be_first_signal) {
    TimeSource source;
    if (!node.is_map()) {
        TIDAL_ASSIGN(ColumnName column, read_column(node, what));
        if (!may_be_first_signal || column.name != kFirstSignal) source.column = std::move(column);
        return source;
    }
    static constexpr std::string_view kKeys[] = {"column", "unit"};
    TIDAL_TRY(read_map(node, what, kKeys,
                       [&](std::string_view key, const YamlNode& value) -> Result<void> {
                           if (key == "column") {
                               TIDAL_ASSIGN(source.column, read_column(value, "column"));
                           } else {
                               TIDAL_ASSIGN(source.unit, read_unit(value));
                           }
                           return {};
                       }));
    if (!source.column) return yaml_error(node.mark, std::string(what) + " needs a column");
    return source;
}

Result<void> check_field_source(const FieldSource& source) {
    const bool constant = !source.constant.empty();
    if (constant == source.column.has_value())
        return yaml_error(source.mark,
                          "field '" + source.field + "' needs a column or a constant, one of them");
    if (constant &&
        (!source.regex.empty() || !source.split.empty() || !source.drop.empty() || source.trim))
        return yaml_error(
            source.mark,
            "field '" + source.field +
                "': a constant is taken as it is; regex, split, drop and trim are for columns");
    return {};
}

Result<FieldSource> read_field(const schema::YamlEntry& entry) {
    FieldSource source;
    source.field = entry.key;
    source.mark = entry.mark;
    if (!entry.value.is_map()) {
        TIDAL_ASSIGN(source.column, read_column(entry.value, "column"));
        return source;
    }
    static constexpr std::string_view kKeys[] = {"column", "constant", "regex", "split",
                                                 "drop",   "trim",     "unit"};
    TIDAL_TRY(read_map(entry.value, "field " + entry.key, kKeys,
                       [&](std::string_view key, const YamlNode& value) -> Result<void> {
                           if (key == "column") {
                               TIDAL_ASSIGN(source.column, read_column(value, key));
                           } else if (key == "constant") {
                               TIDAL_ASSIGN(source.constant, read_texts(value, key));
                           } else if (key == "regex") {
                               TIDAL_ASSIGN(source.regex, read_text(value, key));
                               if (auto pattern = Pattern::compile(source.regex); !pattern.ok())
                                   return yaml_error(value.mark, pattern.error().message());
                           } else if (key == "split") {
                               TIDAL_ASSIGN(source.split, read_text(value, key));
                           } else if (key == "drop") {
                               TIDAL_ASSIGN(source.drop, read_texts(value, key));
                           } else if (key == "trim") {
                               TIDAL_ASSIGN(source.trim, read_bool(value, key));
                           } else {
                               TIDAL_ASSIGN(source.unit, read_unit(value));
                           }
                           return {};
                       }));
    TIDAL_TRY(check_field_source(source));
    return source;
}

/// `{default: vector}`: the column of each slot.
Result<void> read_embeddings(const YamlNode& node, std::vector<EmbeddingSource>* embeddings) {
    if (!node.is_map() || node.entries.empty())
        return yaml_error(node.mark, "embeddings must be a map from slots to columns");
    for (const schema::YamlEntry& entry : node.entries) {
        TIDAL_ASSIGN(ColumnName column, read_column(entry.value, "column"));
        embeddings->push_back({entry.key, entry.mark, std::move(column)});
    }
    return {};
}

Result<EntityMapping> read_entity(const YamlNode& node, EntityKind kind, std::string_view what) {
    EntityMapping entity;
    entity.kind = kind;
    static constexpr std::string_view kItemKeys[] = {
        "id", "fields", "embeddings", "creator", "created_at", "publish_at", "expires_at"};
    // Users and creators have no fixed fields.
    const std::span<const std::string_view> keys =
        std::span(kItemKeys).first(kind == EntityKind::kItem ? 7 : 3);
    TIDAL_TRY(read_map(node, what, keys,
                       [&](std::string_view key, const YamlNode& value) -> Result<void> {
                           if (key == "id") {
                               TIDAL_ASSIGN(entity.id, read_column(value, key));
                           } else if (key == "fields") {
                               if (!value.is_map())
                                   return yaml_error(value.mark, "fields must be a map");
                               for (const schema::YamlEntry& entry : value.entries) {
                                   TIDAL_ASSIGN(FieldSource source, read_field(entry));
                                   entity.fields.push_back(std::move(source));
                               }
                           } else if (key == "embeddings") {
                               return read_embeddings(value, &entity.embeddings);
                           } else if (key == "creator") {
                               TIDAL_ASSIGN(entity.creator, read_column(value, key));
                           } else if (key == "created_at") {
                               TIDAL_ASSIGN(entity.created_at, read_time(value, key, true));
                           } else if (key == "publish_at") {
                               TIDAL_ASSIGN(entity.publish_at, read_time(value, key, false));
                           } else {
                               TIDAL_ASSIGN(entity.expires_at, read_time(value, key, false));
                           }
                           return {};
                       }));
    if (entity.id.name.empty()) return yaml_error(node.mark, std::string(what) + " needs an id");
    return entity;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

/// "rating >= 4".
Result<Condition> read_condition(const YamlNode& node) {
    TIDAL_ASSIGN(const std::string text, read_text(node, "when"));
    static constexpr std::pair<std::string_view, Comparison> kOperators[] = {
        {"<=", Comparison::kAtMost}, {">=", Comparison::kAtLeast}, {"!=", Comparison::kNotEqual},
        {"<", Comparison::kLess},    {">", Comparison::kGreater},  {"=", Comparison::kEqual}};
    Condition condition;
    const std::size_t at = text.find_first_of("<>=!");
    for (const auto& [symbol, comparison] : kOperators) {
        if (at == std::string::npos || !std::string_view(text).substr(at).starts_with(symbol))
            continue;
        condition.column = {std::string(trimmed(std::string_view(text).substr(0, at))), node.mark};
        condition.comparison = comparison;
        const std::string_view number = trimmed(std::string_view(text).substr(at + symbol.size()));
        const char* const end = number.data() + number.size();
        const auto [stop, error] = std::from_chars(number.data(), end, condition.number);
        if (error == std::errc() && stop == end && std::isfinite(condition.number) &&
            !condition.column.name.empty())
            return condition;
        break;
    }
    return yaml_error(node.mark, "when must be a column, one of < <= > >= = != and a number")
        .with("when", text)
        .with_hint("for example: rating >= 4");
}

/// One condition, or a list of which all must hold.
Result<void> read_conditions(const YamlNode& node, std::vector<Condition>* conditions) {
    const std::span<const YamlNode> nodes =
        node.is_sequence() ? std::span(node.items) : std::span(&node, 1);
    for (const YamlNode& one : nodes) {
        TIDAL_ASSIGN(Condition condition, read_condition(one));
        conditions->push_back(std::move(condition));
    }
    return {};
}

/// A number, or `{column: c}`.
Result<void> read_weight(const YamlNode& node, SignalSource* signal) {
    if (!node.is_map()) {
        TIDAL_ASSIGN(signal->weight, read_number(node, "weight"));
        return {};
    }
    static constexpr std::string_view kKeys[] = {"column"};
    TIDAL_TRY(read_map(node, "weight", kKeys,
                       [&](std::string_view, const YamlNode& value) -> Result<void> {
                           TIDAL_ASSIGN(signal->weight_column, read_column(value, "column"));
                           return {};
                       }));
    if (!signal->weight_column) return yaml_error(node.mark, "weight needs a column or a number");
    return {};
}

Result<SignalSource> read_signal(const YamlNode& node) {
    SignalSource signal;
    signal.mark = node.mark;
    if (node.is_scalar()) {
        TIDAL_ASSIGN(signal.type, read_text(node, "type"));
        return signal;
    }
    static constexpr std::string_view kKeys[] = {"type", "when", "weight"};
    TIDAL_TRY(read_map(node, "emit", kKeys,
                       [&](std::string_view key, const YamlNode& value) -> Result<void> {
                           if (key == "type") {
                               TIDAL_ASSIGN(signal.type, read_text(value, key));
                               return {};
                           }
                           return key == "weight" ? read_weight(value, &signal)
                                                  : read_conditions(value, &signal.when);
                       }));
    if (signal.type.empty()) return yaml_error(node.mark, "a signal needs a type");
    return signal;
}

Result<SignalMapping> read_signals(const YamlNode& node) {
    SignalMapping signals;
    signals.mark = node.mark;
    static constexpr std::string_view kKeys[] = {"item", "user", "creator", "at", "emit"};
    TIDAL_TRY(read_map(node, "signals", kKeys,
                       [&](std::string_view key, const YamlNode& value) -> Result<void> {
                           if (key == "item") {
                               TIDAL_ASSIGN(signals.item, read_column(value, key));
                           } else if (key == "user") {
                               TIDAL_ASSIGN(signals.user, read_column(value, key));
                           } else if (key == "creator") {
                               TIDAL_ASSIGN(signals.creator, read_column(value, key));
                           } else if (key == "at") {
                               TIDAL_ASSIGN(signals.at, read_time(value, key, false));
                           } else {
                               if (!value.is_sequence())
                                   return yaml_error(value.mark, "emit must be a list of signals");
                               for (const YamlNode& item : value.items) {
                                   TIDAL_ASSIGN(SignalSource signal, read_signal(item));
                                   signals.emit.push_back(std::move(signal));
                               }
                           }
                           return {};
                       }));
    if (signals.item.name.empty()) return yaml_error(node.mark, "signals needs an item");
    if (signals.emit.empty()) return yaml_error(node.mark, "signals needs something to emit");
    return signals;
}

/// `{file: songs.csv, column: song}`
Result<void> read_ids(const YamlNode& node, VectorMapping* vectors) {
    static constexpr std::string_view kKeys[] = {"file", "column"};
    TIDAL_TRY(read_map(node, "ids", kKeys,
                       [&](std::string_view key, const YamlNode& value) -> Result<void> {
                           if (key == "file") {
                               TIDAL_ASSIGN(vectors->ids_file, read_text(value, key));
                           } else {
                               TIDAL_ASSIGN(vectors->ids_column, read_column(value, key));
                           }
                           return {};
                       }));
    if (vectors->ids_file.empty() || !vectors->ids_column)
        return yaml_error(node.mark, "ids needs a file and a column");
    return {};
}

Result<std::uint64_t> read_first_id(const YamlNode& node) {
    TIDAL_ASSIGN(const std::string text, read_text(node, "first_id"));
    std::uint64_t id = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error == std::errc() && stop == text.data() + text.size()) return id;
    return yaml_error(node.mark, "first_id must be a whole number");
}

Result<VectorMapping> read_vectors(const YamlNode& node) {
    static constexpr std::string_view kKinds[] = {"items", "users", "creators"};
    static constexpr std::string_view kKeys[] = {"of", "slot", "first_id", "ids"};
    VectorMapping vectors;
    vectors.mark = node.mark;
    TIDAL_TRY(read_map(
        node, "vectors", kKeys, [&](std::string_view key, const YamlNode& value) -> Result<void> {
            if (key == "of") {
                TIDAL_ASSIGN(const std::size_t kind, read_choice(value, key, kKinds));
                vectors.kind = static_cast<EntityKind>(kind);
            } else if (key == "slot") {
                TIDAL_ASSIGN(vectors.slot, read_text(value, key));
            } else if (key == "first_id") {
                TIDAL_ASSIGN(vectors.first_id, read_first_id(value));
            } else {
                return read_ids(value, &vectors);
            }
            return {};
        }));
    if (vectors.first_id.has_value() == vectors.ids_column.has_value())
        return yaml_error(node.mark,
                          "vectors need first_id, the id of the first row, or ids, a column of "
                          "another file; one of them");
    return vectors;
}

/// Keys whose order in the file does not matter: defaults come from the format.
struct FileOptions {
    std::optional<char> delimiter;
    std::optional<bool> quoting, header;
};

Result<void> read_entities(std::string_view key, const YamlNode& value, FileMapping* file) {
    if (file->entity)
        return yaml_error(value.mark, "a file maps to one of items, users and creators");
    const EntityKind kind = key == "items"   ? EntityKind::kItem
                            : key == "users" ? EntityKind::kUser
                                             : EntityKind::kCreator;
    TIDAL_ASSIGN(file->entity, read_entity(value, kind, key));
    return {};
}

Result<void> read_file_key(std::string_view key, const YamlNode& value, FileMapping* file,
                           FileOptions* options) {
    if (key == "file") {
        TIDAL_ASSIGN(file->name, read_text(value, key));
    } else if (key == "format") {
        TIDAL_ASSIGN(const std::size_t choice, read_choice(value, key, kFormats));
        file->format = static_cast<FileFormat>(choice);
    } else if (key == "delimiter") {
        TIDAL_ASSIGN(const std::string text, read_text(value, key));
        if (text.size() != 1 || text[0] == '"' || text[0] == '\n' || text[0] == '\r' ||
            text[0] == '\0' || (text[0] & 0x80) != 0)
            return yaml_error(value.mark,
                              "delimiter must be one ASCII character, not a quote or line end");
        options->delimiter = text[0];
    } else if (key == "quoting") {
        TIDAL_ASSIGN(options->quoting, read_bool(value, key));
    } else if (key == "header") {
        TIDAL_ASSIGN(options->header, read_bool(value, key));
    } else if (key == "columns") {
        TIDAL_ASSIGN(file->columns, read_texts(value, key));
        if (std::set<std::string>(file->columns.begin(), file->columns.end()).size() !=
            file->columns.size())
            return yaml_error(value.mark, "a column is named twice");
    } else if (key == "signals") {
        TIDAL_ASSIGN(file->signals, read_signals(value));
    } else if (key == "vectors") {
        TIDAL_ASSIGN(file->vectors, read_vectors(value));
    } else {
        return read_entities(key, value, file);
    }
    return {};
}

Result<void> settle_file(const YamlNode& node, const FileOptions& options, FileMapping* file) {
    if (file->name.ends_with(kPackedSuffix))
        file->name.resize(file->name.size() - kPackedSuffix.size());
    if (file->name.empty()) return yaml_error(node.mark, "a file needs a name: 'file: movies.csv'");
    const bool binary = file->format == FileFormat::kFvecs || file->format == FileFormat::kNpy;
    if (binary != file->vectors.has_value())
        return yaml_error(node.mark, binary ? "a file of vectors needs 'vectors'"
                                            : "vectors are in files of the format fvecs or npy");
    if (binary && (file->entity || file->signals))
        return yaml_error(node.mark, "a file of vectors holds nothing else");
    if (file->entity && !file->entity->embeddings.empty() && file->format != FileFormat::kNdjson)
        return yaml_error(file->entity->embeddings.front().mark,
                          "embeddings are arrays, which rows of ndjson have and others do not")
            .with_hint("vectors of a table go into a file of their own, of the format npy");
    const bool delimited = file->format == FileFormat::kCsv || file->format == FileFormat::kTsv;
    if (!delimited &&
        (options.delimiter || options.quoting || options.header || !file->columns.empty()))
        return yaml_error(node.mark, "delimiter, quoting, header and columns are for csv and tsv");
    const bool header = options.header.value_or(file->columns.empty());
    if (delimited && header != file->columns.empty())
        return yaml_error(node.mark, header ? "columns are for files without a header line"
                                            : "a file without a header line needs columns");
    const bool tsv = file->format == FileFormat::kTsv;
    file->delimiter = options.delimiter.value_or(tsv ? '\t' : ',');
    file->quoting = options.quoting.value_or(!tsv);
    return {};
}

Result<FileMapping> read_file(const YamlNode& node) {
    FileMapping file;
    file.mark = node.mark;
    FileOptions options;
    static constexpr std::string_view kKeys[] = {"file",     "format",  "delimiter", "quoting",
                                                 "header",   "columns", "items",     "users",
                                                 "creators", "signals", "vectors"};
    TIDAL_TRY(read_map(node, "file", kKeys, [&](std::string_view key, const YamlNode& value) {
        return read_file_key(key, value, &file, &options);
    }));
    TIDAL_TRY(settle_file(node, options, &file));
    return file;
}

/// A file may be there for the ids of another one's vectors alone.
Result<void> check_uses(const Mapping& mapping) {
    std::set<const FileMapping*> for_ids;
    for (const FileMapping& file : mapping.files) {
        if (!file.vectors || !file.vectors->ids_column) continue;
        const FileMapping* const ids = mapping.find(file.vectors->ids_file);
        if (ids == nullptr || ids->vectors)
            return yaml_error(file.vectors->mark, "ids of '" + file.name + "' are in '" +
                                                      file.vectors->ids_file +
                                                      "', which is no file of rows under 'files'");
        for_ids.insert(ids);
    }
    for (const FileMapping& file : mapping.files)
        if (!file.entity && !file.signals && !file.vectors && !for_ids.contains(&file))
            return yaml_error(file.mark, "file '" + file.name +
                                             "' maps to nothing: give items, users, creators, "
                                             "signals or vectors");
    return {};
}

}  // namespace

bool FileMapping::needs_first_signals() const {
    return entity && entity->created_at && !entity->created_at->column;
}

const FileMapping* Mapping::find(std::string_view file_name) const {
    if (file_name.ends_with(kPackedSuffix)) file_name.remove_suffix(kPackedSuffix.size());
    const auto at = std::find_if(files.begin(), files.end(),
                                 [&](const FileMapping& file) { return file.name == file_name; });
    return at == files.end() ? nullptr : &*at;
}

Result<Mapping> parse_mapping(std::string_view yaml) {
    TIDAL_ASSIGN(const YamlNode root, schema::parse_yaml(yaml));
    Mapping mapping;
    mapping.text_hash = hash64(yaml);
    static constexpr std::string_view kKeys[] = {"files"};
    TIDAL_TRY(read_map(
        root, "the mapping", kKeys, [&](std::string_view, const YamlNode& value) -> Result<void> {
            if (!value.is_sequence()) return yaml_error(value.mark, "files must be a list");
            for (const YamlNode& item : value.items) {
                TIDAL_ASSIGN(FileMapping file, read_file(item));
                if (mapping.find(file.name) != nullptr)
                    return yaml_error(item.mark, "file '" + file.name + "' is mapped twice");
                mapping.files.push_back(std::move(file));
            }
            return {};
        }));
    if (mapping.files.empty()) return yaml_error(root.mark, "the mapping names no files");
    TIDAL_TRY(check_uses(mapping));
    return mapping;
}

}  // namespace tidal::transfer
