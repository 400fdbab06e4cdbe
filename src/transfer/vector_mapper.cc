#include "transfer/internal/vector_mapper.h"

#include <limits>
#include <optional>

#include "entity/vector_codec.h"
#include "transfer/internal/vector_reader.h"
#include "transfer/internal/yaml_map.h"

namespace tidal::transfer {
namespace {

using schema::yaml_error;

class VectorMapper final : public FileMapper {
public:
    VectorMapper(const FileMapping& mapping, const schema::EmbeddingSpec& spec, ImportSink& sink,
                 RowIds* ids)
        : mapping_(mapping),
          spec_(spec),
          sink_(sink),
          ids_(ids),
          reader_(VectorReader::create(mapping.format, spec.dimensions)) {}

    Result<void> feed(std::string_view bytes) override {
        if (failure_) return Error(*failure_);
        counts_.bytes += bytes.size();
        return keep(reader_->feed(bytes, [&](std::uint64_t row, std::span<const float> values) {
            return take(row, values);
        }));
    }
    Result<void> finish() override {
        if (failure_) return Error(*failure_);
        TIDAL_TRY(keep(reader_->finish()));
        if (stopped_ || ids_ == nullptr) return {};
        TIDAL_ASSIGN(const auto more, ids_->next());
        if (!more) return {};
        return keep(Error(ErrorCode::kInvalidArgument,
                          "the file of ids has more rows than the file of vectors")
                        .with("vectors", rows_));
    }
    const Counts& counts() const override { return counts_; }

private:
    Result<void> keep(Result<void> result) {
        if (result.ok()) return result;
        failure_ = result.take_error().with("file", mapping_.name);
        return Error(*failure_);
    }

    Result<bool> take(std::uint64_t row, std::span<const float> values) {
        rows_ = row;
        TIDAL_ASSIGN(const RowIds::Id id, id_of(row));
        const RowPlace place{row, row};
        if (!id.id) {
            reject(place, id.reason, {});
            return true;
        }
        const std::string text = id.id->to_string();
        if (const auto checked = entity::check_vector(spec_, values); !checked.ok()) {
            reject(place, checked.error().to_string(), text);
            return true;
        }
        ++counts_.rows;
        ++counts_.writes;
        record::EmbeddingBody body{
            mapping_.vectors->kind, *id.id, spec_.id, {values.begin(), values.end()}};
        stopped_ = !sink_.on_row(std::move(body), place, text);
        return !stopped_;
    }

    Result<RowIds::Id> id_of(std::uint64_t row) {
        if (ids_ == nullptr) return counted_id(row);
        TIDAL_ASSIGN(auto id, ids_->next());
        if (id) return std::move(*id);
        return Error(ErrorCode::kInvalidArgument,
                     "row " + std::to_string(row) + ": the file of ids has no more rows")
            .with("ids", mapping_.vectors->ids_file);
    }

    Result<RowIds::Id> counted_id(std::uint64_t row) const {
        constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
        const std::uint64_t first = *mapping_.vectors->first_id;
        if (row - 1 <= kLast - first) return RowIds::Id{EntityId(first + (row - 1)), {}};
        return Error(ErrorCode::kInvalidArgument, "row " + std::to_string(row) +
                                                      ": its id would be greater than " +
                                                      std::to_string(kLast) + ", the last there is")
            .with("first_id", first)
            .with_hint("give a first_id from which all rows have an id");
    }

    void reject(const RowPlace& place, std::string_view reason, std::string_view text) {
        ++counts_.rejected;
        sink_.on_rejected({place, 0, spec_.name, reason, text});
    }

    const FileMapping& mapping_;
    const schema::EmbeddingSpec& spec_;
    ImportSink& sink_;
    RowIds* const ids_;
    const std::unique_ptr<VectorReader> reader_;
    Counts counts_;
    std::uint64_t rows_ = 0;  ///< With those rejected.
    bool stopped_ = false;
    std::optional<Error> failure_;
};

Result<const schema::EmbeddingSpec*> find_slot(const VectorMapping& vectors,
                                               const schema::Schema& schema) {
    const auto& slots = schema.kind(vectors.kind).embeddings;
    if (vectors.slot.empty() && slots.size() == 1) return &slots.front();
    if (vectors.slot.empty())
        return yaml_error(vectors.mark, slots.empty()
                                            ? "the schema declares no embeddings of this kind"
                                            : "the kind has several embedding slots: name one");
    if (const auto* const found = schema.find_embedding(vectors.kind, vectors.slot)) return found;
    std::vector<std::string_view> names;
    for (const schema::EmbeddingSpec& slot : slots) names.push_back(slot.name);
    return unknown_name(vectors.mark, "embedding slot", vectors.slot, names);
}

}  // namespace

Result<std::unique_ptr<FileMapper>> make_vector_mapper(const FileMapping& mapping,
                                                       const schema::Schema& schema,
                                                       ImportSink& sink, RowIds* ids) {
    const VectorMapping& vectors = *mapping.vectors;
    TIDAL_ASSIGN(const schema::EmbeddingSpec* slot, find_slot(vectors, schema));
    if (vectors.first_id && schema.kind(vectors.kind).string_ids)
        return yaml_error(vectors.mark,
                          "first_id counts numbers, and ids of this kind are texts: give ids, a "
                          "column of another file");
    if (vectors.ids_column && ids == nullptr)
        return Error(ErrorCode::kInvalidArgument, "vectors need their file of ids beside them")
            .with("file", mapping.name);
    return std::unique_ptr<FileMapper>(
        std::make_unique<VectorMapper>(mapping, *slot, sink, vectors.first_id ? nullptr : ids));
}

}  // namespace tidal::transfer
