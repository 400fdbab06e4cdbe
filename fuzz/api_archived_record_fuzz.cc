// Any bytes as a record of the archive: opened, refused, or of nobody; what is opened is a record.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/internal/archived_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using Owner = audience::ArchiveKeys::Owner;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    auto cipher = api::ArchiveCipher::make();
    if (!cipher) std::abort();
    const api::ArchivedRecords records(*cipher);
    wal::BatchHeader header;
    header.region = kFirstRegion;
    header.shard = ShardId(3);
    header.incarnation = Incarnation(1);
    const Owner nina{EntityId("nina"), std::string(record::kArchiveSecretBytes, 'n')};
    record::Record scratch;
    const auto opened = records.open(header, LogIndex(41), bytes, &scratch,
                                     [&](std::uint64_t alias) -> Result<const Owner*> {
                                         return alias % 2 == 1 ? &nina : nullptr;
                                     });
    if (!opened || opened->empty() || bytes.front() != 1) return 0;
    if (!record::decode_record(*opened, header.region)) std::abort();
    return 0;
}
