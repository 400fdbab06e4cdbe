#include "storage/internal/directory_load.h"

#include "storage/internal/keys.h"
#include "storage/internal/overlay.h"

namespace tidal::storage::internal {
namespace {

Result<void> load_chunk(std::string_view key, std::string_view value, PageDirectory& directory) {
    if (key.size() != kRowPrefixBytes + 4)
        return Error(ErrorCode::kCorruption, "page directory row with a malformed key")
            .with("bytes", key.size());
    std::uint32_t chunk = 0;
    for (const char byte : key.substr(kRowPrefixBytes))
        chunk = chunk << 8 | static_cast<unsigned char>(byte);
    return directory.decode_chunk(chunk, value);
}

}  // namespace

Result<std::optional<CheckpointHead>> load_head(RowEngine& rows, ShardId shard) {
    TIDAL_ASSIGN(const auto row, rows.get(row_prefix(shard, RowArea::kCheckpoint)));
    if (!row) return std::optional<CheckpointHead>();
    auto head = decode_head(*row);
    if (!head) return head.take_error().with("shard", shard.value());
    return std::optional(*head);
}

Result<void> load_directory(RowEngine& rows, ShardId shard, PageDirectory& directory) {
    const std::string prefix = row_prefix(shard, RowArea::kDirectory);
    Result<void> loaded;
    TIDAL_TRY(
        rows.scan(prefix, prefix_end(prefix), [&](std::string_view key, std::string_view value) {
            loaded = load_chunk(key, value, directory);
            return loaded.ok();
        }));
    if (!loaded) return loaded.take_error().with("shard", shard.value());
    return {};
}

}  // namespace tidal::storage::internal
