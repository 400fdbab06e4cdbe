// Any bytes through the record decoder. What reads passes the limits, and reads back equal.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "record/record.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

// NaN payloads are kept but compare unequal, so equality is of the bytes written.
std::string encode(const tidal::record::Record& record) {
    tidal::Encoder out;
    tidal::record::encode_record(record, tidal::kFirstRegion, &out);
    return out.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::record;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto record = decode_record(input, tidal::kFirstRegion);
    if (!record) {
        require(record.error().code() == tidal::ErrorCode::kCorruption);
        return 0;
    }
    require(check_record(*record).ok());
    const std::string bytes = encode(*record);
    const auto again = decode_record(bytes, tidal::kFirstRegion);
    require(again.ok() && encode(*again) == bytes);
    require(body_hash(again->body) == body_hash(record->body));
    return 0;
}
