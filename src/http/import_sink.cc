#include "http/import_sink.h"

#include "http/bulk.h"
#include "http/line_splitter.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr std::size_t kRejectedShown = 100;

void shift(std::optional<std::optional<UnixMillis>>* time, std::int64_t shift_ms) {
    if (*time && **time) ***time += shift_ms;
}

void shift_times(api::Write* write, std::int64_t shift_ms) {
    if (auto* signal = std::get_if<api::SignalWrite>(write)) {
        if (signal->at_ms) *signal->at_ms += shift_ms;
    } else if (auto* entity = std::get_if<api::EntityWrite>(write)) {
        shift(&entity->created_at_ms, shift_ms);
        shift(&entity->publish_at_ms, shift_ms);
        shift(&entity->expires_at_ms, shift_ms);
    }
}

class ImportSink final : public BodySink, public std::enable_shared_from_this<ImportSink> {
public:
    ImportSink(api::Database& database, std::string import_id, std::int64_t shift_ms,
               Responder responder)
        : database_(database),
          import_id_(std::move(import_id)),
          shift_ms_(shift_ms),
          responder_(std::move(responder)) {}

    void on_chunk(std::string bytes, ReadNext next) override {
        const std::uint64_t first = lines_.next_number();
        lines_.feed(bytes, parse_line_into());
        flush(first, [next = std::move(next)]() mutable { next(); });
    }

    void on_end() override {
        const std::uint64_t first = lines_.next_number();
        lines_.finish(parse_line_into());
        flush(first, [self = shared_from_this()] { self->answer(); });
    }

    void on_error(const Error& error) override { responder_.fail(error); }

private:
    LineSplitter::OnLine parse_line_into() {
        return [this](std::uint64_t number, Result<std::string_view> line) {
            const ParseLine parse = [](JsonReader& reader, std::string_view text) {
                return reader.import_line(text);
            };
            auto write = parse_line(reader_, parse, number, std::move(line));
            if (!write.ok()) {
                reject(write.error());
                // Holds the line's place, so that positions are line numbers.
                writes_.emplace_back(api::SignalUndo());
                parsed_.push_back(false);
                return;
            }
            shift_times(&*write, shift_ms_);
            writes_.push_back(std::move(*write));
            parsed_.push_back(true);
        };
    }

    void flush(std::uint64_t first, absl::AnyInvocable<void()> done) {
        if (writes_.empty()) return done();
        api::CallContext context;
        context.first_line = first;
        database_.write_import(std::exchange(writes_, {}), {import_id_, first}, context,
                               [self = shared_from_this(), parsed = std::exchange(parsed_, {}),
                                done = std::move(done)](api::WriteReplies replies) mutable {
                                   for (std::size_t i = 0; i < replies.size(); ++i)
                                       if (parsed[i]) self->count(replies[i]);
                                   done();
                               });
    }

    void count(const Result<api::WriteReply>& reply) {
        if (!reply.ok()) return reject(reply.error());
        ++(reply->repeated ? skipped_ : accepted_);
    }

    void reject(const Error& error) {
        if (rejected_++ < kRejectedShown)
            problems_ += (problems_.empty() ? "" : ",") + problem_json(error);
    }

    void answer() {
        responder_.send(Response::json("{\"accepted\":" + std::to_string(accepted_) +
                                       ",\"skipped\":" + std::to_string(skipped_) +
                                       ",\"rejected\":" + std::to_string(rejected_) +
                                       ",\"problems\":[" + problems_ + "]}"));
    }

    api::Database& database_;
    const std::string import_id_;
    const std::int64_t shift_ms_;
    Responder responder_;
    JsonReader reader_;
    LineSplitter lines_;
    std::vector<api::Write> writes_;
    std::vector<bool> parsed_;
    std::uint64_t accepted_ = 0, skipped_ = 0, rejected_ = 0;
    std::string problems_;
};

}  // namespace

std::shared_ptr<BodySink> make_import_sink(api::Database& database, std::string import_id,
                                           std::int64_t shift_ms, Responder responder) {
    return std::make_shared<ImportSink>(database, std::move(import_id), shift_ms,
                                        std::move(responder));
}

}  // namespace tidal::http
