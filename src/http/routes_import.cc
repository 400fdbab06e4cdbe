// Imports: begin one, see how far it is, read what it rejected.
#include <charconv>

#include "http/call.h"
#include "http/door.h"
#include "http/import_sink.h"
#include "http/refused_sink.h"

namespace tidal::http {
namespace {

Result<void> read_shift(const Request& request, ImportCall* call) {
    const std::string* by = request.query.find("time_shift_ms");
    const std::string* kind = request.query.find("time_shift");
    if (by != nullptr && kind != nullptr)
        return Error(ErrorCode::kInvalidArgument, "time_shift and time_shift_ms are both given")
            .with_field("time_shift_ms");
    if (by != nullptr) {
        const auto [end, error] =
            std::from_chars(by->data(), by->data() + by->size(), call->shift_ms);
        if (error != std::errc() || end != by->data() + by->size())
            return Error(ErrorCode::kInvalidArgument, "not a number of milliseconds")
                .with_field("time_shift_ms");
    }
    if (kind != nullptr && *kind != "end:now")
        return Error(ErrorCode::kInvalidArgument, "no such time shift")
            .with_field("time_shift")
            .with_hint("end:now moves the newest signal to now");
    call->end_to_now = kind != nullptr;
    return {};
}

Result<void> read_replay(const Request& request, const std::shared_ptr<runtime::DataClock>& clock,
                         ImportCall* call) {
    const std::string* pace = request.query.find("replay");
    if (pace == nullptr) return {};
    const auto wrong = [](const char* what, const char* hint) {
        return Error(ErrorCode::kInvalidArgument, what).with_field("replay").with_hint(hint);
    };
    double days_per_s = 0;
    const auto [end, error] =
        std::from_chars(pace->data(), pace->data() + pace->size(), days_per_s);
    if (error != std::errc() || end != pace->data() + pace->size() ||
        !(days_per_s > 0 && days_per_s <= 1e6))
        return wrong("not a pace", "days of the data in a second, such as 30; at most 1000000");
    if (request.content_type() != "application/x-tar" || call->end_to_now || call->shift_ms != 0)
        return wrong("a replay is of an archive, and moves no times",
                     "application/x-tar, without time_shift");
    if (!clock)
        return wrong("this server keeps the world's time",
                     "tidal-server standalone --data-clock TIME, not later than the data's first");
    call->replay = api::ImportReplay{clock, days_per_s};
    return {};
}

Result<ImportCall> import_call(const Request& request,
                               const std::shared_ptr<runtime::DataClock>& clock) {
    TIDAL_TRY(check_parameters(request, {"id", "replay", "time_shift", "time_shift_ms", "wait"}));
    ImportCall call;
    const std::string* id = request.query.find("id");
    if (id == nullptr || id->empty() || id->size() > 200)
        return Error(ErrorCode::kInvalidArgument, "an import needs a name, 1 to 200 bytes")
            .with_field("id")
            .with_hint("the same id goes on where an interrupted import stopped");
    call.id = *id;
    TIDAL_TRY(read_shift(request, &call));
    TIDAL_TRY(read_replay(request, clock, &call));
    if (const std::string* wait = request.query.find("wait")) {
        if (*wait != "true" && *wait != "false")
            return Error(ErrorCode::kInvalidArgument, "neither true nor false").with_field("wait");
        call.wait = *wait == "true";
    }
    return call;
}

/// How many bytes of the rejected lines a client has already.
Result<std::uint64_t> rejects_from(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"from"}));
    const std::string* text = request.query.find("from");
    std::uint64_t from = 0;
    if (text == nullptr) return from;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), from);
    if (error != std::errc() || end != text->data() + text->size())
        return Error(ErrorCode::kInvalidArgument, "not a number of bytes").with_field("from");
    return from;
}

/// Rejected lines under way to a client, a piece after the other.
class RejectsStream : public std::enable_shared_from_this<RejectsStream> {
public:
    RejectsStream(std::shared_ptr<ImportJob> job, std::shared_ptr<ImportJobs> jobs,
                  std::uint64_t from)
        : job_(std::move(job)), jobs_(std::move(jobs)), offset_(from) {}

    void start(Responder responder) {
        jobs_->receiver()->post(
            [self = shared_from_this(), responder = std::move(responder)]() mutable {
                auto piece = self->job_->read_rejects(self->offset_);
                if (!piece.ok()) return responder.fail(piece.error());
                Response head;
                head.content_type = "application/x-ndjson";
                self->writer_.emplace(responder.stream(std::move(head)));
                self->send(std::move(*piece));
            });
    }

private:
    void send(std::string piece) {
        if (piece.empty()) return writer_->finish();
        offset_ += piece.size();
        writer_->write(std::move(piece), [self = shared_from_this()](bool alive) {
            if (!alive) return;
            self->jobs_->receiver()->post([self] {
                auto next = self->job_->read_rejects(self->offset_);
                if (next.ok()) return self->send(std::move(*next));
                self->writer_.reset();  // cut: the client sees that something is missing
            });
        });
    }

    const std::shared_ptr<ImportJob> job_;
    const std::shared_ptr<ImportJobs> jobs_;
    std::optional<ResponseWriter> writer_;
    std::uint64_t offset_;
};

}  // namespace

std::shared_ptr<BodySink> Door::begin_import(const Request& request, Responder responder) {
    const auto call = import_call(request, options_.data_clock);
    if (!call.ok()) {
        responder.fail(call.error());
        return std::make_shared<RefusedSink>();
    }
    auto job = imports_->begin(call->id);
    if (!job.ok()) {
        responder.fail(job.error());
        return std::make_shared<RefusedSink>();
    }
    const bool tar = request.content_type() == "application/x-tar";
    if (!tar && !call->end_to_now)
        return make_lines_sink(database_, std::move(*job), *call, request.body_bytes_declared,
                               std::move(responder));
    return make_spool_sink(database_, imports_, std::move(*job), *call, tar,
                           request.body_bytes_declared, std::move(responder));
}

void Door::add_import_routes() {
    if (auto cleared = clear_import_folder(runtime_.disk()); !cleared.ok())
        logger_.error("cannot clear the folder of imports", cleared.error());
    const StreamHandler begin = [this](Request request, Responder responder) {
        return begin_import(request, std::move(responder));
    };
    ndjson_.add_stream(Method::kPost, "/import", begin);
    archives_.add_stream(Method::kPost, "/import", begin);
    whole_.add(Method::kPost, "/import", [](Request, Responder responder) {
        responder.fail(Error(ErrorCode::kUnsupportedMedia, "an import is a stream")
                           .with_field("Content-Type")
                           .with_hint("application/x-ndjson for JSON lines; application/x-tar for "
                                      "a mapping and its CSV, TSV, JSON, fvecs or npy files"));
    });
    whole_.add(Method::kGet, "/import", [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        responder.send(Response::json(imports_->list_json()));
    });
    whole_.add(Method::kGet, "/import/{id}", [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        const auto job = imports_->find(request.parameters.text("id"));
        if (!job.ok()) return responder.fail(job.error());
        responder.send(Response::json((*job)->status_json()));
    });
    whole_.add(Method::kGet, "/import/{id}/rejects", [this](Request request, Responder responder) {
        const auto from = rejects_from(request);
        if (!from.ok()) return responder.fail(from.error());
        auto job = imports_->find(request.parameters.text("id"));
        if (!job.ok()) return responder.fail(job.error());
        std::make_shared<RejectsStream>(std::move(*job), imports_, *from)
            ->start(std::move(responder));
    });
}

}  // namespace tidal::http
