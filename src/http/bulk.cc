#include "http/bulk.h"

#include <algorithm>

#include "http/json_write.h"
#include "http/line_splitter.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

class BulkSink final : public BodySink, public std::enable_shared_from_this<BulkSink> {
public:
    BulkSink(api::Database& database, const api::CallContext& context, ParseLine parse,
             ResponseWriter writer)
        : database_(database),
          context_(context),
          parse_(std::move(parse)),
          writer_(std::move(writer)) {}

    void on_chunk(std::string bytes, ReadNext next) override {
        const std::uint64_t first = lines_.next_number();
        std::vector<Result<api::Write>> writes;
        writes.reserve(static_cast<std::size_t>(std::ranges::count(bytes, '\n')) + 1);
        lines_.feed(bytes, parse_into(&writes));
        // A last line without an end is of this batch, not a round of its own.
        if (next.is_last()) lines_.finish(parse_into(&writes));
        if (writes.empty()) return next();
        write(std::move(writes), first, [next = std::move(next)](bool alive) mutable {
            if (alive) next();
        });
    }

    void on_end() override {
        const std::uint64_t first = lines_.next_number();
        std::vector<Result<api::Write>> writes;
        lines_.finish(parse_into(&writes));
        if (writes.empty()) return finish();
        write(std::move(writes), first, [self = shared_from_this()](bool) { self->finish(); });
    }

    /// The body broke off: what came before is answered, and the summary says so.
    void on_error(const Error& error) override {
        writer_.write(problem_json(error) + "\n");
        finish();
    }

private:
    LineSplitter::OnLine parse_into(std::vector<Result<api::Write>>* writes) {
        return [this, writes](std::uint64_t number, Result<std::string_view> line) {
            writes->push_back(parse_line(reader_, parse_, number, std::move(line)));
        };
    }

    void write(std::vector<Result<api::Write>> lines, std::uint64_t first,
               absl::AnyInvocable<void(bool)> done) {
        write_bulk(database_, std::move(lines), context_, first,
                   [self = shared_from_this(), done = std::move(done)](BulkAnswer answer) mutable {
                       self->accepted_ += answer.accepted;
                       self->rejected_ += answer.rejected;
                       self->writer_.write(std::move(answer.lines), std::move(done));
                   });
    }

    void finish() {
        writer_.write(bulk_summary(accepted_, rejected_));
        writer_.finish();
    }

    api::Database& database_;
    const api::CallContext context_;
    const ParseLine parse_;
    ResponseWriter writer_;
    JsonReader reader_;
    LineSplitter lines_;
    std::uint64_t accepted_ = 0, rejected_ = 0;
};

}  // namespace

Result<api::Write> parse_line(JsonReader& reader, const ParseLine& parse, std::uint64_t number,
                              Result<std::string_view> line) {
    if (!line.ok()) return line.take_error();
    auto parsed = parse(reader, *line);
    if (!parsed.ok()) return parsed.take_error().with("line", number);
    return parsed;
}

std::string bulk_summary(std::uint64_t accepted, std::uint64_t rejected) {
    return "{\"accepted\":" + std::to_string(accepted) +
           ",\"rejected\":" + std::to_string(rejected) + "}\n";
}

void write_bulk(api::Database& database, std::vector<Result<api::Write>> lines,
                const api::CallContext& context, std::uint64_t first_line,
                absl::AnyInvocable<void(BulkAnswer)> done) {
    std::vector<api::Write> writes;
    std::vector<std::optional<Error>> errors(lines.size());
    writes.reserve(lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        // A line that does not parse holds its place, so that line numbers (and so keys) stay
        // right.
        if (!lines[i].ok()) errors[i] = lines[i].take_error();
        writes.push_back(errors[i] ? api::Write(api::SignalUndo()) : std::move(*lines[i]));
    }
    api::CallContext numbered = context;
    numbered.first_line = first_line;
    database.write(
        std::move(writes), numbered,
        [errors = std::move(errors), done = std::move(done)](api::WriteReplies replies) mutable {
            BulkAnswer answer;
            for (std::size_t i = 0; i < replies.size(); ++i) {
                if (!errors[i] && replies[i].ok()) {
                    ++answer.accepted;
                    answer.lines += write_json(*replies[i]);
                } else {
                    ++answer.rejected;
                    answer.lines += problem_json(errors[i] ? *errors[i] : replies[i].error());
                }
                answer.lines += '\n';
            }
            done(std::move(answer));
        });
}

std::shared_ptr<BodySink> make_bulk_sink(api::Database& database, const api::CallContext& context,
                                         ParseLine parse, Responder responder) {
    Response head;
    head.content_type = "application/x-ndjson";
    return std::make_shared<BulkSink>(database, context, std::move(parse),
                                      responder.stream(std::move(head)));
}

}  // namespace tidal::http
