#include "http/import_lines.h"

#include <algorithm>
#include <span>

#include "api/import.h"

namespace tidal::http {
namespace {

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

struct ImportLines::Chunk {
    struct Line {
        std::uint64_t number;
        std::size_t writes;
        std::optional<std::string> text;  ///< nullopt = did not parse.
    };
    std::uint64_t first_line = 0;
    std::vector<api::Write> writes;
    std::vector<Line> lines;
};

ImportLines::ImportLines(api::Database& database, std::string import_id, std::int64_t shift_ms,
                         OnRejected on_rejected)
    : database_(database),
      import_id_(std::move(import_id)),
      shift_ms_(shift_ms),
      on_rejected_(std::move(on_rejected)) {}

void ImportLines::feed(std::string_view bytes, Done done) {
    Chunk chunk{lines_.next_number(), {}, {}};
    lines_.feed(bytes, parse_into(&chunk));
    write(std::move(chunk), std::move(done));
}

void ImportLines::finish(Done done) {
    Chunk chunk{lines_.next_number(), {}, {}};
    lines_.finish(parse_into(&chunk));
    write(std::move(chunk), std::move(done));
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
            chunk->lines.push_back({number, 1, std::nullopt});
            return;
        }
        for (api::Write& write : *writes) {
            shift_times(&write, shift_ms_);
            chunk->writes.push_back(std::move(write));
        }
        chunk->lines.push_back({number, writes->size(), text});
    };
}

void ImportLines::write(Chunk chunk, Done done) {
    if (chunk.writes.empty()) return done({});
    std::vector<api::Write> writes = std::move(chunk.writes);
    api::ImportChunk place{import_id_, chunk.first_line};
    for (const Chunk::Line& line : chunk.lines)
        place.positions.insert(place.positions.end(), line.writes, line.number);
    database_.write_import(
        std::move(writes), place, {},
        [self = shared_from_this(), chunk = std::move(chunk), done = std::move(done)](
            api::WriteReplies replies) mutable { done(self->count(chunk, replies)); });
}

/// A line is taken when all of its writes are.
Result<void> ImportLines::count(const Chunk& chunk, const api::WriteReplies& replies) {
    const Error* stopped_by = nullptr;
    std::size_t at = 0;
    for (const Chunk::Line& line : chunk.lines) {
        const std::span own = std::span(replies).subspan(at, line.writes);
        at += line.writes;
        if (!line.text) continue;
        const auto failed =
            std::ranges::find_if(own, [](const auto& reply) { return !reply.ok(); });
        if (failed == own.end()) {
            ++(own.back()->repeated ? counts_.skipped : counts_.accepted);
        } else if (api::is_fault_of_row(failed->error().code())) {
            ++counts_.rejected;
            on_rejected_(Error(failed->error()).with("line", line.number), *line.text);
        } else if (stopped_by == nullptr) {
            stopped_by = &failed->error();
        }
    }
    if (stopped_by == nullptr) return {};
    Error error(stopped_by->code(), "the import stopped: " + stopped_by->message());
    for (const auto& [key, value] : stopped_by->context()) error.with(key, value);
    const std::string& cure = stopped_by->hint();
    return std::move(error)
        .with_reason(stopped_by->reason())
        .with("line", chunk.first_line)
        .with("accepted", counts_.accepted)
        .with("skipped", counts_.skipped)
        .with("rejected", counts_.rejected)
        .with_hint((cure.empty() ? cure : cure + "; ") +
                   "lines from this one on may not be written; send the same body again under the "
                   "same id: what is written is skipped");
}

}  // namespace tidal::http
