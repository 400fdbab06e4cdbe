// http/import_lines.h: the JSON lines of an import, in any pieces, written once each.
#pragma once

#include <absl/functional/any_invocable.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/database.h"
#include "api/import_history.h"
#include "http/json_read.h"
#include "http/line_splitter.h"

namespace tidal::http {

struct ImportCounts {
    std::uint64_t lines = 0;     ///< Read so far, good and bad.
    std::uint64_t accepted = 0;  ///< Written now.
    std::uint64_t skipped = 0;   ///< Written by an earlier run under the same id.
    std::uint64_t rejected = 0;
};

/// Lines become writes (an item with a vector two), a piece's lines one chunk, each marked in the
/// log together with its rows. Lines other than those that were read under the id before end it
/// with `import_differs` (api/import_history.h). A line that is wrong is rejected and left out. A
/// chunk that the log does not take as a whole (a full disk, a time-out) ends the import: a later
/// chunk would move the mark past its rows. Threads: one call at a time; `done` runs on an executor
/// of the database or at once. Lifetime: calls under way keep it alive.
class ImportLines : public std::enable_shared_from_this<ImportLines> {
public:
    /// A rejected line with its reason; the error has `line`. The text is empty when it was too
    /// long to keep.
    using OnRejected = std::function<void(const Error& error, std::string_view text)>;
    /// The error that ended the import, with `line`: the first that may not be written.
    using Done = absl::AnyInvocable<void(Result<void>)>;

    /// `shift_ms` is added to every time.
    ImportLines(api::Database& database, std::string import_id, std::int64_t shift_ms,
                OnRejected on_rejected);
    ~ImportLines();

    /// Not again after an error.
    void feed(std::string_view bytes, Done done);
    /// The last line needs no end.
    void finish(Done done);
    const ImportCounts& counts() const { return counts_; }

private:
    struct Line;
    struct Chunk;
    Result<std::vector<api::Write>> parse(std::uint64_t number, Result<std::string_view> line);
    LineSplitter::OnLine parse_into(Chunk* chunk);
    static runtime::Task<void> take(std::shared_ptr<ImportLines> self, Chunk chunk, bool last,
                                    Done done);
    runtime::Task<Result<void>> write_new(Chunk chunk);
    runtime::Task<Result<void>> write(Chunk chunk, bool again);
    Result<void> tell_settled(const Chunk& chunk);
    void reject(const Line& line, Error error);
    Error stopped(const Error& by, std::uint64_t first) const;
    Result<std::optional<Error>> refusal_of(const Line& line,
                                            std::span<const Result<api::WriteReply>> own,
                                            std::span<const api::Write> writes);
    Result<void> count(const Chunk& chunk, const api::WriteReplies& replies, bool again,
                       std::vector<std::uint64_t>* refused);

    api::Database& database_;
    const std::string import_id_;
    const std::int64_t shift_ms_;
    const OnRejected on_rejected_;
    JsonReader reader_;
    LineSplitter lines_;
    ImportCounts counts_;
    api::ImportHistory history_;
    bool begun_ = false;            ///< The history is known.
    std::unique_ptr<Chunk> again_;  ///< Between what is settled and what is known.
};

/// Adds `shift_ms` to every time that the write gives.
void shift_times(api::Write* write, std::int64_t shift_ms);

}  // namespace tidal::http
