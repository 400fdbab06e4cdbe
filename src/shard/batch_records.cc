#include "shard/batch_records.h"

namespace tidal::shard {
namespace {

/// Record `at` of the batch, next in `payload`.
Result<void> decode_next(const wal::BatchHeader& header, std::uint32_t at, Decoder* payload,
                         record::Record* into) {
    const std::string_view bytes = payload->bytes();
    if (payload->failed()) return Error(ErrorCode::kCorruption, "log batch ends inside a record");
    TIDAL_TRY(record::decode_record(bytes, header.region, into));
    into->envelope.shard = header.shard;
    into->envelope.incarnation = header.incarnation;
    into->envelope.index = LogIndex(header.first_index.value() + at);
    return {};
}

}  // namespace

Result<std::span<const record::Record>> decode_records(const wal::BatchHeader& header,
                                                       std::string_view payload,
                                                       std::vector<record::Record>* memory) {
    Decoder in(payload);
    for (std::uint32_t i = 0; i < header.count; ++i) {
        // One by one: a count that the payload does not bear out must not become memory.
        if (i == memory->size()) memory->emplace_back();
        TIDAL_TRY(decode_next(header, i, &in, &(*memory)[i]));
    }
    TIDAL_TRY(in.finish("log batch"));
    return std::span<const record::Record>(memory->data(), header.count);
}

Result<void> visit_records(const wal::BatchHeader& header, std::string_view payload,
                           absl::AnyInvocable<Result<void>(const record::Record&)> visit) {
    Decoder in(payload);
    record::Record record;
    for (std::uint32_t i = 0; i < header.count; ++i) {
        TIDAL_TRY(decode_next(header, i, &in, &record));
        TIDAL_TRY(visit(record));
    }
    return in.finish("log batch");
}

}  // namespace tidal::shard
