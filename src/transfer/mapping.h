// transfer/mapping.h: how the rows of somebody's files become items, users, creators and signals.
// The language: docs/reference/mapping.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "schema/yaml.h"

namespace tidal::transfer {

enum class FileFormat : std::uint8_t { kCsv, kTsv, kNdjson, kFvecs, kNpy };
enum class TimeUnit : std::uint8_t { kSeconds, kMilliseconds, kText };  ///< kText: RFC 3339.

/// A column by name, and where the mapping names it.
struct ColumnName {
    std::string name;
    schema::YamlMark mark;
};

/// Where a field's value comes from: a column, or a constant.
struct FieldSource {
    std::string field;  ///< Of the schema.
    schema::YamlMark mark;
    std::optional<ColumnName> column;         ///< Either this …
    std::vector<std::string> constant;        ///< … or these; one unless the field is `keywords`.
    std::string regex;                        ///< Empty = the whole text; else its first group.
    std::string split;                        ///< Empty = one value; else pieces between these.
    std::vector<std::string> drop;            ///< Values (pieces) that count as absent.
    bool trim = false;                        ///< Spaces and tabs at both ends go first.
    TimeUnit unit = TimeUnit::kMilliseconds;  ///< Of timestamp and duration fields.
};

struct TimeSource {
    std::optional<ColumnName> column;  ///< nullopt = the entity's first signal.
    TimeUnit unit = TimeUnit::kMilliseconds;
};

/// A vector beside the other values of a row: a column that holds an array of numbers.
struct EmbeddingSource {
    std::string slot;
    schema::YamlMark mark;
    ColumnName column;
};

/// One upsert per row, and a vector for each of `embeddings` that the row has.
struct EntityMapping {
    EntityKind kind = EntityKind::kItem;
    ColumnName id;
    std::vector<FieldSource> fields;
    std::vector<EmbeddingSource> embeddings;  ///< Of ndjson.
    std::optional<ColumnName> creator;
    std::optional<TimeSource> created_at, publish_at, expires_at;
};

enum class Comparison : std::uint8_t { kLess, kAtMost, kGreater, kAtLeast, kEqual, kNotEqual };

/// A column read as a number, compared with one.
struct Condition {
    ColumnName column;
    Comparison comparison = Comparison::kEqual;
    double number = 0;
};

/// One signal, sent when every condition holds.
struct SignalSource {
    std::string type;
    schema::YamlMark mark;
    std::vector<Condition> when;
    double weight = 1;
    std::optional<ColumnName> weight_column;  ///< Instead of `weight`.
};

/// Any number of signals per row.
struct SignalMapping {
    schema::YamlMark mark;
    ColumnName item;
    std::optional<ColumnName> user, creator;
    std::optional<TimeSource> at;  ///< Absent = when it is committed.
    std::vector<SignalSource> emit;
};

/// One vector per row of a file that holds nothing else.
struct VectorMapping {
    schema::YamlMark mark;
    EntityKind kind = EntityKind::kItem;
    std::string slot;                       ///< Empty = the only one of the kind.
    std::optional<std::uint64_t> first_id;  ///< Of the first row, each next one's is one more…
    /// …or row by row those of a column of another file of the mapping.
    std::string ids_file;
    std::optional<ColumnName> ids_column;
};

struct FileMapping {
    std::string name;  ///< As in `file:`; a packed file is this name and ".zst".
    schema::YamlMark mark;
    FileFormat format = FileFormat::kCsv;
    char delimiter = ',';
    bool quoting = true;
    std::vector<std::string> columns;  ///< Given when the file has no header line.
    std::optional<EntityMapping> entity;
    std::optional<SignalMapping> signals;
    std::optional<VectorMapping> vectors;

    /// Some time is `first_signal`: the signals must have been read once before.
    bool needs_first_signals() const;
    bool has_vectors() const { return vectors || (entity && !entity->embeddings.empty()); }
};

/// Files in the order in which they are to be read.
struct Mapping {
    std::vector<FileMapping> files;
    std::uint64_t text_hash = 0;  ///< Of the text it was read from.

    /// By name, with or without ".zst".
    const FileMapping* find(std::string_view file_name) const;
};

/// @return kInvalidArgument with `line` and `column`: not YAML, an unknown key (with the nearest
///         known one), a value of a wrong form, a regular expression that does not compile.
///         Names of fields and signals are checked against the schema by FileMapper.
Result<Mapping> parse_mapping(std::string_view yaml);

}  // namespace tidal::transfer
