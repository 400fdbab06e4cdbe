#include "http/import_lines.h"

#include <algorithm>
#include <iterator>

#include "api/import.h"
#include "base/hash.h"

namespace tidal::http {
namespace {

// In the place of a mapping's hash.
constexpr std::uint64_t kMeaningOfLines = 1;

void shift(std::optional<std::optional<UnixMillis>>* time, std::int64_t shift_ms) {
    if (*time && **time) ***time += shift_ms;
}

}  // namespace

void shift_times(api::Write* write, std::int64_t shift_ms) {
    if (auto* signal = std::get_if<api::SignalWrite>(write)) {
        if (signal->at_ms) *signal->at_ms += shift_ms;
    } else if (auto* entity = std::get_if<api::EntityWrite>(write)) {
        shift(&entity->created_at_ms, shift_ms);
        shift(&entity->publish_at_ms, shift_ms);
        shift(&entity->expires_at_ms, shift_ms);
    }
}

struct ImportLines::Line {
    std::uint64_t number;
    std::size_t writes;
    std::optional<std::string> text;  ///< nullopt = did not parse.
    std::uint64_t hash;
};

struct ImportLines::Chunk {
    std::vector<api::Write> writes;
    std::vector<Line> lines;

    void append(Chunk more) {
        std::ranges::move(more.writes, std::back_inserter(writes));
        std::ranges::move(more.lines, std::back_inserter(lines));
    }
    /// The first lines, which it has no more then.
    Chunk take(std::size_t count) {
        Chunk out;
        if (count == lines.size()) return std::exchange(*this, {});
        std::size_t taken = 0;
        for (std::size_t i = 0; i < count; ++i) taken += lines[i].writes;
        const auto move = [](auto* from, std::size_t some, auto* to) {
            const auto end = from->begin() + static_cast<std::ptrdiff_t>(some);
            std::move(from->begin(), end, std::back_inserter(*to));
            from->erase(from->begin(), end);
        };
        move(&writes, taken, &out.writes);
        move(&lines, count, &out.lines);
        return out;
    }
};

ImportLines::ImportLines(api::Database& database, std::string import_id, std::int64_t shift_ms,
                         OnRejected on_rejected)
    : database_(database),
      import_id_(std::move(import_id)),
      shift_ms_(shift_ms),
      on_rejected_(std::move(on_rejected)),
      history_(database, import_id_),
      again_(std::make_unique<Chunk>()) {}

ImportLines::~ImportLines() = default;

void ImportLines::feed(std::string_view bytes, Done done) {
    Chunk chunk;
    lines_.feed(bytes, parse_into(&chunk));
    runtime::spawn(take(shared_from_this(), std::move(chunk), false, std::move(done)));
}

void ImportLines::finish(Done done) {
    Chunk chunk;
    lines_.finish(parse_into(&chunk));
    runtime::spawn(take(shared_from_this(), std::move(chunk), true, std::move(done)));
}

Result<std::vector<api::Write>> ImportLines::parse(std::uint64_t number,
                                                   Result<std::string_view> line) {
    if (!line.ok()) return line.take_error();
    auto writes = reader_.import_line(*line);
    if (!writes.ok()) return writes.take_error().with("line", number);
    return writes;
}

LineSplitter::OnLine ImportLines::parse_into(Chunk* chunk) {
    return [this, chunk](std::uint64_t number, Result<std::string_view> line) {
        ++counts_.lines;
        const std::string text(line.ok() ? *line : std::string_view());
        auto writes = parse(number, std::move(line));
        if (!writes.ok()) {
            ++counts_.rejected;
            on_rejected_(writes.error(), text);
            // Holds the line's place, so that positions are line numbers.
            chunk->writes.emplace_back(api::SignalUndo());
            chunk->lines.push_back({number, 1, std::nullopt, hash64(text)});
            return;
        }
        for (api::Write& write : *writes) {
            shift_times(&write, shift_ms_);
            chunk->writes.push_back(std::move(write));
        }
        chunk->lines.push_back({number, writes->size(), text, hash64(text)});
    };
}

runtime::Task<void> ImportLines::take(std::shared_ptr<ImportLines> self, Chunk chunk, bool last,
                                      Done done) {
    Result<void> taken = co_await self->write_new(std::move(chunk));
    if (taken.ok() && last) taken = self->history_.end();
    done(std::move(taken));
}

runtime::Task<Result<void>> ImportLines::write_new(Chunk chunk) {
    if (!begun_) {
        Result<void> begun = co_await history_.begin(kMeaningOfLines, shift_ms_);
        TIDAL_CO_TRY(std::move(begun));
        begun_ = true;
    }
    while (!chunk.lines.empty()) {
        Chunk part = chunk.take(history_.to_border(chunk.lines.size()));
        for (const Line& line : part.lines) TIDAL_CO_TRY(history_.read(line.number, line.hash));
        const std::uint64_t last = part.lines.back().number;
        if (last <= history_.settled()) {
            TIDAL_CO_TRY(tell_settled(part));
            continue;
        }
        const bool again = last <= history_.known();
        // Nothing is written before all that was read then is known to be the same.
        if (again) {
            again_->append(std::move(part));
            if (last < history_.known()) continue;
            part = std::exchange(*again_, {});
        } else {
            const Result<void> noted = co_await history_.note_read();
            if (!noted.ok()) co_return stopped(noted.error(), part.lines.front().number);
        }
        Result<void> written = co_await write(std::move(part), again);
        TIDAL_CO_TRY(std::move(written));
    }
    co_return Result<void>();
}

/// What an earlier run wrote, or the database refused then.
Result<void> ImportLines::tell_settled(const Chunk& chunk) {
    std::size_t at = 0;
    for (const Line& line : chunk.lines) {
        const std::span own = std::span(chunk.writes).subspan(at, line.writes);
        at += line.writes;
        if (!line.text) continue;
        TIDAL_ASSIGN(const bool refused, history_.was_refused(line.number));
        if (refused) {
            reject(line, api::refusal_of(database_, own));
        } else {
            ++counts_.skipped;
        }
    }
    return {};
}

void ImportLines::reject(const Line& line, Error error) {
    ++counts_.rejected;
    on_rejected_(std::move(error).with("line", line.number), *line.text);
}

/// `again`: an earlier run may have written some of them.
runtime::Task<Result<void>> ImportLines::write(Chunk chunk, bool again) {
    api::ImportChunk place{import_id_, chunk.lines.front().number};
    for (const Line& line : chunk.lines)
        place.positions.insert(place.positions.end(), line.writes, line.number);
    std::vector<api::Write> writes = again ? chunk.writes : std::exchange(chunk.writes, {});
    runtime::Completion<api::WriteReplies> answered;
    database_.write_import(std::move(writes), place, {}, answered.completer());
    Result<api::WriteReplies> replies = co_await answered;
    if (!replies.ok()) co_return replies.take_error();
    std::vector<std::uint64_t> refused;
    Result<void> counted = count(chunk, *replies, again, &refused);
    if (!refused.empty()) {
        Result<void> noted = co_await history_.note_refused(std::move(refused));
        if (counted.ok()) counted = std::move(noted);
    }
    co_return counted;
}

/// Of a line that was sent: nullopt = it is there.
Result<std::optional<Error>> ImportLines::refusal_of(const Line& line,
                                                     std::span<const Result<api::WriteReply>> own,
                                                     std::span<const api::Write> writes) {
    const auto failed = std::ranges::find_if(own, [](const auto& reply) { return !reply.ok(); });
    if (failed != own.end()) return std::optional(failed->error());
    // A run that was killed may not have noted what the database refused: it would do so again.
    if (writes.empty() || !own.back()->repeated) return std::optional<Error>();
    TIDAL_ASSIGN(const bool noted, history_.was_refused(line.number));
    if (noted) return std::optional(api::refusal_of(database_, writes));
    return api::refused_now(database_, writes);
}

/// A line is taken when all of its writes are.
Result<void> ImportLines::count(const Chunk& chunk, const api::WriteReplies& replies, bool again,
                                std::vector<std::uint64_t>* refused) {
    std::optional<Error> stopped_by;
    std::size_t at = 0;
    for (const Line& line : chunk.lines) {
        const std::span own = std::span(replies).subspan(at, line.writes);
        const std::span writes = again ? std::span(chunk.writes).subspan(at, line.writes)
                                       : std::span<const api::Write>();
        at += line.writes;
        if (!line.text) continue;
        TIDAL_ASSIGN(std::optional<Error> error, refusal_of(line, own, writes));
        if (!error) {
            ++(own.back()->repeated ? counts_.skipped : counts_.accepted);
        } else if (api::is_fault_of_row(error->code())) {
            reject(line, std::move(*error));
            refused->push_back(line.number);
        } else if (!stopped_by) {
            stopped_by = std::move(error);
        }
    }
    if (!stopped_by) return {};
    return stopped(*stopped_by, chunk.lines.front().number);
}

/// By what is no fault of a line; nothing from line `first` on may be written.
Error ImportLines::stopped(const Error& by, std::uint64_t first) const {
    Error error(by.code(), "the import stopped: " + by.message());
    for (const auto& [key, value] : by.context()) error.with(key, value);
    const std::string& cure = by.hint();
    return std::move(error)
        .with_reason(by.reason())
        .with("line", first)
        .with("accepted", counts_.accepted)
        .with("skipped", counts_.skipped)
        .with("rejected", counts_.rejected)
        .with_hint((cure.empty() ? cure : cure + "; ") +
                   "lines from this one on may not be written; send the same body again under the "
                   "same id: what is written is skipped");
}

}  // namespace tidal::http
