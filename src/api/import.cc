#include "api/import.h"

#include "api/import_history.h"
#include "api/internal/file_feed.h"
#include "api/internal/import_sinks.h"
#include "runtime/data_clock.h"

namespace tidal::api {
namespace {

constexpr std::size_t kChunkWrites = 2000;
// Notes of an import that is complete: by a build that did not yet know what it had read, or since.
constexpr std::uint64_t kDoneUnknown = 1, kDone = 2;
// Half of what one batch of the log holds.
constexpr std::size_t kChunkBytes = 4 << 20;

/// What a write adds to the log, but for small change.
std::size_t bytes_of(const Write& write) {
    std::size_t bytes = 64;
    const auto& body = std::get<PreparedWrite>(write).body;
    if (const auto* signal = std::get_if<record::SignalBody>(&body))
        return bytes + signal->context.size();
    if (const auto* vector = std::get_if<record::EmbeddingBody>(&body))
        return bytes + vector->values.size() * sizeof(float);
    for (const record::FieldChange& change : std::get<record::UpsertBody>(body).fields) {
        bytes += 16;
        if (!change.value) continue;
        if (const auto* text = std::get_if<std::string>(&*change.value)) bytes += text->size();
        if (const auto* words = std::get_if<std::vector<std::string>>(&*change.value))
            for (const std::string& word : *words) bytes += word.size() + 4;
    }
    return bytes;
}

/// How many of the first writes go into one chunk.
std::size_t chunk_of(const std::vector<Write>& writes) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < std::min(writes.size(), kChunkWrites); ++count) {
        bytes += bytes_of(writes[count]);
        if (count > 0 && bytes > kChunkBytes) break;
    }
    return count;
}

class Import {
public:
    Import(Database& database, runtime::Clock& clock, ImportSpec spec, ImportObserver observer)
        : database_(database),
          clock_(clock),
          spec_(std::move(spec)),
          observer_(std::move(observer)),
          history_(database, spec_.id) {}

    runtime::Task<Result<ImportProgress>> run() {
        runtime::Completion<std::uint64_t> noted;
        database_.newest_import_note(spec_.id + "/done", noted.completer());
        Result<std::uint64_t> note = co_await noted;
        TIDAL_CO_TRY(co_await hop());
        TIDAL_CO_ASSIGN(const std::uint64_t done, std::move(note));
        if (done == kDoneUnknown) {
            progress_.complete_before = true;
            co_return progress_;
        }
        TIDAL_CO_TRY(find_sources());
        TIDAL_CO_TRY(note_first_signals());
        std::int64_t shift_ms = spec_.shift_ms;
        if (spec_.shift_end_to_now && first_.newest()) {
            TIDAL_CO_ASSIGN(shift_ms,
                            co_await settle_shift(database_, clock_, spec_.id, *first_.newest()));
            TIDAL_CO_TRY(co_await hop());
        }
        Result<void> begun = co_await history_.begin(spec_.mapping.text_hash, shift_ms);
        TIDAL_CO_TRY(co_await hop());
        TIDAL_CO_TRY(std::move(begun));
        if (spec_.replay) {
            Result<void> replayed = co_await replay();
            TIDAL_CO_TRY(std::move(replayed));
        }
        for (std::size_t i = 0; i < spec_.mapping.files.size() && !spec_.replay; ++i) {
            Result<void> written = co_await write_file(i, shift_ms);
            TIDAL_CO_TRY(std::move(written));
        }
        TIDAL_CO_TRY(history_.end());
        if (done == kDone) {
            progress_.complete_before = progress_.accepted == 0;
            co_return progress_;
        }
        runtime::Completion<void> marked;
        database_.put_import_note(spec_.id + "/done", kDone, marked.completer());
        Result<void> result = co_await marked;
        TIDAL_CO_TRY(std::move(result));
        co_return progress_;
    }

private:
    Result<void> find_sources() {
        const bool twice = two_passes();
        for (const transfer::FileMapping& file : spec_.mapping.files) {
            const ImportSource* found = nullptr;
            for (const ImportSource& source : spec_.sources)
                if (spec_.mapping.find(source.name) == &file) found = &source;
            if (found == nullptr)
                return Error(ErrorCode::kNotFound, "the mapping names a file that is not there")
                    .with("file", file.name);
            sources_.push_back(found);
            if (spec_.replay && file.has_vectors())
                return Error(ErrorCode::kInvalidArgument, "vectors have no time to be replayed at")
                    .with_field("replay")
                    .with("file", file.name)
                    .with_hint("import them once the replay has ended");
            if (has_rows(file))
                progress_.bytes_total += found->bytes * (twice && file.signals ? 2 : 1);
        }
        return {};
    }

    /// Else it is there for the ids that other files' rows have.
    static bool has_rows(const transfer::FileMapping& file) {
        return file.entity || file.signals || file.vectors;
    }

    /// Reads block, so not on the thread that answered a write.
    runtime::Task<Result<void>> hop() {
        if (!spec_.executor) co_return Result<void>();
        Result<void> there = co_await runtime::schedule(*spec_.executor);
        co_return there;
    }

    bool two_passes() const {
        if (spec_.shift_end_to_now) return true;
        for (const auto& file : spec_.mapping.files)
            if (file.needs_first_signals()) return true;
        return false;
    }

    Result<void> note_first_signals() {
        if (!two_passes()) return {};
        const auto schema = database_.schema();
        NotingSink sink(&first_);
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            const transfer::FileMapping& file = spec_.mapping.files[i];
            if (!file.signals) continue;
            // Times of entities are not needed in this pass, so what is noted so far will do.
            TIDAL_ASSIGN(auto mapper, transfer::FileMapper::create(file, *schema, &first_, sink));
            TIDAL_ASSIGN(FileFeed feed, FileFeed::open(*sources_[i]));
            for (std::uint64_t bytes = 1; bytes > 0;) {
                TIDAL_ASSIGN(bytes, feed.step(*mapper));
                report(file.name, bytes);
            }
        }
        return {};
    }

    runtime::Task<Result<void>> write_file(std::size_t at, std::int64_t shift_ms) {
        const transfer::FileMapping& file = spec_.mapping.files[at];
        if (!has_rows(file)) co_return Result<void>();
        const auto schema = database_.schema();
        GatheringSink sink(file.name, shift_ms, observer_, &progress_);
        TIDAL_CO_ASSIGN(const auto ids, ids_of(file, *schema));
        TIDAL_CO_ASSIGN(auto mapper,
                        transfer::FileMapper::create(file, *schema, &first_, sink, ids.get()));
        TIDAL_CO_ASSIGN(FileFeed feed, FileFeed::open(*sources_[at]));
        std::uint64_t rows_before = progress_.rows;
        for (std::uint64_t bytes = 1; bytes > 0;) {
            TIDAL_CO_ASSIGN(bytes, feed.step(*mapper));
            progress_.rows = rows_before + mapper->counts().rows;
            while (sink.queue.writes.size() >= kChunkWrites ||
                   (bytes == 0 && !sink.queue.writes.empty())) {
                Result<void> written = co_await write_chunk(&sink.queue);
                TIDAL_CO_TRY(std::move(written));
            }
            report(file.name, bytes);
        }
        co_return Result<void>();
    }

    /// nullptr = the file's rows need none from elsewhere.
    Result<std::unique_ptr<IdFeed>> ids_of(const transfer::FileMapping& file,
                                           const schema::Schema& schema) const {
        if (!file.vectors || !file.vectors->ids_column) return std::unique_ptr<IdFeed>();
        const transfer::FileMapping* const ids = spec_.mapping.find(file.vectors->ids_file);
        const auto at = static_cast<std::size_t>(ids - spec_.mapping.files.data());
        return IdFeed::open(*file.vectors, *ids, schema, *sources_[at]);
    }

    /// The next writes of the queue, all of them at one side of what the history knows.
    runtime::Task<Result<void>> write_chunk(WriteQueue* queue) {
        const std::uint64_t first = next_position_;
        WriteQueue chunk = queue->take(history_.to_border(chunk_of(queue->writes)));
        next_position_ += chunk.writes.size();
        for (std::size_t i = 0; i < chunk.hashes.size(); ++i)
            TIDAL_CO_TRY(history_.read(first + i, chunk.hashes[i]));
        const std::uint64_t last = next_position_ - 1;
        if (last <= history_.settled()) co_return tell_settled(first, chunk);
        if (last > history_.known()) {
            Result<void> noted = co_await history_.note_read();
            TIDAL_CO_TRY(std::move(noted));
            Result<void> written = co_await write(first, std::move(chunk), false);
            co_return written;
        }
        // Nothing is written before all that was read then is known to be the same.
        again_.append(std::move(chunk));
        if (last < history_.known()) co_return Result<void>();
        const std::uint64_t again_first = history_.settled() + 1;
        Result<void> written = co_await write(again_first, std::exchange(again_, {}), true);
        co_return written;
    }

    /// What an earlier run wrote, or the database refused then.
    Result<void> tell_settled(std::uint64_t first, const WriteQueue& chunk) {
        for (std::size_t i = 0; i < chunk.writes.size(); ++i) {
            TIDAL_ASSIGN(const bool was_refused, history_.was_refused(first + i));
            if (was_refused) {
                refused(chunk.notes[i].get(), refusal_of(database_, {&chunk.writes[i], 1}));
            } else {
                ++progress_.skipped;
            }
        }
        return {};
    }

    /// `again`: an earlier run may have written some of them.
    runtime::Task<Result<void>> write(std::uint64_t first, WriteQueue chunk, bool again) {
        const std::vector<Write> sent = again ? chunk.writes : std::vector<Write>();
        const ImportChunk place{spec_.id, first};
        runtime::Completion<WriteReplies> answered;
        database_.write_import(std::move(chunk.writes), place, {}, answered.completer());
        Result<WriteReplies> replies = co_await answered;
        TIDAL_CO_TRY(co_await hop());
        if (!replies.ok()) co_return Result<void>(replies.take_error());
        std::vector<std::uint64_t> refusals;
        for (std::size_t i = 0; i < replies->size(); ++i) {
            const Result<WriteReply>& reply = (*replies)[i];
            std::optional<Error> error;
            if (!reply.ok()) error = reply.error();
            if (again && reply.ok() && reply->repeated) {
                TIDAL_CO_ASSIGN(error, refused_before(first + i, sent[i]));
            }
            if (!error) {
                ++(reply->repeated ? progress_.skipped : progress_.accepted);
            } else if (is_fault_of_row(error->code())) {
                refused(chunk.notes[i].get(), *error);  // no such item, a time ahead
                refusals.push_back(first + i);
            } else {
                co_return Result<void>(std::move(*error));
            }
        }
        if (refusals.empty()) co_return Result<void>();
        Result<void> noted = co_await history_.note_refused(std::move(refusals));
        TIDAL_CO_TRY(co_await hop());
        co_return noted;
    }

    /// A run that was killed may not have noted what the database refused: it would do so again.
    Result<std::optional<Error>> refused_before(std::uint64_t position, const Write& write) {
        TIDAL_ASSIGN(const bool noted, history_.was_refused(position));
        if (noted) return std::optional(refusal_of(database_, {&write, 1}));
        return refused_now(database_, {&write, 1});
    }

    void refused(const RowNote* note, const Error& error) {
        ++progress_.rejected;
        if (!observer_.on_rejected || note == nullptr) return;
        const std::string reason = error.to_string();
        observer_.on_rejected(*note->file, {note->place, 0, error.field(), reason, note->text});
    }

    /// Reads every file into the sink.
    template <typename Sink>
    Result<void> pass(Sink& sink) {
        const auto schema = database_.schema();
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            const transfer::FileMapping& file = spec_.mapping.files[i];
            sink.set_file(file.name);
            TIDAL_ASSIGN(auto mapper, transfer::FileMapper::create(file, *schema, &first_, sink));
            TIDAL_ASSIGN(FileFeed feed, FileFeed::open(*sources_[i]));
            for (std::uint64_t bytes = 1; bytes > 0;) {
                TIDAL_ASSIGN(bytes, feed.step(*mapper));
            }
        }
        return {};
    }

    /// Rows in the order of their times, the data's clock following them: what is read meanwhile
    /// is what was so at that time of the data.
    runtime::Task<Result<void>> replay() {
        if (spec_.mapping.files.empty()) co_return Result<void>();
        HourCounts hours(spec_.mapping.files.front().name, observer_, &progress_);
        TIDAL_CO_TRY(pass(hours));
        replay_writes_ = hours.writes();
        // After a restart the clock is where the log ends: rows before that are there, or follow at
        // once.
        if (hours.first()) spec_.replay->clock->advance_to(*hours.first());
        replay_from_ms_ = clock_.wall_ms();
        replay_from_ns_ = clock_.monotonic_ns();
        for (const TimeSlice slice : hours.slices()) {
            SliceSink rows(slice, static_cast<bool>(observer_.on_rejected));
            TIDAL_CO_TRY(pass(rows));
            rows.sort();
            Result<void> written = co_await replay_slice(&rows.rows);
            TIDAL_CO_TRY(std::move(written));
        }
        co_return Result<void>();
    }

    /// Where the clock of the data should be by now.
    UnixMillis replay_target_ms() {
        const double seconds = static_cast<double>(clock_.monotonic_ns() - replay_from_ns_) / 1e9;
        return replay_from_ms_ +
               static_cast<UnixMillis>(seconds * spec_.replay->days_per_s * 86'400'000.0);
    }

    runtime::Task<Result<void>> replay_slice(std::vector<TimedWrite>* rows) {
        constexpr std::uint64_t kStepNs = 10'000'000;
        for (std::size_t at = 0; at < rows->size();) {
            const UnixMillis target_ms = replay_target_ms();
            WriteQueue due;
            UnixMillis last_ms = kNoTime;
            for (; at < rows->size() && due.writes.size() < kChunkWrites; ++at) {
                TimedWrite& row = (*rows)[at];
                if (row.at > target_ms) break;
                last_ms = row.at;
                due.push(std::move(row.write), std::move(row.note), row.hash);
            }
            // Between rows the clock moves on too, but never past one that is not written.
            const bool all_due = due.writes.size() < kChunkWrites;
            spec_.replay->clock->advance_to(all_due && at < rows->size() ? target_ms : last_ms);
            progress_.rows += due.writes.size();
            while (!due.writes.empty()) {
                Result<void> written = co_await write_chunk(&due);
                TIDAL_CO_TRY(std::move(written));
            }
            report_replay();
            if (at < rows->size() && all_due) {
                Result<void> slept = co_await runtime::sleep_for(*spec_.executor, kStepNs);
                TIDAL_CO_TRY(std::move(slept));
            }
        }
        co_return Result<void>();
    }

    void report_replay() {
        // Of the time that a replay takes, reading is the smaller part.
        progress_.bytes_done =
            replay_writes_ == 0
                ? progress_.bytes_total
                : static_cast<std::uint64_t>(static_cast<double>(progress_.bytes_total) *
                                             static_cast<double>(progress_.rows) /
                                             static_cast<double>(replay_writes_));
        progress_.data_time_ms = clock_.wall_ms();
        if (observer_.on_progress) observer_.on_progress(progress_);
    }

    void report(const std::string& file, std::uint64_t bytes) {
        progress_.file = file;
        progress_.bytes_done += bytes;
        if (observer_.on_progress) observer_.on_progress(progress_);
    }

    Database& database_;
    runtime::Clock& clock_;
    const ImportSpec spec_;
    const ImportObserver observer_;
    std::vector<const ImportSource*> sources_;  ///< In the order of the mapping's files.
    transfer::FirstSignals first_;
    ImportProgress progress_;
    ImportHistory history_;
    WriteQueue again_;  ///< Of the rows between what is settled and what is known.
    std::uint64_t next_position_ = 1;
    UnixMillis replay_from_ms_ = 0;
    std::uint64_t replay_from_ns_ = 0, replay_writes_ = 0;
};

// Notes are unsigned and 0 means none: a shift is kept as its distance from this.
constexpr std::int64_t kShiftBias = std::int64_t{1} << 62;

}  // namespace

runtime::Task<Result<std::int64_t>> settle_shift(Database& database, runtime::Clock& clock,
                                                 std::string import_id, UnixMillis newest_ms) {
    const std::string name = import_id + "/shift";
    runtime::Completion<std::uint64_t> found;
    database.newest_import_note(name, found.completer());
    Result<std::uint64_t> note = co_await found;
    TIDAL_CO_ASSIGN(const std::uint64_t kept, std::move(note));
    if (kept != 0) co_return static_cast<std::int64_t>(kept) - kShiftBias;
    const std::int64_t shift_ms = clock.wall_ms() - newest_ms;
    runtime::Completion<void> noted;
    database.put_import_note(name, static_cast<std::uint64_t>(shift_ms + kShiftBias),
                             noted.completer());
    Result<void> result = co_await noted;
    TIDAL_CO_TRY(std::move(result));
    co_return shift_ms;
}

bool is_fault_of_row(ErrorCode code) {
    return code == ErrorCode::kNotFound || code == ErrorCode::kInvalidArgument ||
           code == ErrorCode::kUnknownName || code == ErrorCode::kPreconditionFailed ||
           code == ErrorCode::kIdempotencyMismatch || code == ErrorCode::kTooLarge;
}

runtime::Task<Result<ImportProgress>> import_files(Database& database, runtime::Clock& clock,
                                                   ImportSpec spec, ImportObserver observer) {
    // Its rows are in another order: marks of the one say nothing of the other.
    if (spec.replay) spec.id += "/replay";
    Import import(database, clock, std::move(spec), std::move(observer));
    Result<ImportProgress> result = co_await import.run();
    co_return result;
}

}  // namespace tidal::api
