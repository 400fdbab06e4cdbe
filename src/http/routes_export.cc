// Signals as they were logged, and what was shown and came of it, streamed page by page; what came
// of experiments, in one reply.
#include "http/call.h"
#include "http/door.h"
#include "http/experiment_counts.h"
#include "http/export_lines.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "schema/duration.h"

namespace tidal::http {
namespace {

constexpr std::uint32_t kPageSignals = 2000;
/// For each page the log is read on until nothing more counts: few pages are better, and one holds
/// some 10 MiB.
constexpr std::uint32_t kPageShown = 20'000;

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        if (comma > at) out.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return out;
}

Result<bool> is_csv(const Request& request) {
    const auto* format = request.query.find("format");
    if (format == nullptr || *format == "jsonl") return false;
    if (*format == "csv") return true;
    return Error(ErrorCode::kInvalidArgument, "no such export format")
        .with_field("format")
        .with_hint("jsonl or csv");
}

/// What may be asked of everything that reads the log.
template <typename Call>
Result<void> read_range(const Request& request, Call* call) {
    if (const auto* from = request.query.find("from")) {
        TIDAL_ASSIGN(call->from_ms, read_time_text(*from, "from"));
    }
    if (const auto* until = request.query.find("until")) {
        TIDAL_ASSIGN(call->until_ms, read_time_text(*until, "until"));
    }
    const auto* gaps = request.query.find("gaps");
    if (gaps != nullptr && *gaps != "on" && *gaps != "off")
        return Error(ErrorCode::kInvalidArgument, "gaps is neither on nor off").with_field("gaps");
    call->gaps = gaps != nullptr && *gaps == "on";
    return {};
}

/// What every export may be asked.
template <typename Call>
Result<void> read_common(const Request& request, Call* call) {
    if (const auto* user = request.query.find("user_id")) call->user_id = api::IdInput(*user);
    if (const auto* position = request.query.find("position")) call->position = *position;
    return read_range(request, call);
}

Result<void> read_within(const Request& request, std::int64_t* within_ms) {
    const auto* within = request.query.find("within");
    if (within == nullptr) return {};
    auto read = schema::parse_duration_ms(*within);
    if (!read.ok()) return read.take_error().with_field("within").with_hint("within=24h");
    *within_ms = *read;
    return {};
}

Result<api::ExportRequest> signals_call(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"from", "until", "signals", "user_id", "position",
                                         "format", "gaps", "token", "read_consistency"}));
    api::ExportRequest call;
    call.limit = kPageSignals;
    TIDAL_TRY(read_common(request, &call));
    if (const auto* names = request.query.find("signals")) call.signals = split_names(*names);
    return call;
}

Result<api::ShownRequest> shown_call(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"from", "until", "within", "user_id", "position", "format",
                                         "gaps", "token", "read_consistency"}));
    api::ShownRequest call;
    call.limit = kPageShown;
    TIDAL_TRY(read_common(request, &call));
    TIDAL_TRY(read_within(request, &call.within_ms));
    return call;
}

Result<api::ExperimentRequest> results_call(const Request& request) {
    TIDAL_TRY(check_parameters(request,
                               {"from", "until", "within", "gaps", "token", "read_consistency"}));
    api::ExperimentRequest call;
    call.name = request.parameters.text("name");
    TIDAL_TRY(read_range(request, &call));
    TIDAL_TRY(read_within(request, &call.within_ms));
    return call;
}

/// Some lines and whether they are the last; asked for again, the next.
struct Piece {
    std::string lines;
    bool end = false;
};
using Source = std::function<Result<Piece>()>;

/// One export under way. Pages are read on the door's export thread, each after the one before it
/// is with the client.
class ExportStream : public std::enable_shared_from_this<ExportStream> {
public:
    ExportStream(runtime::Executor& executor, bool csv, Source source)
        : executor_(executor), csv_(csv), source_(std::move(source)) {}

    /// The first page decides between a problem and a stream.
    /// @param header  What comes before the first line.
    void start(std::string header, Responder responder) {
        executor_.post([self = shared_from_this(), header = std::move(header),
                        responder = std::move(responder)]() mutable {
            auto piece = self->source_();
            if (!piece.ok()) return responder.fail(piece.error());
            Response head;
            head.content_type = self->csv_ ? "text/csv" : "application/x-ndjson";
            self->writer_.emplace(responder.stream(std::move(head)));
            piece->lines.insert(0, header);
            self->send(std::move(*piece));
        });
    }

private:
    void send(Piece piece) {
        writer_->write(std::move(piece.lines),
                       [self = shared_from_this(), end = piece.end](bool alive) {
                           if (!alive) return;
                           if (end) return self->writer_->finish();
                           self->executor_.post([self] { self->next(); });
                       });
    }

    /// An error in the middle cuts the connection: the client resumes from its last line's
    /// position.
    void next() {
        auto piece = source_();
        if (piece.ok()) {
            send(std::move(*piece));
        } else {
            writer_.reset();
        }
    }

    runtime::Executor& executor_;
    const bool csv_;
    const Source source_;
    std::optional<ResponseWriter> writer_;
};

Source signals_source(api::Database& database, api::ExportRequest call, bool csv) {
    return [&database, csv, call = std::move(call)]() mutable -> Result<Piece> {
        TIDAL_ASSIGN(const api::ExportPage page, database.export_signals(call));
        call.position = page.position;
        Piece out{"", page.end};
        for (const api::ExportedSignal& each : page.signals)
            out.lines += (csv ? exported_csv(each) : exported_json(each)) + "\n";
        return out;
    };
}

Source shown_source(api::Database& database, api::ShownRequest call, bool csv) {
    return [&database, csv, call = std::move(call)]() mutable -> Result<Piece> {
        TIDAL_ASSIGN(const api::ShownPage page, database.export_shown(call));
        call.position = page.position;
        Piece out{"", page.end};
        for (const api::ShownItem& each : page.items)
            out.lines += (csv ? shown_csv(each) : shown_json(each)) + "\n";
        return out;
    };
}

}  // namespace

void Door::answer_results(const api::ExperimentRequest& call, const Request& request,
                          Responder responder) {
    auto begun = database_.begin_count(call);
    if (!begun.ok()) return responder.fail(begun.error());
    counts_->add(
        std::move(*begun), [staleness_ms = request.staleness_ms, responder = std::move(responder)](
                               Result<api::ExperimentResults> results) mutable {
            if (!results.ok()) return responder.fail(results.error());
            responder.send(
                with_staleness(Response::json(experiment_results_json(*results)), staleness_ms));
        });
}

void Door::add_export_routes() {
    const auto stream = [this](Request request, Responder responder, bool csv, std::string header,
                               Source source) {
        once_fresh(std::move(request), std::move(responder), {},
                   [this, csv, header = std::move(header), source = std::move(source)](
                       const Request&, Responder to) mutable {
                       std::make_shared<ExportStream>(*exports_, csv, std::move(source))
                           ->start(csv ? std::move(header) : std::string(), std::move(to));
                   });
    };
    whole_.add(Method::kGet, "/export/signals", [=, this](Request request, Responder responder) {
        auto call = signals_call(request);
        if (!call.ok()) return responder.fail(call.error());
        const auto csv = is_csv(request);
        if (!csv.ok()) return responder.fail(csv.error());
        stream(std::move(request), std::move(responder), *csv, exported_csv_header(),
               signals_source(database_, std::move(*call), *csv));
    });
    whole_.add(Method::kGet, "/export/impressions",
               [=, this](Request request, Responder responder) {
                   auto call = shown_call(request);
                   if (!call.ok()) return responder.fail(call.error());
                   const auto csv = is_csv(request);
                   if (!csv.ok()) return responder.fail(csv.error());
                   stream(std::move(request), std::move(responder), *csv, shown_csv_header(),
                          shown_source(database_, std::move(*call), *csv));
               });
    whole_.add(Method::kGet, "/experiments/{name}/results",
               [this](Request request, Responder responder) {
                   auto call = results_call(request);
                   if (!call.ok()) return responder.fail(call.error());
                   once_fresh(std::move(request), std::move(responder), {},
                              [this, call = std::move(*call)](const Request& fresh, Responder to) {
                                  answer_results(call, fresh, std::move(to));
                              });
               });
}

}  // namespace tidal::http
