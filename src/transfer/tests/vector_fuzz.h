// transfer/tests/vector_fuzz.h: what the fuzz targets of files of vectors share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "transfer/file_mapper.h"

namespace tidal::transfer {

class VectorFuzz {
public:
    explicit VectorFuzz(const std::string& format)
        : schema_(*schema::parse_schema(R"(
items:
  embeddings:
    default: {dimensions: 3, metric: cosine}
signals:
  view: {polarity: neutral, half_life: 1d}
)")),
          mapping_(*parse_mapping("files: [{file: a, format: " + format +
                                  ", vectors: {first_id: 1}}]")) {}

    void run(std::string_view bytes) const {
        if (trace_of(bytes, SIZE_MAX / 2) != trace_of(bytes, 3)) std::abort();
    }

private:
    struct TracingSink final : ImportSink {
        bool on_row(ImportRow row, const RowPlace& place, std::string_view) override {
            if (std::get<record::EmbeddingBody>(row).values.size() != 3) std::abort();
            trace += "+" + std::to_string(place.line);
            return true;
        }
        void on_rejected(const RejectedRow& row) override {
            trace += "-" + std::to_string(row.place.line) + std::string(row.reason);
        }
        std::string trace;
    };

    std::string trace_of(std::string_view bytes, std::size_t piece) const {
        TracingSink sink;
        auto mapper = FileMapper::create(mapping_.files[0], schema_, nullptr, sink);
        if (!mapper.ok()) std::abort();
        Result<void> read;
        for (std::size_t at = 0; at < bytes.size() && read.ok(); at += piece)
            read = (*mapper)->feed(bytes.substr(at, piece));
        if (read.ok()) read = (*mapper)->finish();
        return sink.trace + (read.ok() ? "" : read.error().to_string());
    }

    const schema::Schema schema_;
    const Mapping mapping_;
};

}  // namespace tidal::transfer
