#include "transfer/file_mapper.h"

#include <algorithm>

#include "base/edit_distance.h"
#include "transfer/internal/bound_mapping.h"
#include "transfer/internal/ndjson_reader.h"
#include "transfer/internal/vector_mapper.h"

namespace tidal::transfer {
namespace {

/// What both kinds of files share: cells to writes, and the counting.
class MapperCore : public FileMapper {
public:
    MapperCore(BoundMapping bound, ImportSink& sink) : bound_(std::move(bound)), sink_(sink) {}
    const Counts& counts() const override { return counts_; }

protected:
    void reject(const RejectedRow& rejected) {
        ++counts_.rejected;
        sink_.on_rejected(rejected);
    }
    /// @param  column_number  Of the file, from 1, by number of column of the mapping; empty =
    /// none.
    bool take(std::span<const SourceCell> cells, std::span<const std::uint32_t> column_number,
              const RowPlace& place, std::string_view text) {
        rows_.clear();
        if (const auto rejection = bound_.map(cells, &rows_)) {
            reject({place, number_of(rejection->column, column_number), rejection->column,
                    rejection->reason, text});
            return true;
        }
        ++counts_.rows;
        for (ImportRow& row : rows_) {
            ++counts_.writes;
            if (!sink_.on_row(std::move(row), place, text)) return false;
        }
        return true;
    }

    const BoundMapping bound_;
    Counts counts_;

private:
    std::uint32_t number_of(std::string_view name,
                            std::span<const std::uint32_t> column_number) const {
        for (std::size_t i = 0; i < column_number.size(); ++i)
            if (bound_.columns()[i].name == name) return column_number[i];
        return 0;
    }
    ImportSink& sink_;
    std::vector<ImportRow> rows_;
};

class CsvMapper final : public MapperCore, private CsvParser::Handler {
public:
    CsvMapper(const FileMapping& mapping, BoundMapping bound, ImportSink& sink)
        : MapperCore(std::move(bound), sink),
          mapping_(mapping),
          parser_({mapping.delimiter, mapping.quoting}, *this) {}

    Result<void> begin() {
        if (mapping_.columns.empty()) return {};
        const std::vector<std::string_view> names(mapping_.columns.begin(), mapping_.columns.end());
        set_header(names);
        return failure();
    }
    Result<void> feed(std::string_view bytes) override {
        TIDAL_TRY(failure());
        counts_.bytes += bytes.size();
        parser_.feed(bytes);
        return failure();
    }
    Result<void> finish() override {
        TIDAL_TRY(failure());
        parser_.finish();
        if (!has_header_ && !failure_) failure_ = header_error("the file has no header line");
        return failure();
    }

private:
    Result<void> failure() const {
        if (failure_) return Error(*failure_);
        return {};
    }
    Error header_error(std::string message) const {
        return Error(ErrorCode::kInvalidArgument, std::move(message))
            .with("file", mapping_.name)
            .with_hint("a file without one needs 'columns' in its mapping");
    }

    bool set_header(std::span<const std::string_view> names) {
        has_header_ = true;
        width_ = names.size();
        for (const ColumnName& column : bound_.columns()) {
            const auto at = std::find(names.begin(), names.end(), column.name);
            if (at == names.end()) {
                failure_ = Error(ErrorCode::kUnknownName,
                                 "file '" + mapping_.name + "' has no column '" + column.name + "'")
                               .with("line", column.mark.line)
                               .with_hint(name_hint(column.name, names));
                return false;
            }
            if (std::find(at + 1, names.end(), column.name) != names.end()) {
                failure_ = header_error("column '" + column.name + "' is there twice");
                return false;
            }
            positions_.push_back(static_cast<std::uint32_t>(at - names.begin()) + 1);
        }
        cells_.resize(positions_.size());
        return true;
    }

    bool on_row(std::span<const std::string_view> fields, const RowPlace& place,
                std::string_view text) override {
        if (!has_header_) return set_header(fields);
        if (fields.size() != width_) {
            const std::string reason = std::to_string(fields.size()) +
                                       " fields, where the header has " + std::to_string(width_);
            reject({place, 0, {}, reason, text});
            return true;
        }
        for (std::size_t i = 0; i < positions_.size(); ++i) {
            cells_[i].text = fields[positions_[i] - 1];
            cells_[i].present = !cells_[i].text.empty();
        }
        return take(cells_, positions_, place, text);
    }
    void on_rejected(const RejectedRow& rejected) override {
        if (!has_header_) {
            // Rows without names mean nothing: the rest of the file is not read.
            if (!failure_)
                failure_ =
                    header_error("the header line cannot be read: " + std::string(rejected.reason));
            return;
        }
        reject(rejected);
    }

    const FileMapping& mapping_;
    CsvParser parser_;
    bool has_header_ = false;
    std::size_t width_ = 0;
    std::vector<std::uint32_t> positions_;  ///< In the file, from 1, by column of the mapping.
    std::vector<SourceCell> cells_;
    std::optional<Error> failure_;
};

class NdjsonMapper final : public MapperCore, private NdjsonReader::Handler {
public:
    NdjsonMapper(BoundMapping bound, ImportSink& sink)
        : MapperCore(std::move(bound), sink), reader_(keys_of(bound_), *this) {}

    Result<void> feed(std::string_view bytes) override {
        counts_.bytes += bytes.size();
        reader_.feed(bytes);
        return {};
    }
    Result<void> finish() override {
        reader_.finish();
        return {};
    }

private:
    static std::vector<std::string> keys_of(const BoundMapping& bound) {
        std::vector<std::string> keys;
        for (const ColumnName& column : bound.columns()) keys.push_back(column.name);
        return keys;
    }
    bool on_cells(std::span<const SourceCell> cells, const RowPlace& place,
                  std::string_view text) override {
        return take(cells, {}, place, text);
    }
    void on_rejected(const RejectedRow& rejected) override { reject(rejected); }

    NdjsonReader reader_;
};

}  // namespace

Result<std::unique_ptr<FileMapper>> FileMapper::create(const FileMapping& mapping,
                                                       const schema::Schema& schema,
                                                       const FirstSignals* first_signals,
                                                       ImportSink& sink, RowIds* ids) {
    if (mapping.vectors) return make_vector_mapper(mapping, schema, sink, ids);
    TIDAL_ASSIGN(BoundMapping bound, BoundMapping::bind(mapping, schema, first_signals));
    if (mapping.format == FileFormat::kNdjson)
        return std::unique_ptr<FileMapper>(std::make_unique<NdjsonMapper>(std::move(bound), sink));
    auto mapper = std::make_unique<CsvMapper>(mapping, std::move(bound), sink);
    TIDAL_TRY(mapper->begin());
    return std::unique_ptr<FileMapper>(std::move(mapper));
}

}  // namespace tidal::transfer
