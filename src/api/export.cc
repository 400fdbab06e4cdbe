// Signals as they were logged, from archive and log, a page at a time.
#include <algorithm>

#include "api/database.h"
#include "api/internal/export_position.h"
#include "api/resolve.h"

namespace tidal::api {
namespace {

/// What a request asks for, in the schema's terms.
struct Filter {
    std::vector<bool> signals;  ///< By SignalTypeId; empty = all.
    std::optional<EntityId> user;
    std::optional<UnixMillis> from_ms, until_ms;

    bool wants(const record::Envelope& envelope, const record::SignalBody& body) const {
        if (!signals.empty() &&
            (body.signal.value() >= signals.size() || !signals[body.signal.value()]))
            return false;
        if (user && body.user != user) return false;
        return (!from_ms || envelope.event_time_ms >= *from_ms) &&
               (!until_ms || envelope.event_time_ms < *until_ms);
    }
    bool wants_undo(const record::Envelope& envelope) const {
        if (!signals.empty() || user) return false;
        return (!from_ms || envelope.event_time_ms >= *from_ms) &&
               (!until_ms || envelope.event_time_ms < *until_ms);
    }
};

Result<Filter> make_filter(const ExportRequest& request, const schema::Schema& schema) {
    Filter filter;
    filter.from_ms = request.from_ms;
    filter.until_ms = request.until_ms;
    for (const std::string& name : request.signals) {
        const schema::SignalSpec* spec = schema.find_signal(name);
        if (spec == nullptr) return unknown_signal(schema, name);
        filter.signals.resize(schema.signals.size());
        filter.signals[spec->id.value()] = true;
    }
    if (request.user_id) {
        TIDAL_ASSIGN(filter.user,
                     resolve_id(schema, EntityKind::kUser, *request.user_id, "user_id"));
    }
    return filter;
}

/// One line, and when it was logged.
struct Line {
    ExportedSignal signal;
    HybridTime stamp;
};

/// @param behind  The position behind this record.
void take(const record::Record& record, const Filter& filter, const schema::Schema& schema,
          const ExportPosition& behind, std::vector<Line>* lines) {
    ExportedSignal out;
    out.at_ms = record.envelope.event_time_ms;
    out.position = encode_position(behind);
    out.session_id = record.envelope.session;
    const auto* signal = std::get_if<record::SignalBody>(&record.body);
    if (const auto* of_session = std::get_if<record::SessionSignalBody>(&record.body))
        signal = &of_session->signal;
    if (signal != nullptr) {
        if (!filter.wants(record.envelope, *signal) ||
            signal->signal.value() >= schema.signals.size())
            return;
        out.id = signal->item;
        out.signal = schema.signals[signal->signal.value()].name;
        out.weight = record::weight_to_double(signal->weight);
        out.user_id = signal->user;
        out.creator_id = signal->creator;
        out.context = signal->context;
        lines->push_back({std::move(out), record.envelope.stamp});
        return;
    }
    const auto* undo = std::get_if<record::UndoBody>(&record.body);
    const auto* of_session = std::get_if<record::SessionUndoBody>(&record.body);
    if ((undo == nullptr && of_session == nullptr) || !filter.wants_undo(record.envelope)) return;
    out.id = undo != nullptr ? undo->item : of_session->item;
    out.undo = true;
    out.undo_key = undo != nullptr ? undo->key : of_session->key;
    if (of_session != nullptr) out.session_id = std::to_string(of_session->session);
    lines->push_back({std::move(out), record.envelope.stamp});
}

}  // namespace

Result<void> Database::check_exportable() {
    if (log_ == nullptr)
        return Error(ErrorCode::kUnsupported, "an ephemeral database keeps no log to export from");
    return check_readable();
}

Result<std::unique_lock<std::mutex>> Database::begin_export() {
    std::unique_lock one_at_a_time(exporting_, std::defer_lock);
    if (cluster_ != nullptr) one_at_a_time.lock();
    TIDAL_TRY(check_exportable());
    return one_at_a_time;
}

Result<ExportPage> Database::export_signals(const ExportRequest& request) {
    TIDAL_ASSIGN(const auto exporting, begin_export());
    const auto schema = this->schema();
    TIDAL_ASSIGN(const Filter filter, make_filter(request, *schema));
    TIDAL_ASSIGN(ExportPosition position, decode_position(request.position, shards_.size() - 1));
    if (cluster_ != nullptr && !request.gaps) TIDAL_TRY(check_whole(position.next));
    const std::size_t limit = std::max<std::uint32_t>(request.limit, 1);
    std::vector<Line> lines;
    bool full = false;
    for (std::size_t round = 1; round < shards_.size() && !full; ++round) {
        LogIndex& next = position.next_of(position.at);
        TIDAL_ASSIGN(const bool whole,
                     visit_history(position.at, next, [&](const record::Record& record) {
                         if (lines.size() >= limit) return false;
                         next = record.envelope.index.next();
                         take(record, filter, *schema, position, &lines);
                         return true;
                     }));
        full = !whole;
        if (!full) position.to_next_shard();
    }
    std::set<EntityId> users;
    for (const Line& line : lines)
        if (line.signal.user_id) users.insert(*line.signal.user_id);
    const auto erasures = erasures_of(users);
    ExportPage page;
    for (Line& line : lines) {
        const auto gone =
            line.signal.user_id ? erasures.find(*line.signal.user_id) : erasures.end();
        if (gone != erasures.end() && line.stamp <= gone->second) {
            if (filter.user) continue;
            line.signal.user_id.reset();
            line.signal.session_id.clear();
            line.signal.context.clear();
        }
        page.signals.push_back(std::move(line.signal));
    }
    page.end = !full;
    page.position = encode_position(position);
    return page;
}

}  // namespace tidal::api
