// transfer/internal/bound_mapping.h: a mapping with its names resolved: cells in, writes out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "record/record.h"
#include "schema/schema.h"
#include "transfer/import_row.h"
#include "transfer/internal/cell.h"
#include "transfer/internal/pattern.h"
#include "transfer/mapping.h"

namespace tidal::transfer {

/// Why a row is left out.
struct Rejection {
    std::string column;  ///< By name.
    std::string reason;
};

/// Columns are numbered in the order in which the mapping first names them.
class BoundMapping {
public:
    static Result<BoundMapping> bind(const FileMapping& mapping, const schema::Schema& schema,
                                     const FirstSignals* first_signals);

    /// Columns that the mapping names, each once.
    const std::vector<ColumnName>& columns() const { return columns_; }
    /// Appends the writes of one row; nothing when there is a rejection.
    /// @param  cells  By number of column.
    std::optional<Rejection> map(std::span<const SourceCell> cells,
                                 std::vector<ImportRow>* rows) const;

private:
    using ColumnIndex = std::size_t;
    struct BoundField {
        const FieldSource* source;
        const schema::FieldSpec* spec;
        std::optional<ColumnIndex> column;
        std::optional<record::Value> constant;
        std::optional<Pattern> pattern;
    };
    struct BoundEmbedding {
        const schema::EmbeddingSpec* spec;
        ColumnIndex column;
    };
    struct BoundTime {
        std::optional<ColumnIndex> column;  ///< nullopt = the first signal.
        TimeUnit unit;
    };
    struct BoundEntity {
        EntityKind kind;
        bool text_ids;
        ColumnIndex id;
        std::vector<BoundField> fields;
        std::vector<BoundEmbedding> embeddings;
        std::optional<ColumnIndex> creator;
        std::optional<BoundTime> created_at, publish_at, expires_at;
    };
    struct BoundCondition {
        ColumnIndex column;
        Comparison comparison;
        double number;
    };
    struct BoundSignal {
        SignalTypeId type;
        std::vector<BoundCondition> when;
        record::FixedWeight weight;
        std::optional<ColumnIndex> weight_column;
    };
    struct BoundSignals {
        bool text_item_ids;
        ColumnIndex item;
        std::optional<ColumnIndex> user, creator;
        std::optional<BoundTime> at;
        std::vector<BoundSignal> emit;
    };
    struct Rejected {
        ColumnIndex column;
        std::string reason;
    };

    ColumnIndex index_of(const ColumnName& column);
    std::optional<ColumnIndex> index_of(const std::optional<ColumnName>& column);
    std::optional<BoundTime> bind_time(const std::optional<TimeSource>& source);
    Result<void> bind_entity(const EntityMapping& entity, const schema::Schema& schema);
    Result<BoundField> bind_field(const FieldSource& source, EntityKind kind,
                                  const schema::Schema& schema);
    Result<void> bind_signals(const SignalMapping& signals, const schema::Schema& schema);

    using Cells = std::span<const SourceCell>;
    std::optional<Rejected> map_entity(Cells cells, record::UpsertBody* body) const;
    std::optional<Rejected> map_field(const BoundField& field, Cells cells,
                                      std::optional<record::Value>* value) const;
    std::optional<Rejected> map_embeddings(Cells cells, const EntityId& id,
                                           std::vector<ImportRow>* rows) const;
    std::optional<Rejected> map_signals(Cells cells, std::vector<ImportRow>* rows) const;
    std::optional<Rejected> holds(const BoundSignal& signal, Cells cells, bool* all) const;
    std::optional<Rejected> read_id(Cells cells, ColumnIndex column, bool text_ids,
                                    EntityId* id) const;
    std::optional<Rejected> read_time(Cells cells, const std::optional<BoundTime>& source,
                                      const EntityId& item, std::optional<UnixMillis>* time) const;

    std::vector<ColumnName> columns_;
    std::optional<BoundEntity> entity_;
    std::optional<BoundSignals> signals_;
    const FirstSignals* first_signals_ = nullptr;
    bool text_user_ids_ = false, text_creator_ids_ = false;
};

}  // namespace tidal::transfer
