// Any bytes as CSV, TSV, NDJSON and zstd: rows, rejected rows or an error, the same however cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "schema/schema.h"
#include "transfer/file_mapper.h"
#include "transfer/zstd_reader.h"

namespace {

using namespace tidal;

struct CountingSink final : transfer::ImportSink {
    bool on_row(transfer::ImportRow, const transfer::RowPlace& place, std::string_view) override {
        trace += "+" + std::to_string(place.line);
        return true;
    }
    void on_rejected(const transfer::RejectedRow& row) override {
        trace +=
            "-" + std::to_string(row.place.line) + std::string(row.reason) + std::string(row.text);
    }
    std::string trace;
};

std::string trace_of(const transfer::FileMapping& mapping, const schema::Schema& schema,
                     std::string_view bytes, std::size_t piece) {
    CountingSink sink;
    auto mapper = transfer::FileMapper::create(mapping, schema, nullptr, sink);
    if (!mapper.ok()) std::abort();
    bool failed = false;
    for (std::size_t at = 0; at < bytes.size() && !failed; at += piece)
        failed = !(*mapper)->feed(bytes.substr(at, piece)).ok();
    if (!failed) failed = !(*mapper)->finish().ok();
    return sink.trace + (failed ? "!" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const schema::Schema schema = *schema::parse_schema(schema::default_schema_yaml());
    static const transfer::Mapping mapping = *transfer::parse_mapping(R"(
files:
  - {file: a, columns: [a, b], items: {id: a, fields: {title: {column: b, trim: true}, genres: {column: b, split: ","}, year: {column: b, regex: '(\d+)$'}}}}
  - {file: b, format: tsv, signals: {item: a, user: b, emit: [view]}}
  - {file: c, format: ndjson, items: {id: a, fields: {genres: b}}, signals: {item: a, at: {column: t, unit: s}, emit: [{type: like, when: r > 1}]}}
)");
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const transfer::FileMapping& file : mapping.files)
        if (trace_of(file, schema, bytes, SIZE_MAX / 2) != trace_of(file, schema, bytes, 3))
            std::abort();
    transfer::ZstdReader reader;
    std::size_t unpacked = 0;
    transfer::ZstdReader::Sink sink = [&](std::string_view piece) -> Result<void> {
        unpacked += piece.size();
        if (unpacked > 1 << 24) return Error(ErrorCode::kTooLarge, "enough");
        return {};
    };
    if (reader.feed(bytes, sink).ok()) (void)reader.finish();
    return 0;
}
