#include "http/import_lines.h"

#include "api/import.h"
#include "http/bulk.h"

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
    std::uint64_t first_line = 0;
    std::vector<api::Write> writes;
    std::vector<std::optional<std::string>> texts;  ///< nullopt = did not parse.
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

LineSplitter::OnLine ImportLines::parse_into(Chunk* chunk) {
    return [this, chunk](std::uint64_t number, Result<std::string_view> line) {
        ++counts_.lines;
        const std::string text(line.ok() ? *line : std::string_view());
        const ParseLine parse = [](JsonReader& reader, std::string_view json) {
            return reader.import_line(json);
        };
        auto write = parse_line(reader_, parse, number, std::move(line));
        if (!write.ok()) {
            ++counts_.rejected;
            on_rejected_(write.error(), text);
            // Holds the line's place, so that positions are line numbers.
            chunk->writes.emplace_back(api::SignalUndo());
            chunk->texts.emplace_back();
            return;
        }
        shift_times(&*write, shift_ms_);
        chunk->writes.push_back(std::move(*write));
        chunk->texts.emplace_back(text);
    };
}

void ImportLines::write(Chunk chunk, Done done) {
    if (chunk.writes.empty()) return done({});
    api::CallContext context;
    context.first_line = chunk.first_line;
    std::vector<api::Write> writes = std::move(chunk.writes);
    const api::ImportChunk place{import_id_, chunk.first_line};
    database_.write_import(
        std::move(writes), place, context,
        [self = shared_from_this(), chunk = std::move(chunk), done = std::move(done)](
            api::WriteReplies replies) mutable { done(self->count(chunk, replies)); });
}

Result<void> ImportLines::count(const Chunk& chunk, const api::WriteReplies& replies) {
    const Error* stopped_by = nullptr;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        if (!chunk.texts[i]) continue;
        const Result<api::WriteReply>& reply = replies[i];
        if (reply.ok()) {
            ++(reply->repeated ? counts_.skipped : counts_.accepted);
        } else if (api::is_fault_of_row(reply.error().code())) {
            ++counts_.rejected;
            on_rejected_(reply.error(), *chunk.texts[i]);
        } else if (stopped_by == nullptr) {
            stopped_by = &reply.error();
        }
    }
    if (stopped_by == nullptr) return {};
    return Error(stopped_by->code(), "the import stopped: " + stopped_by->message())
        .with("line", chunk.first_line)
        .with("accepted", counts_.accepted)
        .with("skipped", counts_.skipped)
        .with("rejected", counts_.rejected)
        .with_hint(
            "lines from this one on may not be written; send the same body again under the "
            "same id: what is written is skipped");
}

}  // namespace tidal::http
