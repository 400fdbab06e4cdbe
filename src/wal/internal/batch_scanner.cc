#include "wal/internal/batch_scanner.h"

#include <algorithm>
#include <cstring>

#include "wal/internal/log_format.h"

namespace tidal::wal {

bool has_unwritten_sector(std::string_view image, std::uint64_t begin, std::uint64_t end) {
    for (auto at = begin; at < end;) {
        const auto sector_end =
            std::min<std::uint64_t>((at / kSectorBytes + 1) * kSectorBytes, image.size());
        if (all_zero(image.substr(at, sector_end - at))) return true;
        at = sector_end;
    }
    return false;
}

std::nullopt_t BatchScanner::stop(Error error, std::uint64_t extent_bytes, bool may_be_torn) {
    const auto end = std::min<std::uint64_t>(offset_ + extent_bytes, image_.size());
    const bool torn = may_be_torn && has_unwritten_sector(image_, offset_, end);
    damage_ = Damage{offset_, end, torn, std::move(error)};
    return std::nullopt;
}

std::optional<ScannedBatch> BatchScanner::next() {
    if (damage_) return std::nullopt;
    const auto rest = image_.substr(offset_);
    if (all_zero(rest.substr(0, kBatchHeaderBytes))) {
        if (all_zero(rest)) return std::nullopt;
        return stop(Error(ErrorCode::kCorruption,
                          "bytes after the end of the log, or no batch before them"),
                    kBatchHeaderBytes, true);
    }
    auto header = decode_header(rest);
    if (!header) {
        const bool damaged = header.error().code() == ErrorCode::kCorruption;
        return stop(header.take_error(), kBatchHeaderBytes, damaged);
    }
    const auto batch_bytes = kBatchHeaderBytes + header->payload_bytes;
    if (rest.size() < batch_bytes)
        return stop(Error(ErrorCode::kCorruption, "batch reaches past the end of the file"),
                    kBatchHeaderBytes, false);
    ScannedBatch batch{*header, rest.substr(0, batch_bytes), {}, offset_};
    batch.payload = batch.bytes.substr(kBatchHeaderBytes);
    if (auto verified = verify_payload(batch.bytes, batch.payload); !verified)
        return stop(verified.take_error(), batch_bytes, true);
    offset_ += batch_bytes;
    return batch;
}

std::optional<std::uint64_t> find_header(std::string_view image, std::uint64_t begin) {
    const std::string_view magic(reinterpret_cast<const char*>(&kBatchMagic), sizeof(kBatchMagic));
    while (begin < image.size()) {
        const void* found =
            memmem(image.data() + begin, image.size() - begin, magic.data(), magic.size());
        if (found == nullptr) return std::nullopt;
        begin = static_cast<std::uint64_t>(static_cast<const char*>(found) - image.data());
        if (decode_header(image.substr(begin))) return begin;
        ++begin;
    }
    return std::nullopt;
}

std::uint64_t latest_synced(std::string_view image, std::uint64_t sequence, std::uint64_t begin) {
    std::uint64_t latest = 0;
    while (const auto at = find_header(image, begin)) {
        const auto header = decode_header(image.substr(*at)).value();
        const auto position = linear({sequence, *at});
        latest = std::max(latest, synced_before(position, header));
        begin = *at + kBatchHeaderBytes;
    }
    return latest;
}

}  // namespace tidal::wal
