#include "shard/batch_records.h"

namespace tidal::shard {
namespace {

Result<std::string_view> next_bytes(Decoder* payload) {
    const std::string_view bytes = payload->bytes();
    if (payload->failed()) return Error(ErrorCode::kCorruption, "log batch ends inside a record");
    return bytes;
}

/// Record `at` of the batch.
Result<void> decode_at(const wal::BatchHeader& header, std::uint32_t at, std::string_view bytes,
                       record::Record* into) {
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
        TIDAL_ASSIGN(const std::string_view bytes, next_bytes(&in));
        TIDAL_TRY(decode_at(header, i, bytes, &(*memory)[i]));
    }
    TIDAL_TRY(in.finish("log batch"));
    return std::span<const record::Record>(memory->data(), header.count);
}

Result<void> visit_records(const wal::BatchHeader& header, std::string_view payload,
                           absl::AnyInvocable<Result<void>(const record::Record&)> visit) {
    Decoder in(payload);
    record::Record record;
    for (std::uint32_t i = 0; i < header.count; ++i) {
        TIDAL_ASSIGN(const std::string_view bytes, next_bytes(&in));
        if (bytes.empty()) continue;
        TIDAL_TRY(decode_at(header, i, bytes, &record));
        TIDAL_TRY(visit(record));
    }
    return in.finish("log batch");
}

}  // namespace tidal::shard
