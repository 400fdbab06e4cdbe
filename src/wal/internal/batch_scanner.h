// wal/internal/batch_scanner.h: walks the batches of one log file held in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wal/batch.h"

namespace tidal::wal {

/// One whole, verified batch. The views lie in the scanned image.
struct ScannedBatch {
    BatchHeader header;
    std::string_view bytes;    ///< Header and payload as stored.
    std::string_view payload;  ///< As stored.
    std::uint64_t offset = 0;
};

/// Where and why a scan met something that is not a batch.
struct Damage {
    std::uint64_t offset = 0;
    std::uint64_t extent_end =
        0;              ///< End of the bad batch, of its header when its length is unknown.
    bool torn = false;  ///< A crash explains it: a 512-byte sector of it was never written.
    Error error;
};

/// The log ends where nothing but zeros follow. Anything else that is not a whole batch is damage.
///
/// The test for a tear is: some 512-byte sector of the bad batch holds nothing but zeros from the
/// batch's first byte (in the first sector) or from its own begin (in a later one) to its end.
/// Files are zero-filled when made and a sector is written whole or not at all, so every sector
/// that a crash kept from being written looks like this; the part before the batch was synced
/// earlier.
class BatchScanner {
public:
    /// `image` begins at offset 0 of the file.
    BatchScanner(std::string_view image, std::uint64_t begin) : image_(image), offset_(begin) {}

    /// The next batch, or nullopt at the end or at damage; then stays there.
    std::optional<ScannedBatch> next();
    /// Begin of what has not been scanned: where the log ends, or where damage begins.
    std::uint64_t offset() const { return offset_; }
    const std::optional<Damage>& damage() const { return damage_; }

private:
    std::nullopt_t stop(Error error, std::uint64_t extent_bytes, bool may_be_torn);

    std::string_view image_;
    std::uint64_t offset_;
    std::optional<Damage> damage_;
};

/// Whether a sector of [begin, end) was never written; see BatchScanner.
bool has_unwritten_sector(std::string_view image, std::uint64_t begin, std::uint64_t end);

/// The next offset >= `begin` at which a whole header with a right checksum stands; nullopt if
/// none.
std::optional<std::uint64_t> find_header(std::string_view image, std::uint64_t begin);

/// The greatest linear position that headers at or after `begin` of file `sequence` say was synced;
/// 0 when there is none.
std::uint64_t latest_synced(std::string_view image, std::uint64_t sequence, std::uint64_t begin);

}  // namespace tidal::wal
