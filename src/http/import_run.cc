#include "http/import_run.h"

#include <algorithm>

#include "base/edit_distance.h"
#include "http/import_lines.h"

namespace tidal::http {
namespace {

constexpr std::size_t kMappingBytesMax = 1 << 20;

Result<std::string> read_whole(const api::ImportSource& source) {
    if (source.bytes > kMappingBytesMax)
        return Error(ErrorCode::kTooLarge, "a mapping of more than 1 MiB");
    TIDAL_ASSIGN(auto reader, source.open());
    std::string text;
    while (true) {
        TIDAL_ASSIGN(const std::string piece, reader->read());
        if (piece.empty()) return text;
        text += piece;
    }
}

bool is_mapping(std::string_view name) {
    return name.ends_with(".yaml") || name.ends_with(".yml");
}

/// The mapping and its files; each must have the other.
Result<api::ImportSpec> spec_of(ImportSpool& spool, const ImportCall& call) {
    api::ImportSpec spec;
    spec.id = call.id;
    spec.shift_ms = call.shift_ms;
    spec.shift_end_to_now = call.end_to_now;
    spec.replay = call.replay;
    const auto& names = spool.names();
    const auto count = std::count_if(names.begin(), names.end(), is_mapping);
    if (count != 1)
        return Error(ErrorCode::kInvalidArgument,
                     count == 0 ? "the archive has no mapping" : "the archive has two mappings")
            .with_hint("one file that ends in .yaml says how the others are read");
    const std::string mapping_name = *std::find_if(names.begin(), names.end(), is_mapping);
    TIDAL_ASSIGN(const std::string yaml, read_whole(spool.source(mapping_name)));
    auto mapping = transfer::parse_mapping(yaml);
    if (!mapping.ok()) return mapping.take_error().with("file", mapping_name);
    spec.mapping = std::move(*mapping);
    for (const std::string& name : names) {
        if (is_mapping(name)) continue;
        if (spec.mapping.find(name) == nullptr) {
            std::vector<std::string_view> known;
            for (const auto& file : spec.mapping.files) known.push_back(file.name);
            return Error(ErrorCode::kUnknownName, "the mapping names no such file")
                .with("file", name)
                .with_hint(name_hint(name, known));
        }
        spec.sources.push_back(spool.source(name));
    }
    return spec;
}

runtime::Task<Result<api::ImportProgress>> run_mapped(api::Database& database,
                                                      std::shared_ptr<ImportJobs> jobs,
                                                      std::shared_ptr<ImportJob> job,
                                                      std::shared_ptr<ImportSpool> spool,
                                                      ImportCall call) {
    TIDAL_CO_ASSIGN(api::ImportSpec spec, spec_of(*spool, call));
    spec.executor = jobs->runner();
    api::ImportObserver observer;
    observer.on_progress = [job](const api::ImportProgress& progress) { job->running(progress); };
    observer.on_rejected = [job](const std::string& file, const transfer::RejectedRow& row) {
        Error error(ErrorCode::kInvalidArgument, std::string(row.reason));
        job->reject(std::move(error)
                        .with_field(row.column_name)
                        .with("file", file)
                        .with("line", row.place.line),
                    row.text);
    };
    Result<api::ImportProgress> done = co_await api::import_files(
        database, jobs->runtime().clock(), std::move(spec), std::move(observer));
    co_return done;
}

/// The newest time a signal of the lines gives.
Result<std::optional<UnixMillis>> newest_of(const api::ImportSource& source,
                                            api::ImportProgress* progress, ImportJob& job) {
    JsonReader json;
    LineSplitter lines;
    std::optional<UnixMillis> newest;
    const auto note = [&](std::uint64_t, Result<std::string_view> line) {
        if (!line.ok()) return;
        const auto writes = json.import_line(*line);
        const auto* signal =
            writes.ok() ? std::get_if<api::SignalWrite>(&writes->front()) : nullptr;
        if (signal != nullptr && signal->at_ms)
            newest = std::max(newest.value_or(*signal->at_ms), *signal->at_ms);
    };
    TIDAL_ASSIGN(auto reader, source.open());
    while (true) {
        TIDAL_ASSIGN(const std::string piece, reader->read());
        if (piece.empty()) break;
        lines.feed(piece, note);
        progress->bytes_done += piece.size();
        job.running(*progress);
    }
    lines.finish(note);
    return newest;
}

runtime::Task<Result<api::ImportProgress>> run_lines(api::Database& database,
                                                     std::shared_ptr<ImportJobs> jobs,
                                                     std::shared_ptr<ImportJob> job,
                                                     std::shared_ptr<ImportSpool> spool,
                                                     ImportCall call) {
    const api::ImportSource source = spool->source(std::string(kLinesFile));
    api::ImportProgress progress;
    progress.bytes_total = 2 * source.bytes;
    TIDAL_CO_ASSIGN(const auto newest, newest_of(source, &progress, *job));
    std::int64_t shift_ms = 0;
    if (newest) {
        Result<std::int64_t> settled =
            co_await api::settle_shift(database, jobs->runtime().clock(), call.id, *newest);
        if (!settled.ok()) co_return settled.take_error();
        shift_ms = *settled;
    }
    const auto lines = std::make_shared<ImportLines>(
        database, call.id, shift_ms,
        [job](const Error& error, std::string_view text) { job->reject(error, text); });
    TIDAL_CO_ASSIGN(auto reader, source.open());
    for (bool more = true; more;) {
        Result<void> there = co_await runtime::schedule(*jobs->runner());
        TIDAL_CO_TRY(std::move(there));
        TIDAL_CO_ASSIGN(const std::string piece, reader->read());
        more = !piece.empty();
        runtime::Completion<void> written;
        if (more) {
            lines->feed(piece, written.completer());
        } else {
            lines->finish(written.completer());
        }
        Result<void> result = co_await written;
        const ImportCounts& counts = lines->counts();
        progress.bytes_done += piece.size();
        progress.rows = counts.lines;
        progress.accepted = counts.accepted;
        progress.skipped = counts.skipped;
        progress.rejected = counts.rejected;
        job->running(progress);
        TIDAL_CO_TRY(std::move(result));
    }
    co_return progress;
}

}  // namespace

runtime::Task<void> run_spooled(api::Database& database, std::shared_ptr<ImportJobs> jobs,
                                std::shared_ptr<ImportJob> job, std::shared_ptr<ImportSpool> spool,
                                ImportCall call, bool tar) {
    Result<void> there = co_await runtime::schedule(*jobs->runner());
    if (!there.ok()) {
        job->failed(there.error());
        co_return;
    }
    auto task = tar ? run_mapped(database, jobs, job, spool, call)
                    : run_lines(database, jobs, job, spool, call);
    const Result<api::ImportProgress> done = co_await std::move(task);
    if (done.ok()) {
        job->finished(*done);
    } else {
        job->failed(done.error());
    }
}

}  // namespace tidal::http
