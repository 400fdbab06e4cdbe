#include "http/bulk.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include "http/json_write.h"
#include "http/line_splitter.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

class BulkSink final : public BodySink, public std::enable_shared_from_this<BulkSink> {
public:
    BulkSink(api::Database& database, const api::CallContext& context, ParseLine parse,
             Responder responder)
        : database_(database),
          context_(context),
          parse_(std::move(parse)),
          responder_(std::move(responder)) {}

    void on_chunk(std::string bytes, ReadNext next) override {
        const std::uint64_t first = lines_.next_number();
        BulkLines lines;
        lines.writes.reserve(static_cast<std::size_t>(std::ranges::count(bytes, '\n')) + 1);
        lines_.feed(bytes, parse_into(&lines));
        // A last line without an end is of this batch, not a round of its own.
        if (next.is_last()) lines_.finish(parse_into(&lines));
        if (lines.writes.empty()) return next();
        if (next.is_last()) {
            // The reader goes on to the end of the body, and waits there for the answer: told of
            // the next chunk with the answer, it would be woken twice.
            all_written_ = true;
            write_last(std::move(lines), first);
            return next();
        }
        write(std::move(lines), first, [next = std::move(next)](bool alive) mutable {
            if (alive) next();
        });
    }

    void on_end() override {
        if (all_written_ || answered_) return;
        const std::uint64_t first = lines_.next_number();
        BulkLines lines;
        lines_.finish(parse_into(&lines));
        if (lines.writes.empty()) return end({});
        write_last(std::move(lines), first);
    }

    /// The body broke off: what came before is answered, and the summary says so.
    void on_error(const Error& error) override {
        // Of a connection that was cut: the writer is theirs who answer the lines under way.
        if (all_written_ || busy_ || answered_) return;
        end(problem_json(error) + "\n");
    }

private:
    LineSplitter::OnLine parse_into(BulkLines* lines) {
        return [this, lines](std::uint64_t number, Result<std::string_view> line) {
            // Of a line too long or empty the error has the number already.
            if (!line.ok()) return lines->add(line.take_error());
            api::Write& write = lines->writes.emplace_back(api::SignalUndo());
            auto parsed = parse_(reader_, *line, &write);
            if (!parsed.ok()) lines->refuse(parsed.take_error().with("line", number));
        };
    }

    void write(BulkLines lines, std::uint64_t first, absl::AnyInvocable<void(bool)> done) {
        busy_ = true;
        write_bulk(database_, std::move(lines), context_, first,
                   [self = shared_from_this(), done = std::move(done)](BulkAnswer answer) mutable {
                       self->count(answer);
                       self->begin();
                       self->writer_->write(std::move(answer.lines),
                                            [self, done = std::move(done)](bool alive) mutable {
                                                self->busy_ = false;
                                                done(alive);
                                            });
                   });
    }

    void write_last(BulkLines lines, std::uint64_t first) {
        write_bulk(database_, std::move(lines), context_, first,
                   [self = shared_from_this()](BulkAnswer answer) {
                       self->count(answer);
                       self->end(std::move(answer.lines));
                   });
    }

    void count(const BulkAnswer& answer) {
        accepted_ += answer.accepted;
        rejected_ += answer.rejected;
    }

    static Response head() {
        Response out;
        out.content_type = "application/x-ndjson";
        return out;
    }

    /// The head goes out with the first answers: alone, it would be a system call here, and wake
    /// the client for nothing.
    void begin() {
        if (!writer_) writer_.emplace(responder_.stream(head()));
    }

    /// Last lines and the summary; all there is, where nothing was said before.
    void end(std::string lines) {
        answered_ = true;
        lines += bulk_summary(accepted_, rejected_);
        if (writer_) {
            writer_->write(std::move(lines));
            return writer_->finish();
        }
        Response whole = head();
        whole.body = std::move(lines);
        responder_.send(std::move(whole));
    }

    api::Database& database_;
    const api::CallContext context_;
    const ParseLine parse_;
    Responder responder_;                   ///< Until something was said.
    std::optional<ResponseWriter> writer_;  ///< From then on, but where that was all.
    JsonReader reader_;
    LineSplitter lines_;
    std::uint64_t accepted_ = 0, rejected_ = 0;
    bool all_written_ = false;  ///< The last lines are at the database; of the I/O thread.
    bool answered_ = false;     ///< To the end.
    /// Lines are at the database or on their way to the client. Where the connection is cut
    /// meanwhile, the I/O thread asks while a shard's may be answering.
    std::atomic<bool> busy_ = false;
};

}  // namespace

std::string bulk_summary(std::uint64_t accepted, std::uint64_t rejected) {
    return "{\"accepted\":" + std::to_string(accepted) +
           ",\"rejected\":" + std::to_string(rejected) + "}\n";
}

void BulkLines::add(Result<api::Write> line) {
    if (line.ok()) {
        writes.push_back(*std::move(line));
    } else {
        writes.emplace_back(api::SignalUndo());
        refuse(line.take_error());
    }
}

void BulkLines::refuse(Error error) {
    writes.back() = api::SignalUndo();
    errors.emplace_back(writes.size() - 1, std::move(error));
}

void write_bulk(api::Database& database, BulkLines lines, const api::CallContext& context,
                std::uint64_t first_line, absl::AnyInvocable<void(BulkAnswer)> done) {
    constexpr std::size_t kLineBytes = 64;  // Of most.
    api::CallContext numbered = context;
    numbered.first_line = first_line;
    database.write(std::move(lines.writes), numbered,
                   [errors = std::move(lines.errors),
                    done = std::move(done)](api::WriteReplies replies) mutable {
                       BulkAnswer answer;
                       answer.lines.reserve(kLineBytes * (replies.size() + 1));
                       auto unparsed = errors.begin();
                       for (std::size_t i = 0; i < replies.size(); ++i) {
                           const Error* error = replies[i].ok() ? nullptr : &replies[i].error();
                           if (unparsed != errors.end() && unparsed->first == i)
                               error = &unparsed++->second;
                           ++(error == nullptr ? answer.accepted : answer.rejected);
                           if (error == nullptr) {
                               append_write(*replies[i], &answer.lines);
                           } else {
                               answer.lines += problem_json(*error);
                           }
                           answer.lines += '\n';
                       }
                       done(std::move(answer));
                   });
}

std::shared_ptr<BodySink> make_bulk_sink(api::Database& database, const api::CallContext& context,
                                         ParseLine parse, Responder responder) {
    return std::make_shared<BulkSink>(database, context, std::move(parse), std::move(responder));
}

}  // namespace tidal::http
