#include "api/import.h"

#include "transfer/zstd_reader.h"

namespace tidal::api {
namespace {

constexpr std::size_t kChunkWrites = 2000;
// Half of what one batch of the log holds.
constexpr std::size_t kChunkBytes = 4 << 20;

/// What a write adds to the log, but for small change.
std::size_t bytes_of(const Write& write) {
    std::size_t bytes = 64;
    const auto& body = std::get<PreparedWrite>(write).body;
    if (const auto* signal = std::get_if<record::SignalBody>(&body))
        return bytes + signal->context.size();
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

/// Feeds a file to a mapper, unpacking where it is packed.
class FileFeed {
public:
    static Result<FileFeed> open(const ImportSource& source) {
        FileFeed feed;
        TIDAL_ASSIGN(feed.reader_, source.open());
        return feed;
    }

    /// The bytes taken from the file; 0 at its end, after which the mapper is finished.
    Result<std::uint64_t> step(transfer::FileMapper& mapper) {
        TIDAL_ASSIGN(const std::string piece, reader_->read());
        if (first_) packed_ = transfer::ZstdReader::is_packed(piece);
        first_ = false;
        if (piece.empty()) {
            if (packed_) TIDAL_TRY(unpacker_->finish());
            TIDAL_TRY(mapper.finish());
            return std::uint64_t{0};
        }
        if (!packed_) {
            TIDAL_TRY(mapper.feed(piece));
        } else {
            transfer::ZstdReader::Sink sink = [&](std::string_view bytes) {
                return mapper.feed(bytes);
            };
            TIDAL_TRY(unpacker_->feed(piece, sink));
        }
        return std::uint64_t{piece.size()};
    }

private:
    std::unique_ptr<ByteReader> reader_;
    std::unique_ptr<transfer::ZstdReader> unpacker_ = std::make_unique<transfer::ZstdReader>();
    bool first_ = true, packed_ = false;
};

/// First pass: only notes when things were first and last signalled.
class NotingSink final : public transfer::ImportSink {
public:
    explicit NotingSink(transfer::FirstSignals* first) : first_(first) {}
    bool on_row(transfer::ImportRow row, const transfer::RowPlace&, std::string_view) override {
        first_->note(row);
        return true;
    }
    void on_rejected(const transfer::RejectedRow&) override {}

private:
    transfer::FirstSignals* first_;
};

/// Where a write came from, for the file of rejected rows.
struct RowNote {
    transfer::RowPlace place;
    std::string text;
};

/// Second pass: gathers writes until the caller takes them.
class GatheringSink final : public transfer::ImportSink {
public:
    GatheringSink(const std::string& file, std::int64_t shift_ms, const ImportObserver& observer,
                  ImportProgress* progress)
        : file_(file), shift_ms_(shift_ms), observer_(observer), progress_(progress) {}
    bool on_row(transfer::ImportRow row, const transfer::RowPlace& place,
                std::string_view text) override {
        transfer::shift_times(&row, shift_ms_);
        if (observer_.on_rejected && (!note_ || note_->place.row != place.row))
            note_ = std::make_shared<const RowNote>(RowNote{place, std::string(text)});
        notes.push_back(note_);
        if (auto* upsert = std::get_if<record::UpsertBody>(&row)) {
            writes.emplace_back(PreparedWrite{std::move(*upsert), std::nullopt});
        } else {
            auto& signal = std::get<transfer::SignalRow>(row);
            writes.emplace_back(PreparedWrite{std::move(signal.body), signal.at_ms});
        }
        return true;
    }
    void on_rejected(const transfer::RejectedRow& rejected) override {
        ++progress_->rejected;
        if (observer_.on_rejected) observer_.on_rejected(file_, rejected);
    }
    void refused(const RowNote* note, const Error& error) {
        ++progress_->rejected;
        if (!observer_.on_rejected || note == nullptr) return;
        const std::string reason = error.to_string();
        observer_.on_rejected(file_, {note->place, 0, error.field(), reason, note->text});
    }

    std::vector<Write> writes;
    std::vector<std::shared_ptr<const RowNote>> notes;  ///< Of each write.

private:
    const std::string& file_;
    const std::int64_t shift_ms_;
    const ImportObserver& observer_;
    ImportProgress* progress_;
    std::shared_ptr<const RowNote> note_;
};

class Import {
public:
    Import(Database& database, runtime::Clock& clock, ImportSpec spec, ImportObserver observer)
        : database_(database),
          clock_(clock),
          spec_(std::move(spec)),
          observer_(std::move(observer)) {}

    runtime::Task<Result<ImportProgress>> run() {
        TIDAL_CO_ASSIGN(const std::uint64_t done, database_.import_note(spec_.id + "/done"));
        if (done != 0) {
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
        for (std::size_t i = 0; i < spec_.mapping.files.size(); ++i) {
            Result<void> written = co_await write_file(i, shift_ms);
            TIDAL_CO_TRY(std::move(written));
        }
        runtime::Completion<void> marked;
        database_.put_import_note(spec_.id + "/done", 1, marked.completer());
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
            progress_.bytes_total += found->bytes * (twice && file.signals ? 2 : 1);
        }
        return {};
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
        const auto schema = database_.schema();
        GatheringSink sink(file.name, shift_ms, observer_, &progress_);
        TIDAL_CO_ASSIGN(auto mapper, transfer::FileMapper::create(file, *schema, &first_, sink));
        TIDAL_CO_ASSIGN(FileFeed feed, FileFeed::open(*sources_[at]));
        std::uint64_t rows_before = progress_.rows;
        for (std::uint64_t bytes = 1; bytes > 0;) {
            TIDAL_CO_ASSIGN(bytes, feed.step(*mapper));
            progress_.rows = rows_before + mapper->counts().rows;
            while (sink.writes.size() >= kChunkWrites || (bytes == 0 && !sink.writes.empty())) {
                Result<void> written = co_await write_chunk(&sink);
                TIDAL_CO_TRY(std::move(written));
            }
            report(file.name, bytes);
        }
        co_return Result<void>();
    }

    runtime::Task<Result<void>> write_chunk(GatheringSink* sink) {
        std::vector<Write>* const writes = &sink->writes;
        const std::size_t count = chunk_of(*writes);
        std::vector<Write> chunk(
            std::make_move_iterator(writes->begin()),
            std::make_move_iterator(writes->begin() + static_cast<std::ptrdiff_t>(count)));
        writes->erase(writes->begin(), writes->begin() + static_cast<std::ptrdiff_t>(count));
        const ImportChunk place{spec_.id, next_position_};
        next_position_ += count;
        runtime::Completion<WriteReplies> answered;
        database_.write_import(std::move(chunk), place, {}, answered.completer());
        Result<WriteReplies> replies = co_await answered;
        TIDAL_CO_TRY(co_await hop());
        if (!replies.ok()) co_return Result<void>(replies.take_error());
        const std::vector<std::shared_ptr<const RowNote>> notes(
            sink->notes.begin(), sink->notes.begin() + static_cast<std::ptrdiff_t>(count));
        sink->notes.erase(sink->notes.begin(),
                          sink->notes.begin() + static_cast<std::ptrdiff_t>(count));
        for (std::size_t i = 0; i < replies->size(); ++i) {
            const Result<WriteReply>& reply = (*replies)[i];
            if (reply.ok()) {
                ++(reply->repeated ? progress_.skipped : progress_.accepted);
            } else if (is_fault_of_row(reply.error().code())) {
                sink->refused(notes[i].get(), reply.error());  // no such item, a time ahead
            } else {
                co_return Result<void>(Error(reply.error()));
            }
        }
        co_return Result<void>();
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
    std::uint64_t next_position_ = 1;
};

// Notes are unsigned and 0 means none: a shift is kept as its distance from this.
constexpr std::int64_t kShiftBias = std::int64_t{1} << 62;

}  // namespace

runtime::Task<Result<std::int64_t>> settle_shift(Database& database, runtime::Clock& clock,
                                                 std::string import_id, UnixMillis newest_ms) {
    const std::string name = import_id + "/shift";
    TIDAL_CO_ASSIGN(const std::uint64_t kept, database.import_note(name));
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
    Import import(database, clock, std::move(spec), std::move(observer));
    Result<ImportProgress> result = co_await import.run();
    co_return result;
}

}  // namespace tidal::api
