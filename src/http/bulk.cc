#include "http/bulk.h"

#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;

Error too_long(std::uint64_t line) {
    return Error(ErrorCode::kTooLarge, "line longer than 1 MiB").with("line", line);
}

class BulkSink final : public BodySink, public std::enable_shared_from_this<BulkSink> {
public:
    BulkSink(api::Database& database, const api::CallContext& context, ParseLine parse,
             ResponseWriter writer)
        : database_(database),
          context_(context),
          parse_(std::move(parse)),
          writer_(std::move(writer)) {}

    void on_chunk(std::string bytes, ReadNext next) override {
        std::vector<Result<api::Write>> lines;
        const std::uint64_t first = next_line_;
        take_lines(bytes, &lines);
        if (lines.empty()) return next();
        write(std::move(lines), first, [next = std::move(next)](bool alive) mutable {
            if (alive) next();
        });
    }

    void on_end() override {
        std::vector<Result<api::Write>> lines;
        const std::uint64_t first = next_line_;
        if (!rest_.empty() || skipping_) take_line(std::exchange(rest_, {}), &lines);
        if (lines.empty()) return finish();
        write(std::move(lines), first, [self = shared_from_this()](bool) { self->finish(); });
    }

    /// The body broke off: what came before is answered, and the summary says so.
    void on_error(const Error& error) override {
        writer_.write(problem_json(error) + "\n");
        finish();
    }

private:
    void take_lines(std::string_view bytes, std::vector<Result<api::Write>>* lines) {
        for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos;
             bytes.remove_prefix(end + 1)) {
            if (rest_.empty()) {
                take_line(bytes.substr(0, end), lines);
            } else {
                rest_.append(bytes.substr(0, end));
                take_line(std::exchange(rest_, {}), lines);
            }
        }
        if (!skipping_) rest_.append(bytes);
        if (rest_.size() > kLineBytesMax) {
            skipping_ = true;  // up to the next newline
            rest_.clear();
        }
    }

    void take_line(std::string_view line, std::vector<Result<api::Write>>* lines) {
        const std::uint64_t number = next_line_++;
        if (std::exchange(skipping_, false) || line.size() > kLineBytesMax) {
            lines->push_back(too_long(number));
            return;
        }
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.find_first_not_of(" \t") == std::string_view::npos) {
            lines->push_back(Error(ErrorCode::kInvalidArgument, "empty line").with("line", number));
            return;
        }
        auto parsed = parse_(reader_, line);
        if (!parsed.ok()) {
            lines->push_back(parsed.take_error().with("line", number));
        } else {
            lines->push_back(std::move(*parsed));
        }
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
    std::string rest_;  ///< An unfinished line.
    bool skipping_ = false;
    std::uint64_t next_line_ = 1;
    std::uint64_t accepted_ = 0, rejected_ = 0;
};

}  // namespace

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
