// api/import.h: files of somebody's own into the database, once, however often it is interrupted.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/database.h"
#include "runtime/data_clock.h"
#include "runtime/task.h"
#include "transfer/file_mapper.h"
#include "transfer/mapping.h"

namespace tidal::api {

/// Bytes of one file, in order. Not thread-safe.
class ByteReader {
public:
    virtual ~ByteReader() = default;
    /// The next piece, at most 1 MiB; empty at the end.
    virtual Result<std::string> read() = 0;
};

/// A file that can be read from the beginning more than once; packed by zstd or plain.
struct ImportSource {
    std::string name;  ///< As the mapping calls it, with or without ".zst".
    std::uint64_t bytes = 0;
    std::function<Result<std::unique_ptr<ByteReader>>()> open;
};

/// Rows in the order of their times, at a pace, by a clock of their own.
struct ImportReplay {
    std::shared_ptr<runtime::DataClock> clock;  ///< The database's clock.
    double days_per_s = 1;                      ///< Days of the data in a second of the world.
};

struct ImportSpec {
    /// Where it goes on after each wait; nullptr = wherever the write was answered. Reads block.
    std::shared_ptr<runtime::Executor> executor;
    std::string id;  ///< The same files under the same id are imported once.
    transfer::Mapping mapping;
    std::vector<ImportSource> sources;   ///< Every file the mapping names.
    std::int64_t shift_ms = 0;           ///< Added to every time.
    std::optional<ImportReplay> replay;  ///< Needs the executor, and no shift.
    bool shift_end_to_now = false;       ///< `time_shift=end:now`: the newest signal becomes now.
};

struct ImportProgress {
    std::string file;
    std::uint64_t bytes_done = 0, bytes_total = 0;  ///< Of all files, as stored, over all passes.
    std::uint64_t rows = 0;                         ///< Rows read in the writing pass.
    std::uint64_t accepted = 0, skipped = 0, rejected = 0;  ///< Writes; skipped = imported before.
    std::optional<UnixMillis> data_time_ms;  ///< Of a replay: where the data's clock is.
    bool complete_before = false;            ///< The whole import was there already.
};

struct ImportObserver {
    std::function<void(const ImportProgress&)> on_progress;
    /// A row that its mapping does not fit, or whose writes the database refused.
    std::function<void(const std::string& file, const transfer::RejectedRow&)> on_rejected;
};

/// How far times move so that `newest_ms` becomes now: chosen once and kept beside the import's
/// marks, so that an import that goes on tomorrow shifts by the same.
runtime::Task<Result<std::int64_t>> settle_shift(Database& database, runtime::Clock& clock,
                                                 std::string import_id, UnixMillis newest_ms);

/// The row is wrong, not the moment: it is left out and the import goes on. Any other refusal ends
/// it, for a later chunk's mark would cover the rows that were not written.
bool is_fault_of_row(ErrorCode code);

/// Reads the files (twice where a time depends on signals further on), writes in chunks, and marks
/// each chunk in the log together with its rows: after a kill at any moment the next call goes on
/// where every shard stopped. Runs on the caller's thread between waits; reads block.
/// @return kNotFound for a file of the mapping that no source has; errors of mapping and reading.
runtime::Task<Result<ImportProgress>> import_files(Database& database, runtime::Clock& clock,
                                                   ImportSpec spec, ImportObserver observer);

}  // namespace tidal::api
