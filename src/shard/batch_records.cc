#include "shard/batch_records.h"

namespace tidal::shard {

Result<void> visit_records(const wal::BatchHeader& header, std::string_view payload,
                           absl::AnyInvocable<Result<void>(record::Record)> visit) {
    Decoder in(payload);
    for (std::uint32_t i = 0; i < header.count; ++i) {
        const std::string_view bytes = in.bytes();
        if (in.failed()) return Error(ErrorCode::kCorruption, "log batch ends inside a record");
        TIDAL_ASSIGN(record::Record record, record::decode_record(bytes, header.region));
        record.envelope.shard = header.shard;
        record.envelope.incarnation = header.incarnation;
        record.envelope.index = LogIndex(header.first_index.value() + i);
        TIDAL_TRY(visit(std::move(record)));
    }
    return in.finish("log batch");
}

}  // namespace tidal::shard
