#include "wal/internal/zstd.h"

#include <zstd.h>

#include <cassert>

namespace tidal::wal {

std::string zstd_pack(std::string_view plain, int level) {
    std::string packed(ZSTD_compressBound(plain.size()), '\0');
    const auto size =
        ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), level);
    assert(!ZSTD_isError(size));  // The bound leaves room for any input.
    packed.resize(size);
    return packed;
}

Result<void> zstd_unpack(std::string_view packed, std::size_t plain_bytes_max, std::string* plain) {
    const auto damaged = [](const char* what) {
        return Error(ErrorCode::kCorruption, std::string("compressed bytes: ") + what);
    };
    const auto frame = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
    if (ZSTD_isError(frame) || frame != packed.size()) return damaged("not exactly one zstd frame");
    const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
        return damaged("no plain size");
    if (size > plain_bytes_max) return damaged("plain size above its limit");
    plain->resize(size);
    const auto unpacked = ZSTD_decompress(plain->data(), size, packed.data(), packed.size());
    if (ZSTD_isError(unpacked)) return damaged(ZSTD_getErrorName(unpacked));
    if (unpacked != size) return damaged("another size than stated");
    return {};
}

}  // namespace tidal::wal
