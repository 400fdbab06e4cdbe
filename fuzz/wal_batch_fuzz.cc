// Any bytes through the batch header, and through the scanner of a log file.
// What the scanner accepts must be there in full; what it refuses, it refuses at a place inside.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wal/batch.h"
#include "wal/internal/batch_scanner.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void scan(std::string_view image) {
    using namespace tidal::wal;
    BatchScanner scanner(image, 0);
    std::uint64_t offset = 0;
    std::string scratch;
    while (const auto batch = scanner.next()) {
        require(batch->offset == offset);
        require(batch->bytes.size() == kBatchHeaderBytes + batch->header.payload_bytes);
        require(verify_payload(batch->bytes, batch->payload).ok());
        if (const auto plain = unpack_payload(batch->header.codec, batch->payload, &scratch))
            require(plain->size() <= kBatchPayloadBytesMax);
        offset += batch->bytes.size();
    }
    require(scanner.offset() == offset && offset <= image.size());
    if (const auto& damage = scanner.damage())
        require(damage->offset == offset && damage->extent_end <= image.size());
    latest_synced(image, 1, offset);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::wal;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto header = decode_header(input); header && header->version == kBatchVersion) {
        std::string again;
        encode_batch(*header, input.substr(kBatchHeaderBytes), &again);
        require(decode_header(again).ok());
    }
    scan(input);
    // The same bytes as the payload of a good batch, so that the scan gets behind the checksums.
    BatchHeader header;
    header.first_index = tidal::LogIndex(1);
    header.count = 1;
    header.codec = size % 2 == 0 ? BatchCodec::kPlain : BatchCodec::kZstd;
    std::string image;
    encode_batch(header, input, &image);
    scan(image.append(input));
    return 0;
}
