// Signals as they were logged, streamed page by page.
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"

namespace tidal::http {
namespace {

constexpr std::uint32_t kPageSignals = 2000;

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        if (comma > at) out.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return out;
}

struct ExportCall {
    api::ExportRequest request;
    bool csv = false;
};

Result<ExportCall> export_call(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"from", "until", "signals", "user_id", "position",
                                         "format", "gaps", "token", "read_consistency"}));
    ExportCall call;
    call.request.limit = kPageSignals;
    if (const auto* from = request.query.find("from")) {
        TIDAL_ASSIGN(call.request.from_ms, read_time_text(*from, "from"));
    }
    if (const auto* until = request.query.find("until")) {
        TIDAL_ASSIGN(call.request.until_ms, read_time_text(*until, "until"));
    }
    if (const auto* names = request.query.find("signals"))
        call.request.signals = split_names(*names);
    if (const auto* user = request.query.find("user_id"))
        call.request.user_id = api::IdInput(*user);
    if (const auto* position = request.query.find("position")) call.request.position = *position;
    if (const auto* gaps = request.query.find("gaps")) {
        if (*gaps != "on" && *gaps != "off")
            return Error(ErrorCode::kInvalidArgument, "gaps is neither on nor off")
                .with_field("gaps");
        call.request.gaps = *gaps == "on";
    }
    if (const auto* format = request.query.find("format")) {
        if (*format != "jsonl" && *format != "csv")
            return Error(ErrorCode::kInvalidArgument, "no such export format")
                .with_field("format")
                .with_hint("jsonl or csv");
        call.csv = *format == "csv";
    }
    return call;
}

/// One export under way. Pages are read on the door's export thread, each after the one before it
/// is with the client.
class ExportStream : public std::enable_shared_from_this<ExportStream> {
public:
    ExportStream(api::Database& database, runtime::Executor& executor, ExportCall call)
        : database_(database), executor_(executor), call_(std::move(call)) {}

    /// The first page decides between a problem and a stream.
    void start(Responder responder) {
        executor_.post([self = shared_from_this(), responder = std::move(responder)]() mutable {
            auto page = self->database_.export_signals(self->call_.request);
            if (!page.ok()) return responder.fail(page.error());
            Response head;
            head.content_type = self->call_.csv ? "text/csv" : "application/x-ndjson";
            self->writer_.emplace(responder.stream(std::move(head)));
            self->send(std::move(*page), self->call_.csv ? exported_csv_header() : std::string());
        });
    }

private:
    void send(api::ExportPage page, std::string bytes) {
        for (const api::ExportedSignal& signal : page.signals)
            bytes += (call_.csv ? exported_csv(signal) : exported_json(signal)) + "\n";
        call_.request.position = page.position;
        const bool end = page.end;
        writer_->write(std::move(bytes), [self = shared_from_this(), end](bool alive) {
            if (!alive) return;
            if (end) return self->writer_->finish();
            self->executor_.post([self] { self->next(); });
        });
    }

    /// An error in the middle cuts the connection: the client resumes from its last line's
    /// position.
    void next() {
        auto page = database_.export_signals(call_.request);
        if (page.ok()) {
            send(std::move(*page), {});
        } else {
            writer_.reset();
        }
    }

    api::Database& database_;
    runtime::Executor& executor_;
    ExportCall call_;
    std::optional<ResponseWriter> writer_;
};

}  // namespace

void Door::add_export_routes() {
    whole_.add(Method::kGet, "/export/signals", [this](Request request, Responder responder) {
        auto call = export_call(request);
        if (!call.ok()) return responder.fail(call.error());
        once_fresh(std::move(request), std::move(responder), {},
                   [this, call = std::move(*call)](const Request&, Responder to) mutable {
                       std::make_shared<ExportStream>(database_, *exports_, std::move(call))
                           ->start(std::move(to));
                   });
    });
}

}  // namespace tidal::http
